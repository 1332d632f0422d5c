create function eventlive.old_job_runs()
returns table (job_name text, run_id bigint)
language sql
stable
set search_path = pg_catalog, pg_temp
begin atomic
    select r.job_name, r.run_id
      from eventlive.job_runs r
      join (
            select k.job_name, max(k.run_id) as last,
                   max(k.run_id) filter (where k.finished_at is not null and k.error is null) as good
              from eventlive.job_runs k
             group by k.job_name
           ) kept on kept.job_name = r.job_name
     where r.started_at < (
            select clock_timestamp()
                - eventlive.setting_number('job_run_retention_days')::double precision * interval '1 day'
           )
       and r.run_id <> kept.last
       and r.run_id is distinct from kept.good;
end;

comment on function eventlive.old_job_runs() is
    'Runs that began more than job_run_retention_days ago, but for the last and the last good one of each job.';
revoke all on function eventlive.old_job_runs() from public, anon, authenticated, service_role;
