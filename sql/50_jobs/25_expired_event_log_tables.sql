create function eventlive.expired_event_log_tables()
returns table (relation regclass, name text, events bigint)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select c.oid::regclass, regexp_replace(c.relname, '_expired$', ''), greatest(c.reltuples, 0)::bigint
      from pg_class c
      join pg_description d on d.classoid = 'pg_class'::regclass and d.objoid = c.oid and d.objsubid = 0
     where c.relkind in ('r', 'p')
       and not c.relispartition
       and c.relname ~ '_expired$'
       and c.relowner = (select l.relowner from pg_class l where l.oid = 'eventlive.event_access_logs'::regclass)
       and d.description = 'Was a partition of the visit log, and is past its retention.'
     order by 2
$$;

comment on function eventlive.expired_event_log_tables() is
    'What was detached from the visit log for its age, and is still to be dropped.';
revoke all on function eventlive.expired_event_log_tables() from public, anon, authenticated, service_role;
