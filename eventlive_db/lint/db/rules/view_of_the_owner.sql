-- level: error
-- finds: Views in exposed schemas that read as their owner, past the policies.
-- advice: Run alter view ... set (security_invoker = true), and grant the caller what it reads.
select r.name as object,
       format('%s reads its tables as its owner, so no policy holds for whoever reads it.', r.name) as sentence
  from relations r
 where r.kind = 'v'
   and r.exposed
   and not exists (
        select
          from pg_options_to_table(r.options) o
         where o.option_name = 'security_invoker' and o.option_value::boolean
   )
