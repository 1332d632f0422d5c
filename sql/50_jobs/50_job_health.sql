create function eventlive.job_health()
returns table (
    name text, state text, detail text, schedule text, max_age interval, last_success_at timestamptz,
    running_since timestamptz, last_error text
)
language sql
stable
set search_path = pg_catalog, pg_temp
begin atomic
    select h.name, case h.state when 'ahead' then 'late' else h.state end,
           case h.state
               when 'ok' then 'succeeded ' || h.age || ' ago'
               when 'running' then 'runs for the first time'
               when 'disabled' then 'switched off in eventlive.jobs'
               when 'never_ran' then 'has never run; does a runner run?'
               when 'missing' then 'is not in eventlive.jobs; put its row back, and switch it off there if it is not to run'
               when 'ahead' then 'its last success lies in the future: a clock was wrong; it counts as late until it succeeds again'
               when 'late' then coalesce('no success for ' || h.age, 'no success yet') || '; allowed are ' || h.max_age
               when 'failing' then h.last_error
           end,
           h.schedule, h.max_age, h.last_success_at, h.running_since, h.last_error
      from (
            select coalesce(j.name, k.name) as name, j.schedule, j.max_age, j.last_success_at, running.started_at as running_since,
                   justify_interval(date_trunc('second', clock_timestamp() - j.last_success_at)) as age,
                   ended.error as last_error,
                   case
                       when j.name is null then 'missing'
                       when not j.enabled then 'disabled'
                       when ended.error is not null then 'failing'
                       when j.last_success_at is null and ended.run_id is null and running.run_id is null then 'never_ran'
                       when j.last_success_at > clock_timestamp() + interval '1 minute' then 'ahead'
                       when clock_timestamp() - coalesce(j.last_success_at, running.started_at) > j.max_age then 'late'
                       when j.last_success_at is null then 'running'
                       else 'ok'
                   end as state
              from eventlive.known_jobs() k
              full join eventlive.jobs j on j.name = k.name
              left join lateral (
                    select r.run_id, r.started_at
                      from eventlive.job_runs r
                     where r.job_name = j.name
                       and r.finished_at is null
                       -- Locks are not replicated: a standby cannot tell whether a run has died.
                       and (eventlive.job_holder(j.name) is not null or pg_is_in_recovery())
                     order by r.run_id desc
                     limit 1
                   ) running on true
              left join lateral (
                    select r.run_id,
                           case when r.finished_at is null then 'ended without a word: it failed, was cancelled or killed'
                               else r.error end as error
                      from eventlive.job_runs r
                     where r.job_name = j.name
                       and r.run_id is distinct from running.run_id
                       -- One that was ended with its runner counts as if it had not begun.
                       and r.error is distinct from 'stopped with its runner'
                     order by r.run_id desc
                     limit 1
                   ) ended on true
           ) h
     order by h.name;
end;

comment on function eventlive.job_health() is
    'How each job does. ok; running: for the first time; disabled; failing: its last run did not end well, also where it was killed; late: no success within max_age, or by a clock that was ahead; never_ran; missing: its row in eventlive.jobs is gone.';
revoke all on function eventlive.job_health() from public, anon, authenticated, service_role;
