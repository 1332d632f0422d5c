-- The design that this package replaces, rebuilt for comparison from what is known of it: its tables, indexes and
-- functions, in a schema of its own. Nothing of the package uses it.

create schema incumbent;

create table incumbent.webinars (
    id uuid primary key,
    slug text not null unique,
    access_policy text not null default 'auth',
    tenant_id uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table incumbent.registrations (
    webinar_id uuid not null references incumbent.webinars (id) on delete cascade,
    user_id uuid not null,
    role text not null default 'attendee',
    registered_via text not null default 'manual',
    nickname text,
    tenant_id uuid,
    created_at timestamptz not null default now(),
    primary key (webinar_id, user_id)
);

create table incumbent.webinar_live_presence (
    webinar_id uuid not null,
    user_id uuid not null,
    joined_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    tenant_id uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (webinar_id, user_id)
);
-- The two that end HOT updates.
create index presence_last_seen_idx on incumbent.webinar_live_presence (last_seen_at);
create index presence_webinar_last_seen_idx on incumbent.webinar_live_presence (webinar_id, last_seen_at);

create table incumbent.webinar_user_sessions (
    id uuid primary key default gen_random_uuid(),
    webinar_id uuid not null,
    session_id text not null,
    user_id uuid,
    entered_at timestamptz not null default now(),
    exited_at timestamptz,
    last_heartbeat_at timestamptz not null default now(),
    watched_seconds_raw integer not null default 0,
    duration_seconds integer,
    user_agent text,
    referrer text,
    ip inet
);
create index sessions_session_idx on incumbent.webinar_user_sessions (session_id);
create index sessions_webinar_idx on incumbent.webinar_user_sessions (webinar_id);
create index sessions_user_idx on incumbent.webinar_user_sessions (user_id);
create index sessions_webinar_user_idx on incumbent.webinar_user_sessions (webinar_id, user_id);
create index sessions_entered_idx on incumbent.webinar_user_sessions (entered_at);
create index sessions_heartbeat_idx on incumbent.webinar_user_sessions (last_heartbeat_at);
create index sessions_open_idx on incumbent.webinar_user_sessions (webinar_id, exited_at) where exited_at is null;

create table incumbent.event_access_logs (
    id bigint generated always as identity primary key,
    webinar_id uuid not null,
    user_id uuid,
    session_id text,
    occurred_at timestamptz not null default now(),
    referrer text,
    utm_source text,
    utm_medium text,
    utm_campaign text
);

alter table incumbent.registrations enable row level security;
alter table incumbent.webinar_live_presence enable row level security;
alter table incumbent.webinar_user_sessions enable row level security;
alter table incumbent.webinars enable row level security;
alter table incumbent.event_access_logs enable row level security;

create function incumbent.uid() returns uuid language sql stable
    return (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid;

create policy webinars_read on incumbent.webinars for select to authenticated using (true);
create policy registrations_own on incumbent.registrations to authenticated
    using (user_id = incumbent.uid()) with check (user_id = incumbent.uid());
create policy presence_insert on incumbent.webinar_live_presence for insert to authenticated
    with check (exists (
        select from incumbent.registrations r where r.webinar_id = webinar_live_presence.webinar_id and r.user_id = incumbent.uid()
    ));
create policy presence_update on incumbent.webinar_live_presence for update to authenticated
    using (exists (
        select from incumbent.registrations r where r.webinar_id = webinar_live_presence.webinar_id and r.user_id = incumbent.uid()
    ));
create policy presence_read on incumbent.webinar_live_presence for select to authenticated using (true);
create policy sessions_own on incumbent.webinar_user_sessions to authenticated
    using (user_id = incumbent.uid()) with check (user_id = incumbent.uid());
create policy logs_insert on incumbent.event_access_logs for insert to authenticated with check (true);

-- As the caller. The throttle is a WHERE on the update, which still locks the row.
create function incumbent.webinar_presence_ping(_webinar_id uuid) returns void language sql volatile as $$
    insert into incumbent.webinar_live_presence (webinar_id, user_id)
    values (_webinar_id, incumbent.uid())
    on conflict (webinar_id, user_id) do update
       set last_seen_at = now(), updated_at = now()
     where webinar_live_presence.last_seen_at < now() - interval '60 seconds'
$$;

create function incumbent.check_heartbeat_throttle(_session_id text) returns boolean language sql stable as $$
    select coalesce(max(s.last_heartbeat_at) < now() - interval '60 seconds', true)
      from incumbent.webinar_user_sessions s
     where s.session_id = _session_id
$$;

-- It trusts the time that the client sends, and finds the row by the session alone.
create function incumbent.update_session_heartbeat(_session_id text, _at timestamptz) returns void language sql volatile as $$
    update incumbent.webinar_user_sessions s
       set watched_seconds_raw = s.watched_seconds_raw
               + least(360, greatest(0, extract(epoch from _at - s.last_heartbeat_at)))::integer,
           last_heartbeat_at = _at,
           duration_seconds = extract(epoch from _at - s.entered_at)::integer
     where s.session_id = _session_id and s.exited_at is null
$$;

grant usage on schema incumbent to authenticated;
grant select, insert, update on all tables in schema incumbent to authenticated;
grant execute on all functions in schema incumbent to authenticated;
