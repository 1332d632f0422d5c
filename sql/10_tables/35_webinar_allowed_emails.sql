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
