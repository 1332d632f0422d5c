create table eventlive.jobs (
    name text primary key,
    schedule text not null,
    max_age interval not null,
    enabled boolean not null default true,
    last_success_at timestamptz,
    description text not null,
    constraint jobs_name_is_snake_case check (name ~ '^[a-z][a-z0-9_]{2,62}$'),
    constraint jobs_max_age_positive check (max_age > interval '0')
);

comment on table eventlive.jobs is 'What runs by the clock, how often, and when its absence is an alarm.';
comment on column eventlive.jobs.name is 'Name of the job.';
comment on column eventlive.jobs.schedule is 'Cron expression of five fields in UTC, or so many seconds: 10 seconds.';
comment on column eventlive.jobs.max_age is 'Without a success for this long the job is late.';
comment on column eventlive.jobs.enabled is 'Whether it runs, and whether its absence counts.';
comment on column eventlive.jobs.last_success_at is 'End of its last run without an error.';
comment on column eventlive.jobs.description is 'What it does.';

alter table eventlive.jobs enable row level security;
create policy jobs_service on eventlive.jobs for select to service_role using (true);
comment on policy jobs_service on eventlive.jobs is 'service_role reads the jobs.';
revoke all on eventlive.jobs from public, anon, authenticated, service_role;

insert into eventlive.jobs (name, schedule, max_age, description) values
    ('rollup_live', '* * * * *', '5 minutes', 'Counts the audience of each webinar, works out the pace, samples the timeline.'),
    ('close_expired_sessions', '*/5 * * * *', '30 minutes', 'Ends the sessions that expired, with their watch time.'),
    ('purge_presence', '3-59/15 * * * *', '2 hours', 'Deletes presence that expired.'),
    ('purge_sessions', '17 3 * * *', '50 hours', 'Deletes sessions that ended long ago.'),
    ('purge_messages', '27 3 * * *', '50 hours', 'Deletes messages posted long ago.'),
    ('purge_timelines', '37 3 * * *', '50 hours', 'Deletes buckets of the timeline of long ago.'),
    ('purge_job_runs', '47 3 * * *', '50 hours', 'Forgets runs of jobs of long ago, those of pg_cron too.'),
    ('rotate_event_logs', '8-59/15 * * * *', '6 hours', 'Makes partitions of the visit log ahead, drops old ones, empties the default one.');
