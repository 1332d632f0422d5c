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

create trigger refuse_write
    instead of insert or update or delete on eventlive_api.registrations
    for each row execute function eventlive.refuse_view_write();
comment on trigger refuse_write on eventlive_api.registrations is 'Has a write refused as one to any other view: by privileges.';
