-- eventlive is private: client roles get no USAGE, so nothing in it can be called or read by name.
-- eventlive_api is the exposed one. Its name is chosen at build time and may be an existing schema.

create schema if not exists eventlive authorization eventlive_owner;
alter schema eventlive owner to eventlive_owner;
revoke all on schema eventlive from public, anon, authenticated, service_role;
comment on schema eventlive is 'Live webinars: tables, core functions and jobs. Private: clients use the exposed schema.';

create schema if not exists eventlive_api authorization eventlive_owner;
grant usage, create on schema eventlive_api to eventlive_owner;
grant usage on schema eventlive_api to anon, authenticated, service_role;

-- All that follows belongs to the owner.
set local role eventlive_owner;
