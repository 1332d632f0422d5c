-- Without what is half detached: nobody sees it in the log any more, and the next run finishes that first.

create function eventlive.event_log_partitions()
returns table (relation regclass, name text, lower_bound timestamptz, upper_bound timestamptz, owned boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
    select c.oid::regclass,
           c.relname::text,
           case when b.bound like 'FOR VALUES FROM (MINVALUE)%' then '-infinity'::timestamptz
               else substring(b.bound from $re$FROM \('([^']+)'\)$re$)::timestamptz end,
           coalesce(substring(b.bound from $re$TO \('([^']+)'\)$re$)::timestamptz, 'infinity'),
           o.owned
      from pg_inherits i
      join pg_class l on l.oid = i.inhparent
      join pg_class c on c.oid = i.inhrelid
     cross join lateral pg_get_expr(c.relpartbound, c.oid) as b (bound)
     cross join lateral pg_has_role(l.relowner, c.relowner, 'usage') as o (owned)
     where i.inhparent = 'eventlive.event_access_logs'::regclass
       and b.bound <> 'DEFAULT'
       and not (i.inhdetachpending and o.owned)
     order by 3
$$;

comment on function eventlive.event_log_partitions() is
    'The partitions of the visit log but the default one, with what they hold, from lower_bound until just before upper_bound, and whether the owner of the log may change them.';
revoke all on function eventlive.event_log_partitions() from public, anon, authenticated, service_role;
