-- In the order in which everybody takes them, and for all of them together no longer than a job may wait: whoever writes
-- waits behind us for as long.

create function eventlive.lock_event_log(_readers_too boolean)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_until timestamptz := clock_timestamp()
        + eventlive.setting_number('job_lock_timeout_s')::double precision * interval '1 second';
    v_left integer;
begin
    -- They go with the end of the transaction, which is not to wait for a disk or a standby. If the server dies and
    -- forgets it, the next run does it again.
    perform set_config('synchronous_commit', 'off', true);
    if _readers_too then
        lock table only eventlive.event_access_logs in access exclusive mode;
    else
        lock table only eventlive.event_access_logs in share row exclusive mode;
    end if;
    v_left := extract(epoch from v_until - clock_timestamp()) * 1000;
    perform set_config('lock_timeout', greatest(v_left, 1)::text, true);
end
$$;

comment on function eventlive.lock_event_log(boolean) is
    'Has nobody write to the visit log, or read it either, until the transaction ends. What else it locks has what is left of job_lock_timeout_s.';
revoke all on function eventlive.lock_event_log(boolean) from public, anon, authenticated, service_role;
