create function eventlive.begin_job(_name text, out outcome text, out run_id bigint)
returns record
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_read_committed boolean := eventlive.require_read_committed();
    v_enabled boolean;
begin
    select j.enabled into v_enabled from eventlive.jobs j where j.name = _name;
    if not found then
        raise exception using
            errcode = 'undefined_object',
            message = format('there is no job %s', quote_nullable(left(_name, 100))),
            detail = 'unknown_job',
            hint = 'eventlive.jobs lists them.';
    elsif not v_enabled then
        outcome := 'disabled';
        return;
    end if;

    -- Of this session alone where an earlier run failed in it: then the lock is still here, and taken only once.
    if eventlive.job_holder(_name) is distinct from pg_backend_pid() and not pg_try_advisory_lock(eventlive.job_lock_key(_name)) then
        outcome := 'running';
        return;
    end if;

    -- Whose lock this is now, nobody is running: what has no end has died.
    update eventlive.job_runs r
       set finished_at = greatest(clock_timestamp(), r.started_at),
           error = 'ended without a word: it failed, was cancelled or killed; the server''s log says more'
     where r.job_name = _name and r.finished_at is null;

    insert into eventlive.job_runs as r (job_name, started_at)
    values (_name, clock_timestamp())
    returning r.run_id into run_id;
    outcome := 'begun';
end
$$;

comment on function eventlive.begin_job(text) is
    'Begins a run, unless the job is disabled or running: outcome is begun, disabled or running. Takes the lock of the job for the session.';
revoke all on function eventlive.begin_job(text) from public, anon, authenticated, service_role;
