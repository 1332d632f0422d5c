-- What DETACH CONCURRENTLY leaves when it is cancelled: whoever writes an event of its time is refused until it is done.

create function eventlive.event_log_half_detached()
returns table (relation regclass, name text, owned boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select c.oid::regclass, c.relname::text, pg_has_role(l.relowner, c.relowner, 'usage')
      from pg_inherits i
      join pg_class l on l.oid = i.inhparent
      join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'eventlive.event_access_logs'::regclass and i.inhdetachpending
$$;

comment on function eventlive.event_log_half_detached() is
    'The partition of the visit log whose detaching was begun and not finished, and whether the owner of the log may.';
revoke all on function eventlive.event_log_half_detached() from public, anon, authenticated, service_role;
