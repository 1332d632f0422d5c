-- level: warning
-- finds: Foreign keys without an index that leads with their columns.
-- advice: Create an index that begins with the columns of the key; else each delete above reads the whole table.
select t.name as object,
       format('Foreign key %s (%s) of %s has no index that begins with its columns.', k.conname,
           (
               select string_agg(a.attname, ', ' order by u.position)
                 from unnest(k.conkey) with ordinality as u (number, position)
                 join pg_attribute a on a.attrelid = t.oid and a.attnum = u.number
           ),
           t.name) as sentence
  from pg_constraint k
  join tables t on t.oid = k.conrelid
 where k.contype = 'f'
   and k.conparentid = 0
   and not exists (
        select
          from indexes i
         where i.table_oid = t.oid
           and i.usable
           and i.predicate is null
           and i.key_columns >= cardinality(k.conkey)
           and i.columns[1:cardinality(k.conkey)] @> k.conkey
           and i.columns[1:cardinality(k.conkey)] <@ k.conkey
   )
