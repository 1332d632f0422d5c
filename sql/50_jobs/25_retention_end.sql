create function eventlive.retention_end(_key text, _overrides jsonb)
returns timestamptz
language sql
stable
set search_path = pg_catalog, pg_temp
return clock_timestamp()
    - coalesce((_overrides -> _key)::numeric, eventlive.setting_number(_key))::double precision * interval '1 day';

comment on function eventlive.retention_end(text, jsonb) is
    'What is older than this need not be kept, by a setting in days and the overrides of a webinar. Not by webinar_live, which keeps the settings that held when a webinar ended.';
revoke all on function eventlive.retention_end(text, jsonb) from public, anon, authenticated, service_role;
