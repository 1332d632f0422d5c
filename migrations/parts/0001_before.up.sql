-- What was here before, so that stepping back to base leaves it as it was, and so that later runs know the names.

do $$
begin
    if exists (
        select
          from pg_class c
         where c.relnamespace = 'eventlive'::regnamespace
           and c.relname not in ('alembic_version', 'alembic_version_pkc')
    ) or exists (
        select from pg_proc p where p.pronamespace = 'eventlive'::regnamespace
    ) then
        raise exception using
            errcode = 'duplicate_schema',
            message = 'the schema eventlive exists and holds objects',
            hint = 'If it was built without migrations, drop it first: drop schema eventlive, with all that is in it.';
    end if;
end
$$;

create table eventlive.installation (
    only_row boolean primary key default true check (only_row),
    api_schema text not null,
    owner text not null,
    api_schema_existed boolean not null,
    granted jsonb not null
);

insert into eventlive.installation (api_schema, owner, api_schema_existed, granted)
select 'eventlive_api',
       'eventlive_owner',
       exists (select from pg_namespace n where n.nspname = 'eventlive_api'),
       (
        select jsonb_agg(jsonb_build_object('privilege', w.privilege, 'role', w.role))
          from (values
            ('usage', 'eventlive_owner'), ('create', 'eventlive_owner'),
            ('usage', 'anon'), ('usage', 'authenticated'), ('usage', 'service_role')
          ) as w (privilege, role)
         where not exists (
            select
              from pg_namespace n
             cross join lateral aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
              join pg_roles r on r.oid = a.grantee
             where n.nspname = 'eventlive_api'
               and r.rolname = w.role
               and lower(a.privilege_type) = w.privilege
         )
       );
