-- level: error
-- finds: Policies that trust user_metadata, which the user writes.
-- advice: Take the user's id, app_metadata or a table that only the server writes.
select p.name as object,
       format('%s on %s reads user_metadata, in which a user may write anything.', p.short_name, p.table_name) as sentence
  from policies p
 where concat(pg_get_expr(p.check_seen, p.table_oid), ' ', pg_get_expr(p.check_written, p.table_oid))
       ~ '(raw_)?user_meta_?data'
