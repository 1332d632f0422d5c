-- level: info
-- finds: Indexes whose columns another index begins with.
-- advice: Drop the shorter one, unless it is much smaller and much used.
select i.name as object,
       format('%s begins with all columns of %s.', min(longer.name), i.name) as sentence
  from indexes i
  join indexes longer
    on longer.table_oid = i.table_oid
   and longer.method = i.method
   and longer.usable
   and longer.predicate is not distinct from i.predicate
   and longer.key_columns > i.key_columns
   and longer.columns[1:i.key_columns] = i.columns
   and longer.classes[1:i.key_columns] = i.classes
   and longer.collations[1:i.key_columns] = i.collations
   and longer.orders[1:i.key_columns] = i.orders
 where not i.is_unique
   and not i.is_partition
   and i.expressions is null
   and longer.expressions is null
   and i.method = (select a.oid from pg_am a where a.amname = 'btree')
 group by i.name
