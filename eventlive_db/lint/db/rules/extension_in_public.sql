-- level: warning
-- finds: Extensions in public or in an exposed schema.
-- advice: Run alter extension ... set schema extensions, so that clients do not call its functions by accident.
select format('extension %I', e.extname) as object,
       format('Extension %s lies in schema %s, where clients find its functions.', e.extname, n.nspname) as sentence
  from pg_extension e
  join pg_namespace n on n.oid = e.extnamespace
 where n.nspname = 'public'
    or n.oid in (select s.oid from schemas s where s.exposed)
