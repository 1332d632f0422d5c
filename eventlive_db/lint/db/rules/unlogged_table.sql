-- level: warning
-- finds: Unlogged tables in exposed schemas; a crash empties them, and replicas do not have them.
-- advice: Run alter table ... set logged, or move it to a private schema.
select t.name as object,
       format('%s is unlogged: after a crash it is empty.', t.name) as sentence
  from tables t
 where t.persistence = 'u'
   and t.exposed
