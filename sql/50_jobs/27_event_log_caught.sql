create function eventlive.event_log_caught(out lower_bound timestamptz, out upper_bound timestamptz)
returns record
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select g.lower_bound, g.upper_bound
      from eventlive.event_log_gaps() g
     where exists (
            select
              from eventlive.event_access_logs_default d
             where d.occurred_at >= g.lower_bound
               and d.occurred_at < least(g.upper_bound, (select clock_timestamp()))
           )
     order by g.lower_bound desc
     limit 1
$$;

comment on function eventlive.event_log_caught() is
    'The latest gap between partitions of which the default one has events; null where it has none but strays.';
revoke all on function eventlive.event_log_caught() from public, anon, authenticated, service_role;
