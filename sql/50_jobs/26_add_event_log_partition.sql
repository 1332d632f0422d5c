create function eventlive.add_event_log_partition(_lower timestamptz, _upper timestamptz)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_name text := eventlive.event_log_partition_name(_lower, _upper);
begin
    perform eventlive.make_event_log_table(v_name);
    perform eventlive.attach_event_log_partition(v_name, _lower, _upper);
end
$$;

comment on function eventlive.add_event_log_partition(timestamptz, timestamptz) is 'Makes a partition of the visit log.';
revoke all on function eventlive.add_event_log_partition(timestamptz, timestamptz) from public, anon, authenticated, service_role;
