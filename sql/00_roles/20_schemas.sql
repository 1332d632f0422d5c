-- eventlive is private: client roles get no USAGE, so nothing in it can be called or read by name.
-- eventlive_api is the exposed one. Its name is chosen at build time and may be an existing schema.

create schema if not exists eventlive authorization eventlive_owner;
alter schema eventlive owner to eventlive_owner;
revoke all on schema eventlive from public, anon, authenticated, service_role;
comment on schema eventlive is 'Live webinars: tables, core functions and jobs. Private: clients use the exposed schema.';

create schema if not exists eventlive_api authorization eventlive_owner;
grant usage, create on schema eventlive_api to eventlive_owner;
grant usage on schema eventlive_api to anon, authenticated, service_role;

-- Nobody but the owner makes anything in it, whatever default privileges it was made under. An existing schema of
-- somebody else's is left as it is.
do $$
begin
    if (select pg_catalog.pg_get_userbyid(n.nspowner) = 'eventlive_owner' from pg_catalog.pg_namespace n where n.nspname = 'eventlive_api') then
        revoke create on schema eventlive_api from public, anon, authenticated, service_role;
    end if;
end
$$;

-- Granting on a schema of somebody else's is but a warning in Postgres; here it is the end.
do $$
begin
    if not pg_catalog.has_schema_privilege('eventlive_owner', 'eventlive_api', 'create') then
        raise exception using
            errcode = 'insufficient_privilege',
            message = format('%s may not grant on the exposed schema', current_user),
            detail = 'missing_schema_privilege',
            hint = format('As its owner: grant usage, create on schema %I to %I; grant usage on schema %1$I to anon, authenticated, service_role.',
                'eventlive_api', 'eventlive_owner');
    end if;
end
$$;

-- All that follows belongs to the owner.
set local role eventlive_owner;
