-- level: warning
-- finds: Foreign tables that a client may read; policies do not hold for them.
-- advice: Revoke select from the clients, or put it behind a function of a private schema.
select r.name as object,
       format('%s is a foreign table that %s may read: it has no row security.', r.name,
           string_agg(c.name, ', ' order by c.name)) as sentence
  from relations r
  join clients c on has_any_column_privilege(c.oid, r.oid, 'select')
 where r.kind = 'f'
   and r.exposed
 group by r.name
