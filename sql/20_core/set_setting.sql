create function eventlive.set_setting(_key text, _value jsonb)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_webinar_id uuid;
begin
    perform eventlive.check_setting(_key, _value, false);
    perform from eventlive.webinars w where w.status <> 'ended' order by w.id for no key update;
    perform pg_advisory_xact_lock(eventlive.settings_lock_key());
    update eventlive.settings s set value = _value where s.key = _key;
    for v_webinar_id in select w.id from eventlive.webinars w where w.status <> 'ended' order by w.id loop
        perform eventlive.refresh_webinar_live(v_webinar_id);
    end loop;
end
$$;

comment on function eventlive.set_setting(text, jsonb) is
    'Changes a setting for every webinar that does not override it. For the owner and administrators of the database.';
revoke all on function eventlive.set_setting(text, jsonb) from public, anon, authenticated, service_role;
