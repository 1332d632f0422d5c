-- level: error
-- finds: Indexes that cannot be used, such as those of a CREATE INDEX CONCURRENTLY that failed.
-- advice: Run reindex index concurrently, or drop it; it costs writes and helps no query.
select i.name as object,
       format('Index %s of %s is invalid: every write pays for it and no query uses it.', i.name, i.table_name) as sentence
  from indexes i
 where not i.usable
