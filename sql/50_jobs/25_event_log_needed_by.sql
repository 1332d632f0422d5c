create function eventlive.event_log_needed_by(_relation regclass)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(pg_describe_object('pg_class'::regclass, r.ev_class, 0), pg_describe_object(d.classid, d.objid, d.objsubid))
      from pg_class c
     cross join lateral (
            values
                ('pg_class'::regclass, c.oid),
                ('pg_type'::regclass, c.reltype),
                ('pg_type'::regclass, (select t.typarray from pg_type t where t.oid = c.reltype))
           ) as n (class, object)
      join pg_depend d on d.refclassid = n.class and d.refobjid = n.object
      left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
     where c.oid = any (_relation || array(select p.relid from pg_partition_tree(_relation) p))
       and d.deptype = 'n'
       -- Its own policies, which go with it, need its columns.
       and not exists (
            select
              from pg_depend o
             where o.classid = d.classid and o.objid = d.objid and o.refobjid = c.oid
               and o.refclassid = 'pg_class'::regclass and o.deptype <> 'n'
           )
     order by 1
     limit 1
$$;

comment on function eventlive.event_log_needed_by(regclass) is
    'What stands in the way of dropping a table of the visit log, such as a view; null where nothing does.';
revoke all on function eventlive.event_log_needed_by(regclass) from public, anon, authenticated, service_role;
