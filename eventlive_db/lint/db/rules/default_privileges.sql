-- level: info
-- finds: Default privileges that give clients whatever is created next. Supabase sets them on public.
-- advice: Revoke by name beside each create, as this package does, or alter default privileges ... revoke.
select format('default privileges of %s%s', d.defaclrole::regrole, ' in schema ' || s.name) as object,
       format('New %s of %s%s are granted to %s: %s.',
           case d.defaclobjtype
               when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types'
               when 'n' then 'schemas' else 'objects'
           end,
           d.defaclrole::regrole, ' in schema ' || s.name, coalesce(c.name::text, 'public'),
           string_agg(lower(a.privilege_type), ', ' order by a.privilege_type)) as sentence
  from pg_default_acl d
 cross join aclexplode(d.defaclacl) a
  left join clients c on c.oid = a.grantee
  left join schemas s on s.oid = d.defaclnamespace
 where (a.grantee = 0 or c.oid is not null)
   and (d.defaclnamespace = 0 or s.oid is not null)
   and a.grantee <> d.defaclrole
   -- What Postgres gives everybody by itself, and revokes beside each object take away.
   and not (a.grantee = 0 and d.defaclnamespace = 0 and d.defaclobjtype in ('f', 'T'))
 group by d.defaclrole, d.defaclobjtype, s.name, c.name
