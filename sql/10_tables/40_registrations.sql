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
create index registrations_hosts_idx on eventlive.registrations (webinar_id, user_id) where role = 'host';

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
comment on index eventlive.registrations_hosts_idx is
    'The hosts of a webinar: whether somebody is the last one is known without reading all who are registered.';

alter table eventlive.registrations enable row level security;
create policy registrations_own on eventlive.registrations for select to authenticated
    using (user_id = (select eventlive.current_user_id()));
comment on policy registrations_own on eventlive.registrations is 'A user reads the own registrations.';
create policy registrations_staff on eventlive.registrations for select to authenticated, service_role
    using (webinar_id = any ((select eventlive.staffed_webinar_ids())::uuid[]));
comment on policy registrations_staff on eventlive.registrations is 'Hosts, moderators, administrators and service_role read those of their webinars.';
revoke all on eventlive.registrations from public, anon, authenticated, service_role;
grant select on eventlive.registrations to authenticated, service_role;
