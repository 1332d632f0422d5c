create table eventlive.job_runs (
    job_name text not null references eventlive.jobs (name) on delete cascade,
    run_id bigint generated always as identity,
    started_at timestamptz not null,
    finished_at timestamptz,
    rows_affected bigint not null default 0,
    error text,
    primary key (job_name, run_id),
    constraint job_runs_finish_after_start check (finished_at >= started_at)
);

comment on table eventlive.job_runs is 'One row a run of a job.';
comment on column eventlive.job_runs.job_name is 'The job.';
comment on column eventlive.job_runs.run_id is 'Order of the runs.';
comment on column eventlive.job_runs.started_at is 'When it began.';
comment on column eventlive.job_runs.finished_at is 'When it ended; null while it runs, or for ever if it was killed.';
comment on column eventlive.job_runs.rows_affected is 'Rows it changed.';
comment on column eventlive.job_runs.error is 'Why it failed; null for a success.';

alter table eventlive.job_runs enable row level security;
create policy job_runs_service on eventlive.job_runs for select to service_role using (true);
comment on policy job_runs_service on eventlive.job_runs is 'service_role reads the runs.';
revoke all on eventlive.job_runs from public, anon, authenticated, service_role;
revoke all on sequence eventlive.job_runs_run_id_seq from public, anon, authenticated, service_role;
