create function eventlive.event_log_needed_by(_relation regclass)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(pg_describe_object('pg_class'::regclass, r.ev_class, 0), pg_describe_object(d.classid, d.objid, d.objsubid))
      from pg_class c
      join pg_depend d
        on (d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid)
        or (d.refclassid = 'pg_type'::regclass and d.refobjid = c.reltype)
      left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
     where c.oid = _relation
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
