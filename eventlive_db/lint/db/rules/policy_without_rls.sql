-- level: error
-- finds: Policies on tables whose row security is off.
-- advice: Run alter table ... enable row level security; until then the policies do nothing.
select t.name as object,
       format('%s has policies (%s), but row security is off, so they do nothing.', t.name,
           (select string_agg(p.short_name, ', ' order by p.short_name) from policies p where p.table_oid = t.oid)
       ) as sentence
  from tables t
 where not t.row_security
   and exists (select from policies p where p.table_oid = t.oid)
