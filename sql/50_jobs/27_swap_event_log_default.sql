create function eventlive.swap_event_log_default()
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
    v_old regclass := eventlive.event_log_default();
    v_new text := eventlive.event_log_free_name('eventlive', 'event_access_logs_incoming', '');
    v_next text := eventlive.event_log_free_name('eventlive', 'event_access_logs_next', '');
    v_aside text := eventlive.event_log_free_name('eventlive', 'event_access_logs_draining', '');
    v_lower timestamptz;
    v_end timestamptz;
    v_upper timestamptz;
    v_name text;
begin
    -- Another run was here and died: what it put aside comes first.
    if v_old is null or (select d.relation from eventlive.event_log_draining() d) is not null then
        return;
    end if;
    -- Read before the log is locked.
    select c.lower_bound, c.upper_bound into v_lower, v_end from eventlive.event_log_caught() c;
    if v_lower is null then
        return;
    end if;

    -- What takes time is done before anybody has to wait.
    perform eventlive.make_event_log_table(v_new);
    perform eventlive.make_event_log_table(v_next);

    perform eventlive.lock_event_log(true);
    v_upper := least(clock_timestamp(), v_end);
    execute format('alter table eventlive.event_access_logs detach partition %s', v_old);
    perform eventlive.rename_event_log_table(v_old, v_aside);
    execute format('comment on table %s is %L', v_old, tstzrange(v_lower, v_upper));
    v_name := eventlive.event_log_free_name('eventlive', 'event_access_logs_default', '');
    perform eventlive.rename_event_log_table(format('eventlive.%I', v_new)::regclass, v_name);
    perform eventlive.attach_event_log_partition(v_name, null, null);
    if v_upper < v_end then
        v_lower := v_upper;
        v_upper := least(eventlive.event_log_boundary(v_lower), v_end);
        v_name := eventlive.event_log_partition_name(v_lower, v_upper);
        perform eventlive.rename_event_log_table(format('eventlive.%I', v_next)::regclass, v_name);
        perform eventlive.attach_event_log_partition(v_name, v_lower, v_upper);
    else
        execute format('drop table eventlive.%I', v_next);
    end if;
end
$$;

comment on function eventlive.swap_event_log_default() is
    'Puts an empty default partition in the place of one that caught events, and makes a partition for what comes from now on. The old one is event_access_logs_draining, its comment the time that it stands for.';
revoke all on function eventlive.swap_event_log_default() from public, anon, authenticated, service_role;
