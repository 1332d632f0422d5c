create function eventlive.webinar_allow_emails(_webinar_id uuid, _emails text[], _remove boolean)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_restored boolean := eventlive.restore_durability();
    v_position bigint;
    v_changed integer;
begin
    perform eventlive.require_staff(_webinar_id, array['host']);
    if _emails is null or _remove is null or cardinality(_emails) > 10000 then
        perform eventlive.raise_error('invalid_argument',
            '{"argument": "_emails or _remove", "must_be": "an array of at most 10000 addresses; a boolean"}');
    end if;
    -- All or nothing, and the error says which one without repeating it: error texts end up in logs.
    select e.position
      into v_position
      from unnest(_emails) with ordinality as e (email, position)
     where (
            char_length(btrim(e.email)) between 3 and 320
            and btrim(e.email) collate "C" ~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+$'
           ) is not true
     order by e.position
     limit 1;
    if found then
        perform eventlive.raise_error('invalid_argument', jsonb_build_object(
            'argument', '_emails', 'must_be', 'e-mail addresses', 'position', v_position));
    end if;

    if _remove then
        delete from eventlive.webinar_allowed_emails a
         where a.webinar_id = _webinar_id
           and a.email in (select lower(btrim(e.email) collate "C") from unnest(_emails) as e (email));
    else
        insert into eventlive.webinar_allowed_emails (webinar_id, email)
        select distinct _webinar_id, lower(btrim(e.email) collate "C") as email
          from unnest(_emails) as e (email)
         order by email
            on conflict (webinar_id, email) do nothing;
    end if;
    get diagnostics v_changed = row_count;
    return jsonb_build_object(
        'webinar_id', _webinar_id,
        'added', case when _remove then 0 else v_changed end,
        'removed', case when _remove then v_changed else 0 end);
end
$$;

comment on function eventlive.webinar_allow_emails(uuid, text[], boolean) is 'Body of eventlive_api.webinar_allow_emails.';
revoke all on function eventlive.webinar_allow_emails(uuid, text[], boolean) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_allow_emails(uuid, text[], boolean) to authenticated, service_role;

create function eventlive_api.webinar_allow_emails(_webinar_id uuid, _emails text[], _remove boolean default false)
returns jsonb
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_allow_emails(_webinar_id, _emails, _remove);
end;

comment on function eventlive_api.webinar_allow_emails(uuid, text[], boolean) is
    'Puts addresses on the list of those who may come in under invite_only and email_auth, or takes them off. All or none; a repeat changes nothing. For hosts, administrators and service_role.';
revoke all on function eventlive_api.webinar_allow_emails(uuid, text[], boolean) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_allow_emails(uuid, text[], boolean) to authenticated, service_role;
