create function eventlive.expired_event_log_tables()
returns table (relation regclass, name text, events bigint, needed_by text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select c.oid::regclass,
           regexp_replace(c.relname, '_expired$', ''),
           greatest(c.reltuples, 0)::bigint,
           eventlive.event_log_needed_by(c.oid)
      from pg_class l
      join pg_class c on pg_has_role(l.relowner, c.relowner, 'usage')
      join pg_description d on d.classoid = 'pg_class'::regclass and d.objoid = c.oid and d.objsubid = 0
     where l.oid = 'eventlive.event_access_logs'::regclass
       and c.relkind in ('r', 'p')
       and not c.relispartition
       and c.relname ~ '_expired$'
       and d.description = 'Was a partition of the visit log, and is past its retention.'
     order by 2
$$;

comment on function eventlive.expired_event_log_tables() is
    'What was detached from the visit log for its age, and is still to be dropped, once nothing else needs it.';
revoke all on function eventlive.expired_event_log_tables() from public, anon, authenticated, service_role;
