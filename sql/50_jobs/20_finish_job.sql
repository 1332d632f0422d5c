create function eventlive.finish_job(_name text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    update eventlive.job_runs r set finished_at = v_now where r.job_name = _name and r.finished_at is null;
    update eventlive.jobs j set last_success_at = v_now where j.name = _name;
    perform pg_advisory_unlock(eventlive.job_lock_key(_name));
end
$$;

comment on function eventlive.finish_job(text) is 'Ends the run of this session as a success.';
revoke all on function eventlive.finish_job(text) from public, anon, authenticated, service_role;
