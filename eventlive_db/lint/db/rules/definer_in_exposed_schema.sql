-- level: error
-- finds: Definer functions in a schema that clients call by name.
-- advice: Move the body to a private schema and leave a security invoker function in its place.
select f.name as object,
       format('%s runs as its owner and lies in an exposed schema.', f.name) as sentence
  from functions f
 where f.definer
   and f.exposed
   and not f.is_trigger
