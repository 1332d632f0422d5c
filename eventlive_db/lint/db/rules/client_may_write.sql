-- level: warning
-- finds: Tables and views that a client may write. TRUNCATE is an error, for it asks no policy.
-- advice: Revoke it and let clients write through functions.
select r.name as object,
       format('%s may %s %s.', c.name, string_agg(p.privilege, ', ' order by p.privilege), r.name) as sentence,
       case when bool_or(p.privilege = 'truncate') then 'error' else 'warning' end as level
  from relations r
 cross join clients c
 cross join (values ('insert'), ('update'), ('delete'), ('truncate')) as p (privilege)
 where r.kind in ('r', 'p', 'v', 'f')
   and case when p.privilege in ('insert', 'update')
           then has_any_column_privilege(c.oid, r.oid, p.privilege)
           else has_table_privilege(c.oid, r.oid, p.privilege)
       end
 group by r.name, c.name
