create function eventlive.event_log_default()
returns regclass
language sql
stable
set search_path = pg_catalog, pg_temp
return (
    select d.oid::regclass
      from pg_class l
      join pg_partitioned_table t on t.partrelid = l.oid
      join pg_class d on d.oid = t.partdefid
     where l.oid = 'eventlive.event_access_logs'::regclass
       and d.relnamespace = l.relnamespace
       and pg_has_role(l.relowner, d.relowner, 'usage')
);

comment on function eventlive.event_log_default() is
    'The default partition of the visit log, whatever its name; null where there is none, or one that is somebody else''s.';
revoke all on function eventlive.event_log_default() from public, anon, authenticated, service_role;
