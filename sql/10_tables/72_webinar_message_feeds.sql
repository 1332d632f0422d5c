-- A row of its own, not a column of webinars or webinar_live: it is locked by every post until that commits, and neither
-- a heartbeat nor a change of the webinar may wait for it. It outlives the messages, so that no number comes twice.

create table eventlive.webinar_message_feeds (
    webinar_id uuid primary key references eventlive.webinars (id) on delete cascade,
    last_change_id bigint not null,
    constraint webinar_message_feeds_change_id_positive check (last_change_id > 0)
) with (fillfactor = 50);

comment on table eventlive.webinar_message_feeds is
    'How many changes the messages of a webinar have had. Written by next_change_id alone.';
comment on column eventlive.webinar_message_feeds.webinar_id is 'The webinar.';
comment on column eventlive.webinar_message_feeds.last_change_id is 'The number given out last.';

alter table eventlive.webinar_message_feeds enable row level security;
create policy webinar_message_feeds_staff on eventlive.webinar_message_feeds for select to authenticated, service_role
    using (webinar_id = any ((select eventlive.staffed_webinar_ids())::uuid[]));
comment on policy webinar_message_feeds_staff on eventlive.webinar_message_feeds is
    'Hosts, moderators, administrators and service_role read those of their webinars.';
revoke all on eventlive.webinar_message_feeds from public, anon, authenticated, service_role;
