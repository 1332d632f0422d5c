-- level: warning
-- finds: Several permissive policies for one role and command.
-- advice: Join them with OR in one policy, unless each is cheap and they are easier to read apart.
select f.table_name as object,
       format('%s has %s permissive policies on %s for %s: %s. Each of them is worked out for every query.', f.role,
           f.number, f.table_name, string_agg(f.command, ', ' order by f.command), f.names) as sentence
  from (
        select p.table_name, coalesce(r.rolname::text, 'public') as role, c.command, count(*) as number,
               string_agg(p.short_name, ', ' order by p.short_name) as names
          from policies p
         cross join unnest(p.commands) as c (command)
          -- For a role count its own policies and those for everybody.
          join (select distinct u.oid, q.table_oid from policies q, unnest(q.roles) as u (oid)) as named
            on named.table_oid = p.table_oid and (named.oid = any (p.roles) or 0 = any (p.roles))
          left join pg_roles r on r.oid = named.oid
         where p.permissive
           and p.row_security
         group by p.table_name, r.rolname, c.command
        having count(*) > 1
       ) f
 group by f.table_name, f.role, f.number, f.names
