-- Everything in the schemas %(schemas)s, as (object, aspect, value). Run with an empty search_path, so that names come
-- out qualified. Object identifiers, order of columns, sizes and statistics are left out: they are no part of a schema.
with ns as (
    select n.oid, n.nspname, n.nspowner, n.nspacl
      from pg_namespace n
     where n.nspname = any (%(schemas)s)
), rel as (
    select c.*,
           case
               when c.relkind = 'v' then 'view'
               when c.relkind = 'm' then 'materialized view'
               when c.relkind = 'S' then 'sequence'
               when c.relkind = 'f' then 'foreign table'
               when c.relispartition then 'partition'
               else 'table'
           end || format(' %%I.%%I', ns.nspname, c.relname) as object
      from pg_class c
      join ns on ns.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
), col as (
    select rel.object, a.*
      from rel
      join pg_attribute a on a.attrelid = rel.oid and a.attnum > 0 and not a.attisdropped
     where rel.relkind <> 'S'
), fun as (
    select p.*,
           case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end
               || format(' %%I.%%I(%%s)', ns.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) as object
      from pg_proc p
      join ns on ns.oid = p.pronamespace
), typ as (
    select t.*, format('type %%I.%%I', ns.nspname, t.typname) as object
      from pg_type t
      join ns on ns.oid = t.typnamespace
      left join pg_class c on c.oid = t.typrelid
     where (t.typtype in ('d', 'e', 'r', 'm') or (t.typtype = 'c' and c.relkind = 'c'))
), acl as (
    select format('schema %%I', ns.nspname) as object, '' as prefix,
           coalesce(ns.nspacl, acldefault('n', ns.nspowner)) as acl
      from ns
    union all
    select rel.object, '',
           coalesce(rel.relacl, acldefault(case rel.relkind when 'S' then 's'::"char" else 'r'::"char" end, rel.relowner))
      from rel
    union all
    select col.object, format('column %%I ', col.attname), col.attacl from col where col.attacl is not null
    union all
    select fun.object, '', coalesce(fun.proacl, acldefault('f', fun.proowner)) from fun
    union all
    select typ.object, '', coalesce(typ.typacl, acldefault('T', typ.typowner)) from typ
    union all
    select format('default privileges of %%s in %%s', d.defaclrole::regrole, coalesce(ns.nspname, 'every schema')),
           case d.defaclobjtype
               when 'r' then 'tables ' when 'S' then 'sequences ' when 'f' then 'functions '
               when 'T' then 'types ' when 'n' then 'schemas ' else d.defaclobjtype::text || ' '
           end,
           d.defaclacl
      from pg_default_acl d
      left join ns on ns.oid = d.defaclnamespace
     where ns.oid is not null
        or (d.defaclnamespace = 0 and d.defaclrole = (select r.oid from pg_roles r where r.rolname = %(owner)s))
)

select format('schema %%I', ns.nspname) as object, 'owner' as aspect, ns.nspowner::regrole::text as value from ns
union all
select format('schema %%I', ns.nspname), 'comment', obj_description(ns.oid, 'pg_namespace') from ns
union all
select acl.object,
       acl.prefix || 'grant ' || lower(a.privilege_type) || ' to ' || coalesce(r.rolname, 'public'),
       case when a.is_grantable then 'with grant option' else '' end
  from acl
 cross join lateral aclexplode(acl.acl) a
  left join pg_roles r on r.oid = a.grantee

-- Relations
union all
select rel.object, 'owner', rel.relowner::regrole::text from rel
union all
select rel.object, 'comment', obj_description(rel.oid, 'pg_class') from rel
union all
select rel.object, 'kind', concat_ws(' ', rel.relkind, rel.relpersistence, am.amname)
  from rel
  left join pg_am am on am.oid = rel.relam
union all
select rel.object, 'option ' || split_part(o.option, '=', 1), split_part(o.option, '=', 2)
  from rel
 cross join lateral unnest(rel.reloptions) as o (option)
union all
select rel.object, 'toast option ' || split_part(o.option, '=', 1), split_part(o.option, '=', 2)
  from rel
  join pg_class toast on toast.oid = rel.reltoastrelid
 cross join lateral unnest(toast.reloptions) as o (option)
union all
select rel.object, 'row security',
       case when rel.relrowsecurity then 'on' else 'off' end || case when rel.relforcerowsecurity then ', forced' else '' end
  from rel
 where rel.relkind in ('r', 'p')
union all
select rel.object, 'replica identity', rel.relreplident::text from rel where rel.relreplident not in ('d', 'n')
union all
select rel.object, 'partitioned by', pg_get_partkeydef(rel.oid) from rel where rel.relkind = 'p'
union all
select rel.object, 'partition of', i.inhparent::regclass::text || ' ' || pg_get_expr(rel.relpartbound, rel.oid)
  from rel
  join pg_inherits i on i.inhrelid = rel.oid
 where rel.relispartition
union all
select rel.object, 'definition', pg_get_viewdef(rel.oid) from rel where rel.relkind in ('v', 'm')
union all
select rel.object, 'sequence',
       concat_ws(' ', format_type(s.seqtypid, null), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle)
  from rel
  join pg_sequence s on s.seqrelid = rel.oid
union all
select rel.object, 'sequence of', d.refobjid::regclass::text || '.' || a.attname
  from rel
  join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = rel.oid and d.deptype in ('a', 'i')
  join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
 where rel.relkind = 'S' and d.refclassid = 'pg_class'::regclass

-- Columns
union all
select col.object, format('column %%I', col.attname),
       concat_ws(' ',
           format_type(col.atttypid, col.atttypmod),
           case when col.attcollation <> t.typcollation then 'collate ' || col.attcollation::regcollation::text end,
           case when col.attnotnull then 'not null' end,
           case col.attgenerated when '' then 'default ' else 'generated ' || col.attgenerated::text || ' ' end
               || pg_get_expr(d.adbin, d.adrelid),
           nullif('identity ' || col.attidentity::text, 'identity '),
           'storage ' || col.attstorage::text,
           nullif('compression ' || col.attcompression::text, 'compression '),
           'statistics ' || nullif(col.attstattarget, -1))
  from col
  join pg_type t on t.oid = col.atttypid
  left join pg_attrdef d on d.adrelid = col.attrelid and d.adnum = col.attnum
union all
select col.object, format('column %%I option %%s', col.attname, split_part(o.option, '=', 1)), split_part(o.option, '=', 2)
  from col
 cross join lateral unnest(col.attoptions) as o (option)
 where o.option !~ '^pg_attver='  -- the server's own mark, new for each column it makes (seen on 15.20)
union all
select col.object, format('column %%I comment', col.attname), col_description(col.attrelid, col.attnum) from col

-- What hangs on relations. Postgres 18 names not-null constraints; the column says it already.
union all
select rel.object, format('constraint %%I', c.conname), pg_get_constraintdef(c.oid)
  from rel
  join pg_constraint c on c.conrelid = rel.oid
 where c.contype <> 'n'
union all
select rel.object, format('constraint %%I comment', c.conname), obj_description(c.oid, 'pg_constraint')
  from rel
  join pg_constraint c on c.conrelid = rel.oid
union all
select rel.object, format('index %%I', c.relname),
       concat_ws(' ',
           pg_get_indexdef(i.indexrelid),
           case when not i.indisvalid then 'INVALID' end,
           case when i.indisclustered then 'clustered' end,
           case when i.indisreplident then 'replica identity' end)
  from rel
  join pg_index i on i.indrelid = rel.oid
  join pg_class c on c.oid = i.indexrelid
union all
select rel.object, format('index %%I comment', c.relname), obj_description(c.oid, 'pg_class')
  from rel
  join pg_index i on i.indrelid = rel.oid
  join pg_class c on c.oid = i.indexrelid
union all
select rel.object, format('trigger %%I', t.tgname), pg_get_triggerdef(t.oid) || ' enabled ' || t.tgenabled::text
  from rel
  join pg_trigger t on t.tgrelid = rel.oid
 where not t.tgisinternal
union all
select rel.object, format('trigger %%I comment', t.tgname), obj_description(t.oid, 'pg_trigger')
  from rel
  join pg_trigger t on t.tgrelid = rel.oid
union all
select rel.object, format('rule %%I', w.rulename), pg_get_ruledef(w.oid)
  from rel
  join pg_rewrite w on w.ev_class = rel.oid
 where w.rulename <> '_RETURN'
union all
select rel.object, format('policy %%I', p.polname),
       concat_ws(' ',
           case when p.polpermissive then 'permissive' else 'restrictive' end,
           'for ' || p.polcmd::text,
           'to ' || (
            select string_agg(coalesce(r.rolname, 'public'), ', ' order by r.rolname)
              from unnest(p.polroles) as g (oid)
              left join pg_roles r on r.oid = g.oid
           ),
           'using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
           'with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')')
  from rel
  join pg_policy p on p.polrelid = rel.oid
union all
select rel.object, format('policy %%I comment', p.polname), obj_description(p.oid, 'pg_policy')
  from rel
  join pg_policy p on p.polrelid = rel.oid

-- Functions
union all
select fun.object, 'owner', fun.proowner::regrole::text from fun
union all
select fun.object, 'comment', obj_description(fun.oid, 'pg_proc') from fun
union all
select fun.object, 'setting ' || split_part(s.setting, '=', 1), substr(s.setting, strpos(s.setting, '=') + 1)
  from fun
 cross join lateral unnest(fun.proconfig) as s (setting)
union all
select fun.object, 'security', case when fun.prosecdef then 'definer' else 'invoker' end from fun
union all
select fun.object, 'definition', pg_get_functiondef(fun.oid) from fun where fun.prokind <> 'a'

-- Types, and whatever else lies in the schemas
union all
select typ.object, 'owner', typ.typowner::regrole::text from typ
union all
select typ.object, 'comment', obj_description(typ.oid, 'pg_type') from typ
union all
select typ.object, 'definition',
       concat_ws(' ',
           typ.typtype,
           case when typ.typtype = 'd' then format_type(typ.typbasetype, typ.typtypmod) end,
           case when typ.typnotnull then 'not null' end,
           'default ' || typ.typdefault,
           (select string_agg(pg_get_constraintdef(c.oid), ' ' order by c.conname)
              from pg_constraint c where c.contypid = typ.oid and c.contype <> 'n'),
           (select string_agg(e.enumlabel, ', ' order by e.enumsortorder) from pg_enum e where e.enumtypid = typ.oid),
           (select string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' order by a.attnum)
              from pg_attribute a
             where a.attrelid = nullif(typ.typrelid, 0) and a.attnum > 0 and not a.attisdropped))
  from typ
union all
select format('statistics %%I.%%I', ns.nspname, s.stxname), 'definition', pg_get_statisticsobjdef(s.oid)
  from pg_statistic_ext s
  join ns on ns.oid = s.stxnamespace
union all
select pg_describe_object(d.classid, d.objid, 0), 'exists', ''
  from pg_depend d
  join ns on ns.oid = d.refobjid
 where d.refclassid = 'pg_namespace'::regclass
   and d.objsubid = 0
   and d.classid not in (
        'pg_class'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass, 'pg_statistic_ext'::regclass,
        'pg_default_acl'::regclass
   )
