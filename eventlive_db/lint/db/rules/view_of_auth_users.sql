-- level: error
-- finds: Views in exposed schemas that read auth.users, at any depth.
-- advice: Copy the columns that others may see to a table of your own, such as profiles.
with recursive reads (oid) as (
    select to_regclass('auth.users')::oid
    union
    select r.ev_class
      from reads
      join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = reads.oid
      join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
)
select r.name as object,
       format('%s reads auth.users, which holds e-mail addresses, phone numbers and password hashes.', r.name) as sentence
  from relations r
 where r.kind in ('v', 'm')
   and r.exposed
   and r.oid in (select reads.oid from reads)
