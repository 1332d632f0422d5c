-- level: warning
-- finds: Materialized views that a client may read; policies do not hold for them.
-- advice: Revoke select from the clients, or put it behind a function or a view of a private schema.
select r.name as object,
       format('%s is a materialized view that %s may read: it holds the rows of whoever refreshed it.', r.name,
           string_agg(c.name, ', ' order by c.name)) as sentence
  from relations r
  join clients c on has_any_column_privilege(c.oid, r.oid, 'select')
 where r.kind = 'm'
   and r.exposed
 group by r.name
