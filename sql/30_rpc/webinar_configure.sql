create function eventlive.webinar_configure(_webinar_id uuid, _changes jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_restored boolean := eventlive.restore_durability();
    v_webinar eventlive.webinars;
    v_key text;
begin
    perform eventlive.require_staff(_webinar_id, array['host']);
    if jsonb_typeof(_changes) is distinct from 'object' then
        perform eventlive.raise_error('invalid_argument', '{"argument": "_changes", "must_be": "a JSON object"}');
    end if;
    for v_key in select k.key from jsonb_object_keys(_changes) as k (key) loop
        if v_key not in (
            'title', 'access_policy', 'entry_policy', 'duplicate_login_policy', 'starts_at', 'ends_at', 'settings'
        ) then
            perform eventlive.raise_error('invalid_argument', jsonb_build_object(
                'argument', '_changes',
                'must_be', 'an object of title, access_policy, entry_policy, duplicate_login_policy, starts_at, ends_at, settings',
                'unknown_key', left(v_key, 100)));
        end if;
    end loop;

    select w.* into v_webinar from eventlive.webinars w where w.id = _webinar_id for no key update;
    if not found then
        perform eventlive.raise_error('webinar_not_found');  -- deleted since
    end if;
    if not (case when _changes ? 'settings' then jsonb_typeof(_changes -> 'settings') = 'object' else true end) then
        perform eventlive.raise_error('invalid_argument', '{"argument": "settings", "must_be": "a JSON object of settings"}');
    end if;
    if exists (
        select from jsonb_each(_changes - 'settings') as c where jsonb_typeof(c.value) not in ('string', 'null')
    ) then
        perform eventlive.raise_error('invalid_argument', '{"argument": "_changes", "must_be": "strings or null, but for settings"}');
    end if;
    begin
        v_webinar := jsonb_populate_record(v_webinar, _changes - 'settings');
    exception
        when data_exception then  -- of the columns, only the times have a form to miss
            perform eventlive.raise_error('invalid_argument', '{"argument": "starts_at or ends_at", "must_be": "a time"}');
    end;
    -- A setting that is set to null goes back to what holds for all webinars.
    v_webinar.settings := jsonb_strip_nulls(v_webinar.settings || coalesce(_changes -> 'settings', '{}'));
    perform eventlive.check_webinar_values(
        v_webinar.slug, v_webinar.title, v_webinar.status, v_webinar.access_policy, v_webinar.entry_policy,
        v_webinar.duplicate_login_policy, v_webinar.starts_at, v_webinar.ends_at, v_webinar.settings);

    update eventlive.webinars w
       set title = v_webinar.title,
           access_policy = v_webinar.access_policy,
           entry_policy = v_webinar.entry_policy,
           duplicate_login_policy = v_webinar.duplicate_login_policy,
           starts_at = v_webinar.starts_at,
           ends_at = v_webinar.ends_at,
           settings = v_webinar.settings,
           updated_at = clock_timestamp()
     where w.id = _webinar_id
    returning w.* into v_webinar;
    return eventlive.webinar_reply(v_webinar);
end
$$;

comment on function eventlive.webinar_configure(uuid, jsonb) is 'Body of eventlive_api.webinar_configure.';
revoke all on function eventlive.webinar_configure(uuid, jsonb) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_configure(uuid, jsonb) to authenticated, service_role;

create function eventlive_api.webinar_configure(_webinar_id uuid, _changes jsonb)
returns jsonb
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_configure(_webinar_id, _changes);
end;

comment on function eventlive_api.webinar_configure(uuid, jsonb) is
    'Changes title, policies, times and settings of a webinar; keys left out stay. A setting given as null goes back to the common value. For hosts, administrators and service_role.';
revoke all on function eventlive_api.webinar_configure(uuid, jsonb) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_configure(uuid, jsonb) to authenticated, service_role;
