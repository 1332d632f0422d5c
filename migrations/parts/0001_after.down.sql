-- Roles stay: they belong to the whole cluster. The schema eventlive goes with the version table, after this step.

do $$
declare
    v_existed boolean;
    v_grant record;
begin
    select i.api_schema_existed into v_existed from eventlive.installation i;

    if not v_existed and 'eventlive_api' <> 'public' and exists (
        select
          from pg_namespace n
          join pg_roles r on r.oid = n.nspowner
         where n.nspname = 'eventlive_api'
           and r.rolname = 'eventlive_owner'
           and not exists (
            select from pg_depend d where d.refclassid = 'pg_namespace'::regclass and d.refobjid = n.oid
           )
    ) then
        drop schema eventlive_api;
    elsif v_existed then
        for v_grant in
            select g.privilege, g.role
              from eventlive.installation i
             cross join lateral jsonb_to_recordset(i.granted) as g (privilege text, role text)
              join pg_roles r on r.rolname = g.role
        loop
            execute format('revoke %s on schema %I from %I', v_grant.privilege, 'eventlive_api', v_grant.role);
        end loop;
    end if;
end
$$;

drop table eventlive.installation;
