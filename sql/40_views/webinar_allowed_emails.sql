create view eventlive_api.webinar_allowed_emails with (security_invoker = true) as
select e.webinar_id, e.email, e.created_at
  from eventlive.webinar_allowed_emails e;

comment on view eventlive_api.webinar_allowed_emails is 'The e-mail lists, for hosts and moderators.';
revoke all on eventlive_api.webinar_allowed_emails from public, anon, authenticated, service_role;
grant select on eventlive_api.webinar_allowed_emails to authenticated, service_role;
