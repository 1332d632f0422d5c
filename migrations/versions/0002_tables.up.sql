-- Released: never change this file. A change of the schema is a new migration.

set local lock_timeout = '5s';
set local search_path = pg_catalog, pg_temp;

set local role eventlive_owner;

-- sql/10_tables/10_settings.sql

-- Every interval, limit and threshold, with its default and bounds. A webinar may override those marked so.

create table eventlive.settings (
    key text primary key,
    value jsonb not null,
    value_type text not null,
    default_value jsonb not null,
    min_value numeric,
    max_value numeric,
    unit text,
    per_webinar boolean not null default true,
    client_visible boolean not null default false,
    description text not null,
    constraint settings_key_is_snake_case check (key ~ '^[a-z][a-z0-9_]{2,62}$'),
    constraint settings_value_type_known check (value_type in ('integer', 'number', 'boolean')),
    constraint settings_value_within_bounds check (
        case value_type
            when 'boolean' then jsonb_typeof(value) = 'boolean'
            else
                -- Six decimals at most: what a real can hold, and more than anybody needs.
                case when jsonb_typeof(value) = 'number'
                    then value::numeric = round(value::numeric, case value_type when 'integer' then 0 else 6 end)
                        and value::numeric >= min_value
                        and value::numeric <= max_value
                    else false
                end
        end
    ),
    constraint settings_numbers_have_bounds check (value_type = 'boolean' or coalesce(min_value <= max_value, false))
);

comment on table eventlive.settings is 'Intervals, limits and thresholds. Change with eventlive.set_setting(key, value).';
comment on column eventlive.settings.key is 'Name, and the key of a webinar''s override.';
comment on column eventlive.settings.value is 'The value in force for webinars without an override.';
comment on column eventlive.settings.value_type is 'integer, number or boolean.';
comment on column eventlive.settings.default_value is 'What the package ships.';
comment on column eventlive.settings.min_value is 'Smallest value allowed, for numbers.';
comment on column eventlive.settings.max_value is 'Largest value allowed, for numbers.';
comment on column eventlive.settings.unit is 's for seconds, 1/s for a rate, bytes, rows; null for a bare number.';
comment on column eventlive.settings.per_webinar is 'Whether webinars.settings may override it.';
comment on column eventlive.settings.client_visible is 'Whether webinar_client_settings sends it.';
comment on column eventlive.settings.description is 'What it does.';

alter table eventlive.settings enable row level security;
create policy settings_service on eventlive.settings for select to service_role using (true);
comment on policy settings_service on eventlive.settings is 'service_role reads every setting.';
revoke all on eventlive.settings from public, anon, authenticated, service_role;

insert into eventlive.settings
    (key, value, default_value, value_type, min_value, max_value, unit, per_webinar, client_visible, description)
select key, value, value, value_type, min_value, max_value, unit, per_webinar, client_visible, description
  from (values
    ('presence_ping_interval_s', '120'::jsonb, 'number', 1, 3600, 's', true, true,
        'Time between two presence pings of a client, before pacing.'),
    ('presence_ping_max_interval_s', '600', 'number', 1, 7200, 's', true, false,
        'Pacing never asks for a longer time between two pings.'),
    ('presence_target_rps', '500', 'number', 0.1, 100000, '1/s', true, false,
        'Pings a second that one webinar may cost; a larger audience gets a longer interval.'),
    ('session_heartbeat_interval_s', '300', 'number', 1, 3600, 's', true, true,
        'Time between two session heartbeats of a client, before pacing.'),
    ('session_heartbeat_max_interval_s', '1800', 'number', 1, 7200, 's', true, false,
        'Pacing never asks for a longer time between two heartbeats.'),
    ('heartbeat_target_rps', '500', 'number', 0.1, 100000, '1/s', true, false,
        'Heartbeats a second that one webinar may cost; a larger audience gets a longer interval.'),
    ('throttle_factor', '0.5', 'number', 0, 0.9, null, true, false,
        'A ping or heartbeat earlier than this part of the issued interval writes nothing.'),
    ('expiry_factor', '2.5', 'number', 1.5, 10, null, true, false,
        'Presence and sessions expire this many issued intervals after the last sign of life.'),
    ('watch_credit_factor', '1.5', 'number', 1, 10, null, true, false,
        'A heartbeat credits at most this many issued intervals of watch time.'),
    ('pacing_jitter', '0.1', 'number', 0, 0.5, null, true, false,
        'Issued heartbeat intervals vary by this part up and down, so that clients do not beat in step.'),
    ('fallback_enabled', 'true', 'boolean', null, null, null, true, true,
        'Whether clients may poll for messages while Realtime is away.'),
    ('fallback_poll_interval_s', '10', 'number', 1, 3600, 's', true, true,
        'Time between two fallback polls of a client, before pacing.'),
    ('fallback_poll_max_interval_s', '300', 'number', 1, 7200, 's', true, false,
        'Pacing never asks for a longer time between two fallback polls.'),
    ('fallback_target_rps', '100', 'number', 0.1, 100000, '1/s', true, false,
        'Fallback polls a second that one webinar may cost.'),
    ('admin_poll_interval_s', '10', 'number', 1, 3600, 's', true, true,
        'Time between two polls of an admin dashboard.'),
    ('admin_poll_degraded_interval_s', '30', 'number', 1, 3600, 's', true, true,
        'The same while statistics are late or the load is high.'),
    ('max_open_sessions_per_user', '20', 'integer', 1, 1000, 'rows', true, false,
        'Under the duplicate-login policy allow: sessions one user may have open in one webinar.'),
    ('client_info_max_bytes', '4096', 'integer', 256, 65536, 'bytes', true, false,
        'Largest _client object that webinar_enter stores.'),
    ('close_batch_size', '1000', 'integer', 1, 10000, 'rows', true, false,
        'Sessions and presence rows that one call of webinar_set_status closes when a webinar ends.'),
    ('ping_batch_max', '1000', 'integer', 1, 10000, 'rows', true, false,
        'Users in one call of webinar_presence_ping_many.'),
    ('email_verified_claim_required', 'true', 'boolean', null, null, null, true, false,
        'Whether the email claim counts only beside email_verified true; switch off only where tokens are never issued before the address is confirmed.'),
    ('anyone_may_create', 'false', 'boolean', null, null, null, false, false,
        'Whether every signed-in user may create a webinar, and so become its host.')
  ) as s (key, value, value_type, min_value, max_value, unit, per_webinar, client_visible, description);

-- sql/10_tables/20_profiles.sql

create table eventlive.profiles (
    user_id uuid primary key,
    display_name text,
    is_admin boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint profiles_display_name_length check (char_length(display_name) between 1 and 200)
);

comment on table eventlive.profiles is 'What the application knows of a user beyond the token. A user needs no row here.';
comment on column eventlive.profiles.user_id is 'The sub of the user''s tokens.';
comment on column eventlive.profiles.display_name is 'Shown to others.';
comment on column eventlive.profiles.is_admin is 'Administers every webinar.';
comment on column eventlive.profiles.created_at is 'When the row was made.';
comment on column eventlive.profiles.updated_at is 'When the row was last changed.';

alter table eventlive.profiles enable row level security;
create policy profiles_own on eventlive.profiles for select to authenticated
    using (user_id = (select eventlive.current_user_id()));
comment on policy profiles_own on eventlive.profiles is 'A user reads the own profile.';
create policy profiles_service on eventlive.profiles to service_role using (true) with check (true);
comment on policy profiles_service on eventlive.profiles is 'service_role reads and writes profiles.';
revoke all on eventlive.profiles from public, anon, authenticated, service_role;
grant select on eventlive.profiles to authenticated, service_role;
grant insert, update (display_name, is_admin, updated_at), delete on eventlive.profiles to service_role;

-- sql/10_tables/30_webinars.sql

create table eventlive.webinars (
    id uuid primary key default gen_random_uuid(),
    slug text not null,
    title text,
    status text not null default 'draft',
    access_policy text not null default 'auth',
    entry_policy text not null default 'auto_register',
    duplicate_login_policy text not null default 'ask',
    starts_at timestamptz,
    ends_at timestamptz,
    settings jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint webinars_slug_key unique (slug),
    constraint webinars_slug_form check (slug ~ '^[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?$'),
    constraint webinars_title_length check (
        char_length(title) >= 1 and char_length(title) <= 300 and title !~ '[[:cntrl:]]'
    ),
    constraint webinars_status_known check (status in ('draft', 'scheduled', 'live', 'ended')),
    constraint webinars_access_policy_known check (
        access_policy in ('auth', 'guest_allowed', 'invite_only', 'email_auth')
    ),
    constraint webinars_entry_policy_known check (entry_policy in ('auto_register', 'registered_only')),
    constraint webinars_duplicate_login_policy_known check (
        duplicate_login_policy in ('allow', 'ask', 'replace_oldest', 'reject')
    ),
    constraint webinars_ends_after_start check (ends_at > starts_at),
    constraint webinars_settings_is_object check (jsonb_typeof(settings) = 'object')
);

comment on table eventlive.webinars is 'One row a webinar: who may come in, what happens on a second login, and its own settings.';
comment on column eventlive.webinars.id is 'Key, and the distribution key of all tables of a webinar.';
comment on column eventlive.webinars.slug is 'Name in addresses: lower-case letters, digits and hyphens, 100 at most.';
comment on column eventlive.webinars.title is 'For people.';
comment on column eventlive.webinars.status is 'draft (hosts, moderators, speakers), scheduled (lobby is open), live, ended.';
comment on column eventlive.webinars.access_policy is
    'auth: signed-in users. guest_allowed: everybody. invite_only: the registered, and verified e-mails on the list. email_auth: a verified e-mail on the list, at every entry.';
comment on column eventlive.webinars.entry_policy is
    'auto_register: entering registers. registered_only: only the registered may enter; guests may not.';
comment on column eventlive.webinars.duplicate_login_policy is
    'On a second login. allow: both stay. ask: the caller is told and may take over. replace_oldest: the new one wins. reject: the old one wins.';
comment on column eventlive.webinars.starts_at is 'Planned start.';
comment on column eventlive.webinars.ends_at is 'Planned end.';
comment on column eventlive.webinars.settings is 'Overrides of eventlive.settings, by key.';
comment on column eventlive.webinars.created_at is 'When the row was made.';
comment on column eventlive.webinars.updated_at is 'When the row was last changed.';

alter table eventlive.webinars enable row level security;
create policy webinars_open_to_all on eventlive.webinars for select to anon, authenticated
    using (status <> 'draft' and access_policy = 'guest_allowed');
comment on policy webinars_open_to_all on eventlive.webinars is 'Webinars that guests may enter are public.';
create policy webinars_open_to_users on eventlive.webinars for select to authenticated
    using (status <> 'draft' and access_policy = 'auth');
comment on policy webinars_open_to_users on eventlive.webinars is 'Signed-in users see the webinars open to them.';
create policy webinars_joined on eventlive.webinars for select to authenticated
    using (id = any ((select eventlive.joined_webinar_ids())::uuid[]));
comment on policy webinars_joined on eventlive.webinars is 'The registered and the invited see the webinar, whatever its access policy; a draft only those who are more than attendees.';
create policy webinars_staff on eventlive.webinars for select to authenticated, service_role
    using (id = any ((select eventlive.staffed_webinar_ids())::uuid[]));
comment on policy webinars_staff on eventlive.webinars is 'Hosts, moderators, administrators and service_role see theirs, drafts included.';
revoke all on eventlive.webinars from public, anon, authenticated, service_role;
grant select (id, slug, title, status, access_policy, entry_policy, duplicate_login_policy, starts_at, ends_at, created_at)
    on eventlive.webinars to anon, authenticated;
grant select on eventlive.webinars to service_role;

-- sql/10_tables/35_webinar_allowed_emails.sql

create table eventlive.webinar_allowed_emails (
    webinar_id uuid not null references eventlive.webinars (id) on delete cascade,
    email text not null,
    created_at timestamptz not null default now(),
    primary key (webinar_id, email),
    constraint webinar_allowed_emails_email_form check (
        email = lower(email collate "C")
        and char_length(email) >= 3
        and char_length(email) <= 320
        and email collate "C" ~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+$'
    )
);

create index webinar_allowed_emails_email_idx on eventlive.webinar_allowed_emails (email);

comment on table eventlive.webinar_allowed_emails is 'Who may come in under invite_only and email_auth.';
comment on column eventlive.webinar_allowed_emails.webinar_id is 'The webinar.';
comment on column eventlive.webinar_allowed_emails.email is 'Address, its ASCII letters in lower case, whatever the locale of the database.';
comment on column eventlive.webinar_allowed_emails.created_at is 'When it was put on the list.';
comment on index eventlive.webinar_allowed_emails_email_idx is
    'A user sees the webinars that invite the own address; without it every look at the list of webinars would read all invitations.';

alter table eventlive.webinar_allowed_emails enable row level security;
create policy webinar_allowed_emails_staff on eventlive.webinar_allowed_emails for select to authenticated, service_role
    using (webinar_id = any ((select eventlive.staffed_webinar_ids())::uuid[]));
comment on policy webinar_allowed_emails_staff on eventlive.webinar_allowed_emails is
    'Hosts, moderators, administrators and service_role read the list; nobody else does, the listed included.';
revoke all on eventlive.webinar_allowed_emails from public, anon, authenticated, service_role;
grant select on eventlive.webinar_allowed_emails to authenticated, service_role;

-- sql/10_tables/40_registrations.sql

create table eventlive.registrations (
    webinar_id uuid not null references eventlive.webinars (id) on delete cascade,
    user_id uuid not null,
    role text not null default 'attendee',
    registered_via text not null default 'manual',
    nickname text,
    registered_at timestamptz not null default now(),
    ejected_at timestamptz,
    primary key (webinar_id, user_id),
    constraint registrations_role_known check (role in ('attendee', 'speaker', 'moderator', 'host')),
    constraint registrations_registered_via_known check (registered_via in ('manual', 'email', 'invite', 'auto')),
    constraint registrations_nickname_length check (char_length(nickname) between 1 and 100)
);

create index registrations_user_id_idx on eventlive.registrations (user_id, webinar_id);

comment on table eventlive.registrations is
    'Who is registered for a webinar, and as what. Written by register, enter and grant_role alone. There is no id column.';
comment on column eventlive.registrations.webinar_id is 'The webinar.';
comment on column eventlive.registrations.user_id is 'The sub of the user''s tokens.';
comment on column eventlive.registrations.role is 'attendee, speaker, moderator or host.';
comment on column eventlive.registrations.registered_via is
    'manual, email or invite: as the client said, invite also when staff did it; auto: by entering.';
comment on column eventlive.registrations.nickname is 'Shown instead of the display name in this webinar.';
comment on column eventlive.registrations.registered_at is 'When.';
comment on column eventlive.registrations.ejected_at is 'When staff threw the user out; null while welcome.';
comment on index eventlive.registrations_user_id_idx is
    'A user''s own registrations, and the webinars of which the caller is staff, found without reading the table.';

alter table eventlive.registrations enable row level security;
create policy registrations_own on eventlive.registrations for select to authenticated
    using (user_id = (select eventlive.current_user_id()));
comment on policy registrations_own on eventlive.registrations is 'A user reads the own registrations.';
create policy registrations_staff on eventlive.registrations for select to authenticated, service_role
    using (webinar_id = any ((select eventlive.staffed_webinar_ids())::uuid[]));
comment on policy registrations_staff on eventlive.registrations is 'Hosts, moderators, administrators and service_role read those of their webinars.';
revoke all on eventlive.registrations from public, anon, authenticated, service_role;
grant select on eventlive.registrations to authenticated, service_role;

-- sql/10_tables/45_webinar_live_presence.sql

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

-- sql/10_tables/50_webinar_user_sessions.sql

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

-- sql/10_tables/55_event_access_logs.sql

create table eventlive.event_access_logs (
    webinar_id uuid not null,
    occurred_at timestamptz not null,
    event_id bigint generated always as identity,
    event text not null,
    user_id uuid,
    session_id uuid,
    detail jsonb not null default '{}',
    primary key (webinar_id, occurred_at, event_id),
    constraint event_access_logs_event_known check (
        event in ('registered', 'entered', 'left', 'expired', 'replaced', 'ejected', 'webinar_ended')
    ),
    constraint event_access_logs_detail_is_object check (jsonb_typeof(detail) = 'object')
) partition by range (occurred_at);

-- Catches what no other partition takes, so that a missing partition never loses an event.
create table eventlive.event_access_logs_default partition of eventlive.event_access_logs default;

comment on table eventlive.event_access_logs is
    'The visit log: who registered, entered, left and why. Append-only; old partitions are dropped, rows never deleted. No foreign key: the log outlives what it tells of.';
comment on column eventlive.event_access_logs.webinar_id is 'The webinar.';
comment on column eventlive.event_access_logs.occurred_at is 'When; the partition key.';
comment on column eventlive.event_access_logs.event_id is 'Tells events of one moment apart.';
comment on column eventlive.event_access_logs.event is 'registered, entered, left, expired, replaced, ejected or webinar_ended.';
comment on column eventlive.event_access_logs.user_id is 'The user; null for a guest.';
comment on column eventlive.event_access_logs.session_id is 'The session, where there is one.';
comment on column eventlive.event_access_logs.detail is 'What else is known: role, referrer, the session that took over.';
comment on table eventlive.event_access_logs_default is 'Events outside every other partition.';

alter table eventlive.event_access_logs enable row level security;
alter table eventlive.event_access_logs_default enable row level security;
create policy event_access_logs_staff on eventlive.event_access_logs for select to authenticated, service_role
    using (webinar_id = any ((select eventlive.staffed_webinar_ids())::uuid[]));
comment on policy event_access_logs_staff on eventlive.event_access_logs is
    'Hosts, moderators, administrators and service_role read the log of their webinars.';
create policy event_access_logs_default_service on eventlive.event_access_logs_default for select to service_role using (true);
comment on policy event_access_logs_default_service on eventlive.event_access_logs_default is 'service_role reads the whole log.';
revoke all on eventlive.event_access_logs from public, anon, authenticated, service_role;
revoke all on eventlive.event_access_logs_default from public, anon, authenticated, service_role;
grant select on eventlive.event_access_logs to authenticated, service_role;
revoke all on sequence eventlive.event_access_logs_event_id_seq from public, anon, authenticated, service_role;

-- sql/10_tables/60_webinar_live.sql

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
    settings_version text not null
) with (fillfactor = 50);

comment on table eventlive.webinar_live is 'Audience, pace and settings in force of each webinar. Written by refresh_webinar_live alone.';
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
comment on column eventlive.webinar_live.settings is 'All settings in force, overrides applied.';
comment on column eventlive.webinar_live.client_settings is 'What clients are sent: the visible settings, intervals paced.';
comment on column eventlive.webinar_live.settings_version is 'Changes when client_settings does; for comparing, nothing else.';

alter table eventlive.webinar_live enable row level security;
create policy webinar_live_staff on eventlive.webinar_live for select to authenticated, service_role
    using (webinar_id = any ((select eventlive.staffed_webinar_ids())::uuid[]));
comment on policy webinar_live_staff on eventlive.webinar_live is 'Hosts, moderators, administrators and service_role read the audience of their webinars.';
revoke all on eventlive.webinar_live from public, anon, authenticated, service_role;

-- sql/10_tables/65_webinar_access_logs.sql

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

-- sql/10_tables/70_webinar_messages.sql

create table eventlive.webinar_messages (
    webinar_id uuid not null references eventlive.webinars (id) on delete cascade,
    message_id bigint generated always as identity,
    user_id uuid not null,
    client_message_id uuid not null,
    kind text not null default 'chat',
    body text not null,
    hidden boolean not null default false,
    created_at timestamptz not null default now(),
    primary key (webinar_id, message_id),
    constraint webinar_messages_client_message_id_key unique (webinar_id, user_id, client_message_id),
    constraint webinar_messages_kind_known check (kind in ('chat', 'question', 'answer')),
    constraint webinar_messages_body_length check (char_length(body) between 1 and 4000)
);

comment on table eventlive.webinar_messages is 'Chat and questions, for clients that poll while Realtime is away.';
comment on column eventlive.webinar_messages.webinar_id is 'The webinar.';
comment on column eventlive.webinar_messages.message_id is 'Order within the webinar, and the cursor of a poll.';
comment on column eventlive.webinar_messages.user_id is 'Who wrote it.';
comment on column eventlive.webinar_messages.client_message_id is 'Made by the client; posting it again is the same message.';
comment on column eventlive.webinar_messages.kind is 'chat, question or answer.';
comment on column eventlive.webinar_messages.body is 'The text, 4,000 characters at most.';
comment on column eventlive.webinar_messages.hidden is 'Taken down by staff.';
comment on column eventlive.webinar_messages.created_at is 'When it was posted.';

alter table eventlive.webinar_messages enable row level security;
create policy webinar_messages_own on eventlive.webinar_messages for select to authenticated
    using (user_id = (select eventlive.current_user_id()));
comment on policy webinar_messages_own on eventlive.webinar_messages is 'A user reads the own messages.';
create policy webinar_messages_staff on eventlive.webinar_messages for select to authenticated, service_role
    using (webinar_id = any ((select eventlive.staffed_webinar_ids())::uuid[]));
comment on policy webinar_messages_staff on eventlive.webinar_messages is
    'Hosts, moderators, administrators and service_role read those of their webinars, hidden ones included.';
revoke all on eventlive.webinar_messages from public, anon, authenticated, service_role;
revoke all on sequence eventlive.webinar_messages_message_id_seq from public, anon, authenticated, service_role;

-- sql/10_tables/80_jobs.sql

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
comment on column eventlive.jobs.schedule is 'Cron expression, five fields.';
comment on column eventlive.jobs.max_age is 'Without a success for this long the job is late.';
comment on column eventlive.jobs.enabled is 'Whether it runs, and whether its absence counts.';
comment on column eventlive.jobs.last_success_at is 'End of its last run without an error.';
comment on column eventlive.jobs.description is 'What it does.';

alter table eventlive.jobs enable row level security;
create policy jobs_service on eventlive.jobs for select to service_role using (true);
comment on policy jobs_service on eventlive.jobs is 'service_role reads the jobs.';
revoke all on eventlive.jobs from public, anon, authenticated, service_role;

-- sql/10_tables/85_job_runs.sql

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

reset role;

notify pgrst, 'reload schema';
