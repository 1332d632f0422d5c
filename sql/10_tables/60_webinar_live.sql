-- What all viewers of a webinar share, worked out once instead of at every heartbeat: the size of the audience, the
-- pace that follows from it, and the settings in force. A heartbeat reads this one row and neither settings nor webinar.

create table eventlive.webinar_live (
    webinar_id uuid primary key references eventlive.webinars (id) on delete cascade,
    participants integer not null default 0,
    guests integer not null default 0,
    registered integer not null default 0,
    peak_participants integer not null default 0,
    peak_at timestamptz,
    as_of timestamptz not null,
    closed_at timestamptz,
    presence_ping_interval_s real not null,
    session_heartbeat_interval_s real not null,
    fallback_poll_interval_s real not null,
    throttle_factor real not null,
    expiry_factor real not null,
    watch_credit_factor real not null,
    pacing_jitter real not null,
    settings jsonb not null,
    client_settings jsonb not null,
    settings_version text not null,
    total_attendees integer not null default 0,
    sample_count bigint not null default 0,
    sum_participants bigint not null default 0,
    sum_guests bigint not null default 0,
    load_high boolean not null default false
) with (fillfactor = 50);

comment on table eventlive.webinar_live is 'Audience, pace and settings in force of each webinar. Written by refresh_webinar_live and rollup_live.';
comment on column eventlive.webinar_live.webinar_id is 'The webinar.';
comment on column eventlive.webinar_live.participants is 'Registered users present at as_of.';
comment on column eventlive.webinar_live.guests is 'Guests watching at as_of.';
comment on column eventlive.webinar_live.registered is 'Registrations at as_of.';
comment on column eventlive.webinar_live.peak_participants is 'Most participants and guests together at any as_of.';
comment on column eventlive.webinar_live.peak_at is 'When that was.';
comment on column eventlive.webinar_live.as_of is 'When the audience was counted.';
comment on column eventlive.webinar_live.closed_at is 'When the webinar ended; from then on no heartbeat renews a session.';
comment on column eventlive.webinar_live.presence_ping_interval_s is 'Paced: what clients are told now.';
comment on column eventlive.webinar_live.session_heartbeat_interval_s is 'Paced: what clients are told now, before jitter.';
comment on column eventlive.webinar_live.fallback_poll_interval_s is 'Paced: what clients are told now.';
comment on column eventlive.webinar_live.throttle_factor is 'Setting in force.';
comment on column eventlive.webinar_live.expiry_factor is 'Setting in force.';
comment on column eventlive.webinar_live.watch_credit_factor is 'Setting in force.';
comment on column eventlive.webinar_live.pacing_jitter is 'Setting in force.';
comment on column eventlive.webinar_live.settings is 'All settings in force that a webinar may override, overrides applied.';
comment on column eventlive.webinar_live.client_settings is 'What clients are sent: the visible settings, intervals paced.';
comment on column eventlive.webinar_live.settings_version is 'Changes when client_settings does; for comparing, nothing else.';
comment on column eventlive.webinar_live.total_attendees is 'Different users, and guest sessions, that have watched; it never falls.';
comment on column eventlive.webinar_live.sample_count is 'Samples that went into the timeline.';
comment on column eventlive.webinar_live.sum_participants is 'Sum over them; with sample_count the average.';
comment on column eventlive.webinar_live.sum_guests is 'Sum over them; with sample_count the average.';
comment on column eventlive.webinar_live.load_high is 'Whether, at as_of, the audience was paced or connections were scarce.';

alter table eventlive.webinar_live enable row level security;
create policy webinar_live_staff on eventlive.webinar_live for select to authenticated, service_role
    using (webinar_id = any ((select eventlive.staffed_webinar_ids())::uuid[]));
comment on policy webinar_live_staff on eventlive.webinar_live is 'Hosts, moderators, administrators and service_role read the audience of their webinars.';
revoke all on eventlive.webinar_live from public, anon, authenticated, service_role;
