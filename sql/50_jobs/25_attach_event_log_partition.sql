create function eventlive.attach_event_log_partition(_name text, _lower timestamptz, _upper timestamptz)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
begin
    execute format('alter table eventlive.event_access_logs attach partition eventlive.%I for values from (%s) to (%L)',
        _name, case when _lower = '-infinity' then 'minvalue' else quote_literal(_lower) end, _upper);
    execute format('comment on table eventlive.%I is %L', _name,
        case when _lower = '-infinity' then format('Events until %s.', _upper)
            else format('Events from %s until %s.', _lower, _upper) end);
end
$$;

comment on function eventlive.attach_event_log_partition(text, timestamptz, timestamptz) is
    'Makes a table a partition of the visit log.';
revoke all on function eventlive.attach_event_log_partition(text, timestamptz, timestamptz) from public, anon, authenticated, service_role;
