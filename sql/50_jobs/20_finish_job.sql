create function eventlive.finish_job(_name text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    -- A clock that was put back must not fail a run.
    update eventlive.job_runs r set finished_at = greatest(v_now, r.started_at) where r.job_name = _name and r.finished_at is null;
    update eventlive.jobs j set last_success_at = v_now where j.name = _name;
end
$$;

comment on function eventlive.finish_job(text) is 'Ends the run of this session as a success. The lock goes after the commit: without it, a run that has no end counts as dead.';
revoke all on function eventlive.finish_job(text) from public, anon, authenticated, service_role;
