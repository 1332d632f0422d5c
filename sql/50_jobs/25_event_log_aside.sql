-- Told by name, columns and owner; of what time they are, their comment says.

create function eventlive.event_log_aside()
returns table (relation regclass, name text, range tstzrange)
language sql
stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
    select c.oid::regclass,
           c.relname::text,
           case
               when obj_description(c.oid, 'pg_class')
                   ~ '^[[(]("?-infinity"?|"?\d{4,6}-\d\d-\d\d[ \d:.+-]*( BC)?"?),"?\d{4,6}-\d\d-\d\d[ \d:.+-]*( BC)?"?[])]$'
               then nullif(obj_description(c.oid, 'pg_class')::tstzrange, 'empty')
           end
      from pg_class l
      join pg_class c on c.relnamespace = l.relnamespace and pg_has_role(l.relowner, c.relowner, 'usage')
     where l.oid = 'eventlive.event_access_logs'::regclass
       and c.relname ~ '^event_access_logs_draining(_\d{12})?$'
       and c.relkind in ('r', 'p')
       and not c.relispartition
       and not exists (
            select from pg_attribute a
             where a.attrelid = l.oid and a.attnum > 0 and not a.attisdropped
               and not exists (
                    select from pg_attribute b
                     where b.attrelid = c.oid and b.attname = a.attname and b.atttypid = a.atttypid and not b.attisdropped
                   )
           )
     order by 2
$$;

comment on function eventlive.event_log_aside() is
    'Tables that were the default partition and are on their way back into the visit log, with the time that they stand for; null where their comment does not say it.';
revoke all on function eventlive.event_log_aside() from public, anon, authenticated, service_role;
