create function eventlive.is_service()
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_claims text := nullif(current_setting('request.jwt.claims', true), '');
    v_role text := nullif(current_setting('role', true), 'none');
begin
    perform eventlive.current_user_id();  -- refuses malformed claims
    -- current_user is the definer here: the caller is the role that was set, else the one that logged in.
    return pg_catalog.pg_has_role(coalesce(v_role, session_user), 'service_role', 'usage')
       and (v_claims is null or coalesce(v_claims::json ->> 'role', '') = 'service_role');
end
$$;

comment on function eventlive.is_service() is
    'True for service_role and for a database administrator at a prompt; never on claims of another role, or of none.';
revoke all on function eventlive.is_service() from public, anon, authenticated, service_role;
