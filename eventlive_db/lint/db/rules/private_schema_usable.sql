-- level: warning
-- finds: Schemas that are not exposed and that a client may use all the same.
-- advice: Run revoke usage on schema ... from the client and from public.
select format('schema %I', s.name) as object,
       format('%s has USAGE on schema %s, which is not exposed: what is granted in it can be reached by name.', c.name,
           s.name) as sentence
  from schemas s
  join clients c on has_schema_privilege(c.oid, s.oid, 'usage')
 where not s.exposed
