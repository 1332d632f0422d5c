-- level: error
-- finds: Policies that let a client write any row.
-- advice: Compare the row with the caller, or leave writing to functions and drop the policy.
select p.name as object,
       format('%s on %s lets %s %s any row: its condition is the same for every row.', p.short_name, p.table_name,
           (
               select string_agg(coalesce(r.rolname::text, 'public'), ', ' order by r.rolname)
                 from unnest(p.roles) as u (oid)
                 left join pg_roles r on r.oid = u.oid
           ),
           (
               select string_agg(c.command, ', ')
                 from unnest(p.commands) as c (command)
                where c.command <> 'select'
           )
       ) as sentence
  from policies p
 where p.permissive
   and p.commands <> array['select']
   and exists (
        select
          from clients c, unnest(p.roles) as u (oid)
         where case when u.oid = 0 then true else pg_has_role(c.oid, u.oid, 'usage') end
   )
   -- Constant: no column, no function, no sub-select. What is written obeys WITH CHECK, else USING.
   and (
        (p.commands <> array['insert']
            and p.check_seen::text !~ '\{(VAR|FUNCEXPR|SUBLINK|SQLVALUEFUNCTION) '
            and pg_get_expr(p.check_seen, p.table_oid) not in ('false', 'NULL::boolean')
            -- Deleting asks no WITH CHECK.
            and ('delete' = any (p.commands)
                or coalesce(pg_get_expr(p.check_written, p.table_oid), '') not in ('false', 'NULL::boolean')))
        or (p.commands <> array['delete']
            and p.check_written::text !~ '\{(VAR|FUNCEXPR|SUBLINK|SQLVALUEFUNCTION) '
            and pg_get_expr(p.check_written, p.table_oid) not in ('false', 'NULL::boolean'))
   )
