-- Every change of a message, its arrival and each time it is hidden or shown, has a number of its own, counted for each
-- webinar in webinar_message_feeds. A poll reads the changes behind the one it saw last. See eventlive.next_change_id.

create table eventlive.webinar_messages (
    webinar_id uuid not null references eventlive.webinars (id) on delete cascade,
    message_id bigint not null,
    user_id uuid not null,
    client_message_id uuid not null,
    kind text not null default 'chat',
    body text not null,
    hidden boolean not null default false,
    created_at timestamptz not null default now(),
    change_id bigint not null,
    primary key (webinar_id, message_id),
    -- The user last: looked up by the other two, as nothing but this index can be.
    constraint webinar_messages_client_message_id_key unique (webinar_id, client_message_id, user_id),
    constraint webinar_messages_change_id_key unique (webinar_id, change_id),
    constraint webinar_messages_kind_known check (kind in ('chat', 'question', 'answer')),
    constraint webinar_messages_body_length check (char_length(body) between 1 and 4000)
);

create index webinar_messages_user_id_idx on eventlive.webinar_messages (webinar_id, user_id, created_at);

comment on table eventlive.webinar_messages is 'Chat and questions, for clients that poll while Realtime is away.';
comment on column eventlive.webinar_messages.webinar_id is 'The webinar.';
comment on column eventlive.webinar_messages.message_id is 'Order within the webinar: the number of the change that brought it. It never changes.';
comment on column eventlive.webinar_messages.user_id is 'Who wrote it.';
comment on column eventlive.webinar_messages.client_message_id is 'Made by the client; posting it again is the same message.';
comment on column eventlive.webinar_messages.kind is 'chat, question or answer.';
comment on column eventlive.webinar_messages.body is 'The text, 4,000 characters at most.';
comment on column eventlive.webinar_messages.hidden is 'Taken down by staff.';
comment on column eventlive.webinar_messages.created_at is 'When it was posted.';
comment on column eventlive.webinar_messages.change_id is 'Number of its last change within the webinar, and the cursor of a poll.';
comment on index eventlive.webinar_messages_user_id_idx is 'The last messages of a user: whether one more is too many.';

alter table eventlive.webinar_messages enable row level security;
create policy webinar_messages_own on eventlive.webinar_messages for select to authenticated
    using (user_id = (select eventlive.current_user_id()));
comment on policy webinar_messages_own on eventlive.webinar_messages is 'A user reads the own messages.';
create policy webinar_messages_staff on eventlive.webinar_messages for select to authenticated, service_role
    using (webinar_id = any ((select eventlive.staffed_webinar_ids())::uuid[]));
comment on policy webinar_messages_staff on eventlive.webinar_messages is
    'Hosts, moderators, administrators and service_role read those of their webinars, hidden ones included.';
revoke all on eventlive.webinar_messages from public, anon, authenticated, service_role;
