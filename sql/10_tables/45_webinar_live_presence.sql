-- The hottest table: every ping and heartbeat updates one row of it by key.
--
-- No index on a column that a heartbeat changes, ever: one on last_seen_at ends HOT updates, doubles the WAL and
-- halves the rate. And none beside the key: a user finds the own presence by way of registrations, and a second index
-- on user_id would compete with the key for the plan of a ping. The row carries what the next ping needs, so that a
-- ping reads nothing else.

create table eventlive.webinar_live_presence (
    webinar_id uuid not null,
    user_id uuid not null,
    joined_at timestamptz not null,
    last_seen_at timestamptz not null,
    expires_at timestamptz not null,
    throttle_s real not null,
    ttl_s real not null,
    primary key (webinar_id, user_id),
    constraint webinar_live_presence_registered
        foreign key (webinar_id, user_id) references eventlive.registrations (webinar_id, user_id) on delete cascade
) with (
    fillfactor = 75,
    autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.2
);

comment on table eventlive.webinar_live_presence is
    'Which registered users are present. A row exists only for a registered user, so a ping need not look that up.';
comment on column eventlive.webinar_live_presence.webinar_id is 'The webinar.';
comment on column eventlive.webinar_live_presence.user_id is 'The registered user.';
comment on column eventlive.webinar_live_presence.joined_at is 'Since when present without a break.';
comment on column eventlive.webinar_live_presence.last_seen_at is 'The last ping or heartbeat that was not throttled.';
comment on column eventlive.webinar_live_presence.expires_at is 'Present until then; after it the row counts for nothing.';
comment on column eventlive.webinar_live_presence.throttle_s is 'Seconds after last_seen_at in which a ping writes nothing.';
comment on column eventlive.webinar_live_presence.ttl_s is 'Seconds by which a ping moves expires_at beyond now.';

alter table eventlive.webinar_live_presence enable row level security;
create policy webinar_live_presence_own on eventlive.webinar_live_presence for select to authenticated
    using (user_id = (select eventlive.current_user_id()));
comment on policy webinar_live_presence_own on eventlive.webinar_live_presence is 'A user reads the own presence.';
create policy webinar_live_presence_staff on eventlive.webinar_live_presence for select to authenticated, service_role
    using (webinar_id = any ((select eventlive.staffed_webinar_ids())::uuid[]));
comment on policy webinar_live_presence_staff on eventlive.webinar_live_presence is
    'Hosts, moderators, administrators and service_role read that of their webinars.';
revoke all on eventlive.webinar_live_presence from public, anon, authenticated, service_role;
grant select (webinar_id, user_id, joined_at, last_seen_at, expires_at)
    on eventlive.webinar_live_presence to authenticated, service_role;
