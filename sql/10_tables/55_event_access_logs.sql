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
