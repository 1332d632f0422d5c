create function eventlive.swap_event_log_default()
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
    v_lower timestamptz;
    v_end timestamptz;
    v_upper timestamptz;
    v_name text;
begin
    -- Another run was here and died: what it put aside comes first.
    if to_regclass('eventlive.event_access_logs_draining') is not null then
        return;
    end if;
    -- Read before the log is locked.
    select c.lower_bound, c.upper_bound into v_lower, v_end from eventlive.event_log_caught() c;
    if v_lower is null then
        return;
    end if;

    -- What takes time is done before anybody has to wait.
    perform eventlive.make_event_log_table('event_access_logs_incoming');
    perform eventlive.make_event_log_table('event_access_logs_next');
    comment on table eventlive.event_access_logs_incoming is 'Events outside every other partition.';

    perform eventlive.lock_event_log(true);
    v_upper := least(clock_timestamp(), v_end);
    alter table eventlive.event_access_logs detach partition eventlive.event_access_logs_default;
    perform eventlive.rename_event_log_table('event_access_logs_default', 'event_access_logs_draining');
    execute format('comment on table eventlive.event_access_logs_draining is %L', tstzrange(v_lower, v_upper));
    perform eventlive.rename_event_log_table('event_access_logs_incoming', 'event_access_logs_default');
    alter table eventlive.event_access_logs attach partition eventlive.event_access_logs_default default;
    if v_upper < v_end then
        v_lower := v_upper;
        v_upper := least(eventlive.event_log_boundary(v_lower), v_end);
        v_name := eventlive.event_log_partition_name(v_lower, v_upper);
        perform eventlive.rename_event_log_table('event_access_logs_next', v_name);
        perform eventlive.attach_event_log_partition(v_name, v_lower, v_upper);
    else
        drop table eventlive.event_access_logs_next;
    end if;
end
$$;

comment on function eventlive.swap_event_log_default() is
    'Puts an empty default partition in the place of one that caught events, and makes a partition for what comes from now on. The old one is event_access_logs_draining, its comment the time that it stands for.';
revoke all on function eventlive.swap_event_log_default() from public, anon, authenticated, service_role;
