create table eventlive.webinar_access_logs (
    webinar_id uuid not null references eventlive.webinars (id) on delete cascade,
    time_bucket timestamptz not null,
    bucket_s integer not null default 300,
    sample_count integer not null default 0,
    sum_participants bigint not null default 0,
    min_participants integer not null default 0,
    max_participants integer not null default 0,
    last_participants integer not null default 0,
    sum_guests bigint not null default 0,
    min_guests integer not null default 0,
    max_guests integer not null default 0,
    last_guests integer not null default 0,
    updated_at timestamptz not null default now(),
    primary key (webinar_id, time_bucket),
    constraint webinar_access_logs_bucket_known check (bucket_s in (60, 300, 900)),
    constraint webinar_access_logs_counts_positive check (
        sample_count >= 0
        and min_participants >= 0
        and min_participants <= last_participants
        and last_participants <= max_participants
        and min_guests >= 0
        and min_guests <= last_guests
        and last_guests <= max_guests
    )
) with (fillfactor = 75);

comment on table eventlive.webinar_access_logs is 'The concurrency timeline: how many watched, in buckets of time.';
comment on column eventlive.webinar_access_logs.webinar_id is 'The webinar.';
comment on column eventlive.webinar_access_logs.time_bucket is 'Start of the bucket.';
comment on column eventlive.webinar_access_logs.bucket_s is 'Its length in seconds: 60, 300 or 900.';
comment on column eventlive.webinar_access_logs.sample_count is 'Samples taken in it.';
comment on column eventlive.webinar_access_logs.sum_participants is 'Sum over the samples; with sample_count the average.';
comment on column eventlive.webinar_access_logs.min_participants is 'Smallest sample.';
comment on column eventlive.webinar_access_logs.max_participants is 'Largest sample.';
comment on column eventlive.webinar_access_logs.last_participants is 'Last sample.';
comment on column eventlive.webinar_access_logs.sum_guests is 'Sum over the samples.';
comment on column eventlive.webinar_access_logs.min_guests is 'Smallest sample.';
comment on column eventlive.webinar_access_logs.max_guests is 'Largest sample.';
comment on column eventlive.webinar_access_logs.last_guests is 'Last sample.';
comment on column eventlive.webinar_access_logs.updated_at is 'When the last sample was added.';

alter table eventlive.webinar_access_logs enable row level security;
create policy webinar_access_logs_staff on eventlive.webinar_access_logs for select to authenticated, service_role
    using (webinar_id = any ((select eventlive.staffed_webinar_ids())::uuid[]));
comment on policy webinar_access_logs_staff on eventlive.webinar_access_logs is
    'Hosts, moderators, administrators and service_role read the timeline of their webinars.';
revoke all on eventlive.webinar_access_logs from public, anon, authenticated, service_role;
