-- Released: never change this file. A change of the schema is a new migration.

set local lock_timeout = '5s';
set local search_path = pg_catalog, pg_temp;

set local role eventlive_owner;

drop function eventlive.joined_webinar_ids();
drop function eventlive.staffed_webinar_ids();
drop function eventlive.is_service();
drop function eventlive.current_email(boolean);
drop function eventlive.current_user_id();
drop function eventlive.raise_error(text, jsonb);

reset role;

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

notify pgrst, 'reload schema';
