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

create trigger refuse_write
    instead of insert or update or delete on eventlive_api.webinar_live_presence
    for each row execute function eventlive.refuse_view_write();
comment on trigger refuse_write on eventlive_api.webinar_live_presence is 'Has a write refused as one to any other view: by privileges.';
