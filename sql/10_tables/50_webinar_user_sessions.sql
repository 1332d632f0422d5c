-- One row for each time somebody watches. Time is the server's, never the client's.

create table eventlive.webinar_user_sessions (
    webinar_id uuid not null references eventlive.webinars (id) on delete cascade,
    session_id uuid not null,
    user_id uuid,
    entered_at timestamptz not null,
    last_heartbeat_at timestamptz not null,
    expires_at timestamptz not null,
    exited_at timestamptz,
    exit_reason text,
    replaced_by uuid,
    watched_seconds numeric(14, 6) not null default 0,
    interval_s real not null,
    leave_token uuid not null default gen_random_uuid(),
    client jsonb not null default '{}',
    primary key (webinar_id, session_id),
    constraint webinar_user_sessions_exit_is_whole check ((exited_at is null) = (exit_reason is null)),
    constraint webinar_user_sessions_exit_reason_known check (
        exit_reason in ('left', 'expired', 'replaced', 'ejected', 'webinar_ended')
    ),
    -- No foreign key: the winner may be purged before the loser.
    constraint webinar_user_sessions_replaced_by_whom check ((replaced_by is not null) = (exit_reason is not distinct from 'replaced')),
    constraint webinar_user_sessions_client_is_object check (jsonb_typeof(client) = 'object'),
    constraint webinar_user_sessions_watched_seconds_positive check (watched_seconds >= 0)
) with (
    fillfactor = 75,
    autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.2
);

create index webinar_user_sessions_open_idx
    on eventlive.webinar_user_sessions (webinar_id, user_id) where exited_at is null;
create index webinar_user_sessions_user_id_idx
    on eventlive.webinar_user_sessions (user_id, entered_at) where user_id is not null;

comment on table eventlive.webinar_user_sessions is 'Who watched from when to when, guests included. Open while exited_at is null and expires_at lies ahead.';
comment on column eventlive.webinar_user_sessions.webinar_id is 'The webinar.';
comment on column eventlive.webinar_user_sessions.session_id is 'Made by the client, one for each tab or device; for a guest it is the only credential.';
comment on column eventlive.webinar_user_sessions.user_id is 'The signed-in user; null for a guest.';
comment on column eventlive.webinar_user_sessions.entered_at is 'When it began.';
comment on column eventlive.webinar_user_sessions.last_heartbeat_at is 'Up to when watch time is credited.';
comment on column eventlive.webinar_user_sessions.expires_at is 'Over after this, whether or not a job has closed it yet.';
comment on column eventlive.webinar_user_sessions.exited_at is 'When it ended; null while open.';
comment on column eventlive.webinar_user_sessions.exit_reason is 'left, expired, replaced, ejected or webinar_ended.';
comment on column eventlive.webinar_user_sessions.replaced_by is 'The session of the same user that took over.';
comment on column eventlive.webinar_user_sessions.watched_seconds is 'Credited watch time, to the microsecond.';
comment on column eventlive.webinar_user_sessions.interval_s is 'The heartbeat interval last issued: what throttle, expiry and credit go by.';
comment on column eventlive.webinar_user_sessions.leave_token is 'Known to the entrant alone; lets sendBeacon, which is anonymous, end this session and do nothing else.';
comment on column eventlive.webinar_user_sessions.client is 'What the client says of itself: user agent, referrer, campaign.';
comment on index eventlive.webinar_user_sessions_open_idx is
    'Open sessions of a user (duplicate logins) and of a webinar (counts, closing). A heartbeat changes neither its columns nor its predicate.';
comment on index eventlive.webinar_user_sessions_user_id_idx is 'A user reads the own sessions without reading the table.';

alter table eventlive.webinar_user_sessions enable row level security;
create policy webinar_user_sessions_own on eventlive.webinar_user_sessions for select to authenticated
    using (user_id = (select eventlive.current_user_id()));
comment on policy webinar_user_sessions_own on eventlive.webinar_user_sessions is 'A user reads the own sessions.';
create policy webinar_user_sessions_staff on eventlive.webinar_user_sessions for select to authenticated, service_role
    using (webinar_id = any ((select eventlive.staffed_webinar_ids())::uuid[]));
comment on policy webinar_user_sessions_staff on eventlive.webinar_user_sessions is
    'Hosts, moderators, administrators and service_role read those of their webinars.';
revoke all on eventlive.webinar_user_sessions from public, anon, authenticated, service_role;
-- Never leave_token, and not client, which is the viewer's own affair.
grant select (
    webinar_id, session_id, user_id, entered_at, last_heartbeat_at, expires_at, exited_at, exit_reason, replaced_by,
    watched_seconds
) on eventlive.webinar_user_sessions to authenticated, service_role;
