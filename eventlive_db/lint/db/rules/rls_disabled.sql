-- level: error
-- finds: Tables without row security.
-- advice: Run alter table ... enable row level security, and write a policy for each role that needs its rows.
select t.name as object,
       format('Row security is off on %s: whoever is granted the table has all of its rows.', t.name) as sentence
  from tables t
 where not t.row_security
   and not exists (select from policies p where p.table_oid = t.oid)
