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

create trigger refuse_write
    instead of insert or update or delete on eventlive_api.webinar_user_sessions
    for each row execute function eventlive.refuse_view_write();
comment on trigger refuse_write on eventlive_api.webinar_user_sessions is 'Has a write refused as one to any other view: by privileges.';
