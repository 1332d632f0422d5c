-- For runners, after run_job has failed: in SQL nothing can be recorded in a transaction that is lost, and an exception
-- block would hide where an error came from. Where nobody calls this, the next run records that this one died.

create function eventlive.fail_job(_name text, _error text)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if eventlive.job_holder(_name) is distinct from pg_backend_pid() then
        return false;
    end if;
    update eventlive.job_runs r
       set finished_at = greatest(clock_timestamp(), r.started_at), error = left(coalesce(nullif(_error, ''), 'unknown'), 2000)
     where r.job_name = _name and r.finished_at is null;
    perform pg_advisory_unlock(eventlive.job_lock_key(_name));
    return true;
end
$$;

comment on function eventlive.fail_job(text, text) is
    'Ends the run of this session as a failure. Whether there was one.';
revoke all on function eventlive.fail_job(text, text) from public, anon, authenticated, service_role;
