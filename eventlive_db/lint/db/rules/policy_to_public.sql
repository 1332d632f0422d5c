-- level: warning
-- finds: Policies for public instead of for the roles they are meant for.
-- advice: Name the roles (alter policy ... to authenticated), so that it is not even looked at for the others.
select p.name as object,
       format('%s on %s is for every role, for nobody is named after TO.', p.short_name, p.table_name) as sentence
  from policies p
 where p.roles = array[0::oid]
