create view eventlive_api.profiles with (security_invoker = true) as
select p.user_id, p.display_name, p.is_admin, p.created_at, p.updated_at
  from eventlive.profiles p;

comment on view eventlive_api.profiles is 'The own profile; service_role reads and writes all of them.';
revoke all on eventlive_api.profiles from public, anon, authenticated, service_role;
grant select on eventlive_api.profiles to authenticated, service_role;
grant insert, update, delete on eventlive_api.profiles to service_role;
