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
grant select (id, slug, title, status, access_policy, entry_policy, duplicate_login_policy, starts_at, ends_at)
    on eventlive.webinars to anon, authenticated;
grant select on eventlive.webinars to service_role;
