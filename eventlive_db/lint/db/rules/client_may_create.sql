-- level: error
-- finds: Schemas in which a client may create objects.
-- advice: Run revoke create on schema ... from the client and from public.
select format('schema %I', s.name) as object,
       format('%s may create objects in schema %s, and so put functions of their own under the names of others.', c.name,
           s.name) as sentence
  from schemas s
  join clients c on has_schema_privilege(c.oid, s.oid, 'create')
