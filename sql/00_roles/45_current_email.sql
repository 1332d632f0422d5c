create function eventlive.current_email(_verified_required boolean)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_claims json;
begin
    if eventlive.current_user_id() is null then
        return null;
    end if;
    -- json, as current_user_id reads it: jsonb refuses numbers that json allows.
    v_claims := current_setting('request.jwt.claims', true)::json;
    if _verified_required and (v_claims -> 'email_verified')::text is distinct from 'true' then
        return null;
    end if;
    -- Only the top-level claim counts: user_metadata is written by the user.
    return lower(nullif(btrim(v_claims ->> 'email'), '') collate "C");
end
$$;

comment on function eventlive.current_email(boolean) is
    'The e-mail claim in lower case; null without one, for a guest, and, when verification is required, without email_verified true.';
revoke all on function eventlive.current_email(boolean) from public, anon, authenticated, service_role;
