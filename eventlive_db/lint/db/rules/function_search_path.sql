-- level: warning
-- finds: Functions that resolve names by the search path of whoever calls them. An error in a definer function.
-- advice: Add set search_path = pg_catalog, pg_temp and qualify every other name, or write the body as begin atomic.
select f.name as object,
       case when f.definer
           then format('%s runs as its owner and has no fixed search_path: a caller can put code of their own under it.', f.name)
           else format('%s has no fixed search_path: what its names mean depends on the caller.', f.name)
       end as sentence,
       case when f.definer then 'error' else 'warning' end as level
  from functions f
 where f.search_path is null
   and f.language not in ('internal', 'c')
   -- The names in such a body were resolved when it was made.
   and (not f.bound or f.definer)
