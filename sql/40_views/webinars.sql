create view eventlive_api.webinars with (security_invoker = true) as
select w.id, w.slug, w.title, w.status, w.access_policy, w.entry_policy, w.duplicate_login_policy, w.starts_at, w.ends_at
  from eventlive.webinars w;

comment on view eventlive_api.webinars is
    'Webinars that the caller may see: those open to guests, to signed-in users those open to them, the ones they joined or are invited to, and for staff theirs, drafts included.';
revoke all on eventlive_api.webinars from public, anon, authenticated, service_role;
grant select on eventlive_api.webinars to anon, authenticated, service_role;
