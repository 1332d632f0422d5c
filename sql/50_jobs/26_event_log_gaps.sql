-- Not the time before the oldest partition where all of it is past its retention: what was there has been dropped.

create function eventlive.event_log_gaps()
returns table (lower_bound timestamptz, upper_bound timestamptz)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select g.lower_bound, g.upper_bound
      from (
            select '-infinity'::timestamptz, coalesce(min(p.lower_bound), 'infinity')
              from eventlive.event_log_partitions() p
             union all
            select p.upper_bound, lead(p.lower_bound, 1, 'infinity') over (order by p.lower_bound)
              from eventlive.event_log_partitions() p
           ) g (lower_bound, upper_bound)
     where g.lower_bound < g.upper_bound
       and (g.lower_bound > '-infinity' or g.upper_bound > eventlive.retention_end('event_log_retention_days', null))
     order by 1
$$;

comment on function eventlive.event_log_gaps() is
    'The times that no partition of the visit log is for, the one after the last partition among them.';
revoke all on function eventlive.event_log_gaps() from public, anon, authenticated, service_role;
