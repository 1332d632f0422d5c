-- level: warning
-- finds: Definer functions whose search_path leaves pg_temp where it is by default, in front.
-- advice: Name pg_temp last, as in set search_path = pg_catalog, pg_temp (see "Writing SECURITY DEFINER Functions
-- Safely" in the manual of CREATE FUNCTION).
select f.name as object,
       format('%s runs as its owner with search_path = %s: temporary tables and types of the caller come first.',
           f.name, f.search_path) as sentence
  from functions f
 where f.definer
   and f.search_path is not null
   and f.search_path !~ '(^|, *)"?pg_temp"?$'
   and not f.bound
