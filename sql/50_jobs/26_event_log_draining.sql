create function eventlive.event_log_draining(out relation regclass, out name text, out range tstzrange)
returns record
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select a.relation, a.name, a.range
      from eventlive.event_log_aside() a
     where a.range is not null and not exists (select from eventlive.event_log_misfits(a.relation))
     order by a.name
     limit 1
$$;

comment on function eventlive.event_log_draining() is
    'The table that is on its way back into the visit log, and the time that it stands for; nulls where there is none that can be attached.';
revoke all on function eventlive.event_log_draining() from public, anon, authenticated, service_role;
