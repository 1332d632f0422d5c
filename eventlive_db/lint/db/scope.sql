-- What the rules look at, as queries they may name. Objects of extensions are left out.
--
-- Rules run with search_path = pg_catalog, pg_temp: so nobody's operators are in the way, and Postgres prints the name
-- of every object with its schema.

schemas as (
    select n.oid, n.nspname as name, n.nspname = any ({exposed}::name[]) as exposed
      from pg_namespace n
     where n.nspname = any ({schemas}::name[])
),
-- Those that browsers act as.
clients as (
    select r.oid, r.rolname as name
      from pg_roles r
     where r.rolname = any ({clients}::name[])
),
-- kind is that of pg_class: r table, p partitioned table, v view, m materialized view, f foreign table, S sequence.
relations as (
    select c.oid, c.oid::regclass::text as name, c.relnamespace as schema_oid, s.exposed, c.relkind as kind,
           c.relispartition as is_partition, c.relrowsecurity as row_security, c.relpersistence as persistence,
           c.reloptions as options
      from pg_class c
      join schemas s on s.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
       and not exists (
            select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
       )
),
tables as (
    select r.* from relations r where r.kind in ('r', 'p')
),
policies as (
    select p.oid, format('policy %I on %s', p.polname, t.name) as name, p.polname as short_name, t.oid as table_oid,
           t.name as table_name, t.row_security, p.polpermissive as permissive, p.polroles as roles,
           p.polqual as check_seen, p.polwithcheck as check_written,
           case p.polcmd
               when 'r' then array['select']
               when 'a' then array['insert']
               when 'w' then array['update']
               when 'd' then array['delete']
               else array['select', 'insert', 'update', 'delete']
           end as commands
      from pg_policy p
      join tables t on t.oid = p.polrelid
),
-- Without the constructors of range types, which depend on their type internally and can be no other than they are.
functions as (
    select p.oid, p.oid::regprocedure::text as name, s.exposed, l.lanname as language, p.prosecdef as definer,
           p.prosqlbody is not null as bound, t.typname in ('trigger', 'event_trigger') as is_trigger,
           (
               select substr(o.setting, length('search_path=') + 1)
                 from unnest(p.proconfig) as o (setting)
                where o.setting like 'search_path=%'
           ) as search_path,
           coalesce(p.proacl, acldefault('f', p.proowner)) as acl
      from pg_proc p
      join schemas s on s.oid = p.pronamespace
      join pg_language l on l.oid = p.prolang
      join pg_type t on t.oid = p.prorettype
     where p.prokind <> 'a'
       and not exists (
            select
              from pg_depend d
             where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype in ('e', 'i')
       )
),
indexes as (
    select i.indexrelid as oid, i.indexrelid::regclass::text as name, t.oid as table_oid, t.name as table_name,
           c.relam as method, c.relispartition as is_partition, i.indisunique as is_unique,
           exists (select from pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))
               or i.indisprimary as is_constraint,
           i.indisvalid and i.indisready and i.indislive as usable,
           i.indnkeyatts as key_columns, i.indnatts as all_columns,
           string_to_array(i.indkey::text, ' ')::smallint[] as columns,
           string_to_array(i.indclass::text, ' ') as classes,
           string_to_array(i.indcollation::text, ' ') as collations,
           string_to_array(i.indoption::text, ' ') as orders,
           pg_get_expr(i.indexprs, i.indrelid) as expressions,
           pg_get_expr(i.indpred, i.indrelid) as predicate
      from pg_index i
      join tables t on t.oid = i.indrelid
      join pg_class c on c.oid = i.indexrelid
)
