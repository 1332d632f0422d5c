-- Told by name, owner and the columns of the key; of what time they are, their comment says.

create function eventlive.event_log_aside()
returns table (relation regclass, name text, range tstzrange)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select c.oid::regclass, c.relname::text, eventlive.event_log_stated_range(obj_description(c.oid, 'pg_class'))
      from pg_class l
      join pg_class c on c.relnamespace = l.relnamespace and pg_has_role(l.relowner, c.relowner, 'usage')
     where l.oid = 'eventlive.event_access_logs'::regclass
       and c.relname ~ '^event_access_logs_draining(_\d{12})?$'
       and c.relkind in ('r', 'p')
       and not c.relispartition
       and array['webinar_id', 'occurred_at', 'event_id'] <@ array(
            select a.attname::text from pg_attribute a where a.attrelid = c.oid and not a.attisdropped
           )
     order by 2
$$;

comment on function eventlive.event_log_aside() is
    'Tables that were the default partition and are on their way back into the visit log, with the time that they stand for; null where their comment does not say it.';
revoke all on function eventlive.event_log_aside() from public, anon, authenticated, service_role;
