create function eventlive.event_log_boundary(_at timestamptz)
returns timestamptz
language sql
stable
set search_path = pg_catalog, pg_temp
return date_bin(eventlive.setting_number('event_log_partition_days')::integer * interval '24 hours', _at,
        timestamptz '2000-01-03 00:00:00+00')
    + eventlive.setting_number('event_log_partition_days')::integer * interval '24 hours';

comment on function eventlive.event_log_boundary(timestamptz) is
    'Where the partition of the visit log that holds this moment ends: midnight in UTC, every event_log_partition_days.';
revoke all on function eventlive.event_log_boundary(timestamptz) from public, anon, authenticated, service_role;
