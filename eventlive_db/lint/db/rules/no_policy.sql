-- level: warning
-- finds: Tables with row security and without a policy. Where no client is granted the table, that is only told.
-- advice: Write a policy for the roles that need rows, or revoke what they are granted.
select t.name as object,
       case when g.granted
           then format('%s has row security but no policy: clients are granted it and see no row.', t.name)
           else format('%s has row security, no policy and no grant to a client: only its owner reads it.', t.name)
       end as sentence,
       case when g.granted then 'warning' else 'info' end as level
  from tables t
 cross join lateral (
        select exists (
            select from clients c where has_any_column_privilege(c.oid, t.oid, 'select, insert, update')
        )
       ) as g (granted)
 where t.row_security
   and not exists (select from policies p where p.table_oid = t.oid)
