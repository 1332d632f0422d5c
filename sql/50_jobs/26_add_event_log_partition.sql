-- Made beside the log and then attached, which lets everybody read and write it meanwhile; making it as a partition at
-- once would shut out all. Attaching looks through the default partition, which holds next to nothing.

create function eventlive.add_event_log_partition(_lower timestamptz, _upper timestamptz)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
    v_name text := eventlive.event_log_partition_name(_lower, _upper);
begin
    execute format('create table eventlive.%I (like eventlive.event_access_logs including defaults '
        'including constraints including indexes including storage)', v_name);
    perform eventlive.close_event_log_table(v_name);
    perform eventlive.attach_event_log_partition(v_name, _lower, _upper);
end
$$;

comment on function eventlive.add_event_log_partition(timestamptz, timestamptz) is 'Makes an empty partition of the visit log.';
revoke all on function eventlive.add_event_log_partition(timestamptz, timestamptz) from public, anon, authenticated, service_role;
