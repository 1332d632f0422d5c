-- level: warning
-- finds: Indexes that are the same but for their names.
-- advice: Drop one of them; each costs every write.
select i.table_name as object,
       format('%s of %s are the same index.', string_agg(i.name, ', ' order by i.name), i.table_name) as sentence
  from indexes i
 where not i.is_partition
 group by i.table_oid, i.table_name, i.method, i.key_columns, i.all_columns, i.columns, i.classes, i.collations,
       i.orders, i.expressions, i.predicate
having count(*) > 1
