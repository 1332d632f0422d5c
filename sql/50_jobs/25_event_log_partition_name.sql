create function eventlive.event_log_partition_name(_lower timestamptz, _upper timestamptz)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
    select case when _lower = '-infinity' then 'event_access_logs_until_' else 'event_access_logs_p' end
        || to_char(n.at, case when n.at = date_trunc('day', n.at) then 'YYYYMMDD' else 'YYYYMMDD_HH24MISSUS' end)
      from (values (case when _lower = '-infinity' then _upper else _lower end)) as n (at)
$$;

comment on function eventlive.event_log_partition_name(timestamptz, timestamptz) is 'The name of a partition of the visit log, after its beginning in UTC, or its end where it has none.';
revoke all on function eventlive.event_log_partition_name(timestamptz, timestamptz) from public, anon, authenticated, service_role;
