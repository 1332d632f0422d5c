-- level: warning
-- finds: Tables without a primary key.
-- advice: Add one; replication, upserts and clients need to tell rows apart.
select t.name as object,
       format('%s has no primary key.', t.name) as sentence
  from tables t
 where not t.is_partition
   and not exists (select from pg_constraint k where k.conrelid = t.oid and k.contype = 'p')
