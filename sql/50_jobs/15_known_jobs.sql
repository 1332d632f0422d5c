create function eventlive.known_jobs()
returns table (name text)
language sql
immutable
set search_path = pg_catalog, pg_temp
begin atomic
    values
        ('rollup_live'), ('close_expired_sessions'), ('purge_presence'), ('purge_sessions'), ('purge_messages'),
        ('purge_timelines'), ('purge_job_runs'), ('rotate_event_logs');
end;

comment on function eventlive.known_jobs() is 'The jobs that job_work can do: each is to have its row in eventlive.jobs.';
revoke all on function eventlive.known_jobs() from public, anon, authenticated, service_role;
