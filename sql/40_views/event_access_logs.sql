create view eventlive_api.event_access_logs with (security_invoker = true) as
select e.webinar_id, e.occurred_at, e.event_id, e.event, e.user_id, e.session_id, e.detail
  from eventlive.event_access_logs e;

comment on view eventlive_api.event_access_logs is 'The visit log, for hosts and moderators.';
revoke all on eventlive_api.event_access_logs from public, anon, authenticated, service_role;
grant select on eventlive_api.event_access_logs to authenticated, service_role;
