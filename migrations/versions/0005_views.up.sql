-- Released: never change this file. A change of the schema is a new migration.

set local lock_timeout = '5s';
set local search_path = pg_catalog, pg_temp;

set local role eventlive_owner;

-- sql/40_views/event_access_logs.sql

create view eventlive_api.event_access_logs with (security_invoker = true) as
select e.webinar_id, e.occurred_at, e.event_id, e.event, e.user_id, e.session_id, e.detail
  from eventlive.event_access_logs e;

comment on view eventlive_api.event_access_logs is 'The visit log, for hosts and moderators.';
revoke all on eventlive_api.event_access_logs from public, anon, authenticated, service_role;
grant select on eventlive_api.event_access_logs to authenticated, service_role;

-- sql/40_views/profiles.sql

create view eventlive_api.profiles with (security_invoker = true) as
select p.user_id, p.display_name, p.is_admin, p.created_at, p.updated_at
  from eventlive.profiles p;

comment on view eventlive_api.profiles is 'The own profile; service_role reads and writes all of them.';
revoke all on eventlive_api.profiles from public, anon, authenticated, service_role;
grant select on eventlive_api.profiles to authenticated, service_role;
grant insert, update, delete on eventlive_api.profiles to service_role;

-- sql/40_views/registrations.sql

-- The caller's own rows, found by their index, and, for staff, those of their webinars. The second half is skipped by a
-- one-time filter for everybody else, so that an attendee who asks without a filter never reads the table.

create view eventlive_api.registrations with (security_invoker = true) as
select r.webinar_id, r.user_id, r.role, r.registered_via, r.nickname, r.registered_at, r.ejected_at
  from eventlive.registrations r
 where r.user_id = (select eventlive.current_user_id())
union all
select r.webinar_id, r.user_id, r.role, r.registered_via, r.nickname, r.registered_at, r.ejected_at
  from eventlive.registrations r
 where (select cardinality(eventlive.staffed_webinar_ids())) > 0
   and r.webinar_id = any ((select eventlive.staffed_webinar_ids())::uuid[])
   and (r.user_id = (select eventlive.current_user_id())) is not true;

comment on view eventlive_api.registrations is
    'Registrations: the own ones, and for hosts and moderators those of their webinars.';
revoke all on eventlive_api.registrations from public, anon, authenticated, service_role;
grant select on eventlive_api.registrations to authenticated, service_role;

-- sql/40_views/webinar_allowed_emails.sql

create view eventlive_api.webinar_allowed_emails with (security_invoker = true) as
select e.webinar_id, e.email, e.created_at
  from eventlive.webinar_allowed_emails e;

comment on view eventlive_api.webinar_allowed_emails is 'The e-mail lists, for hosts and moderators.';
revoke all on eventlive_api.webinar_allowed_emails from public, anon, authenticated, service_role;
grant select on eventlive_api.webinar_allowed_emails to authenticated, service_role;

-- sql/40_views/webinar_live_presence.sql

-- The caller's own rows, found by way of the registrations, and, for staff, those of their webinars. The second half is
-- skipped by a one-time filter for everybody else, so that an attendee who asks without a filter never reads the table.

create view eventlive_api.webinar_live_presence with (security_invoker = true) as
select p.webinar_id, p.user_id, p.joined_at, p.last_seen_at, p.expires_at
  from eventlive.registrations r
  join eventlive.webinar_live_presence p on p.webinar_id = r.webinar_id and p.user_id = r.user_id
 where r.user_id = (select eventlive.current_user_id())
union all
select p.webinar_id, p.user_id, p.joined_at, p.last_seen_at, p.expires_at
  from eventlive.webinar_live_presence p
 where (select cardinality(eventlive.staffed_webinar_ids())) > 0
   and p.webinar_id = any ((select eventlive.staffed_webinar_ids())::uuid[])
   and (p.user_id = (select eventlive.current_user_id())) is not true;

comment on view eventlive_api.webinar_live_presence is
    'Who is present, as long as expires_at lies ahead: oneself, and for hosts and moderators everybody in their webinars.';
revoke all on eventlive_api.webinar_live_presence from public, anon, authenticated, service_role;
grant select on eventlive_api.webinar_live_presence to authenticated, service_role;

-- sql/40_views/webinar_user_sessions.sql

-- The caller's own rows, found by their index, and, for staff, those of their webinars. The second half is skipped by a
-- one-time filter for everybody else, so that an attendee who asks without a filter never reads the table.

create view eventlive_api.webinar_user_sessions with (security_invoker = true) as
select s.webinar_id, s.session_id, s.user_id, s.entered_at, s.last_heartbeat_at, s.expires_at, s.exited_at,
       s.exit_reason, s.replaced_by, s.watched_seconds
  from eventlive.webinar_user_sessions s
 where s.user_id = (select eventlive.current_user_id())
union all
select s.webinar_id, s.session_id, s.user_id, s.entered_at, s.last_heartbeat_at, s.expires_at, s.exited_at,
       s.exit_reason, s.replaced_by, s.watched_seconds
  from eventlive.webinar_user_sessions s
 where (select cardinality(eventlive.staffed_webinar_ids())) > 0
   and s.webinar_id = any ((select eventlive.staffed_webinar_ids())::uuid[])
   and (s.user_id = (select eventlive.current_user_id())) is not true;

comment on view eventlive_api.webinar_user_sessions is
    'Sessions: the own ones, and for hosts and moderators those of their webinars, guests included.';
revoke all on eventlive_api.webinar_user_sessions from public, anon, authenticated, service_role;
grant select on eventlive_api.webinar_user_sessions to authenticated, service_role;

-- sql/40_views/webinars.sql

create view eventlive_api.webinars with (security_invoker = true) as
select w.id, w.slug, w.title, w.status, w.access_policy, w.entry_policy, w.duplicate_login_policy, w.starts_at, w.ends_at
  from eventlive.webinars w;

comment on view eventlive_api.webinars is
    'Webinars that the caller may see: those open to guests, to signed-in users those open to them, the ones they joined or are invited to, and for staff theirs, drafts included.';
revoke all on eventlive_api.webinars from public, anon, authenticated, service_role;
grant select on eventlive_api.webinars to anon, authenticated, service_role;

reset role;

notify pgrst, 'reload schema';
