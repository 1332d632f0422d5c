create function eventlive.swap_event_log_default()
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
    v_lower timestamptz := coalesce((select max(p.upper_bound) from eventlive.event_log_partitions() p), '-infinity');
    v_last timestamptz;
    v_upper timestamptz;
begin
    -- Another run was here and died: what it put aside comes first.
    if to_regclass('eventlive.event_access_logs_draining') is not null then
        return;
    end if;

    -- Read before the lock is taken: what is written meanwhile is no later than the moment at which it is.
    select max(d.occurred_at) into v_last from eventlive.event_access_logs_default d where d.occurred_at >= v_lower;
    if v_last is null then
        return;
    end if;
    alter table eventlive.event_access_logs detach partition eventlive.event_access_logs_default;
    v_upper := greatest(clock_timestamp(), v_last + interval '1 microsecond');

    alter table eventlive.event_access_logs_default rename to event_access_logs_draining;
    alter index eventlive.event_access_logs_default_pkey rename to event_access_logs_draining_pkey;
    execute format('comment on table eventlive.event_access_logs_draining is %L', tstzrange(v_lower, v_upper));

    create table eventlive.event_access_logs_default partition of eventlive.event_access_logs default;
    comment on table eventlive.event_access_logs_default is 'Events outside every other partition.';
    perform eventlive.close_event_log_table('event_access_logs_default');
    perform eventlive.add_event_log_partition(v_upper, eventlive.event_log_boundary(v_upper));
end
$$;

comment on function eventlive.swap_event_log_default() is
    'Puts an empty default partition in the place of one that caught events, and makes a partition for what comes from now on. The old one is event_access_logs_draining, its comment the time that it stands for.';
revoke all on function eventlive.swap_event_log_default() from public, anon, authenticated, service_role;
