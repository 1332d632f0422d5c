create function eventlive.event_log_obstacles()
returns table (obstacle text, advice text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select o.obstacle, o.advice
      from pg_class l
      join pg_partitioned_table t on t.partrelid = l.oid
      join pg_class d on d.oid = t.partdefid
     cross join lateral (
            values
                (not pg_has_role(l.relowner, d.relowner, 'usage'),
                 format('the default partition %s belongs to %s', d.oid::regclass, d.relowner::regrole),
                 format('alter table %s owner to %s', d.oid::regclass, l.relowner::regrole)),
                (d.relnamespace <> l.relnamespace,
                 format('the default partition %s is in another schema', d.oid::regclass),
                 format('alter table %s set schema %s', d.oid::regclass, l.relnamespace::regnamespace))
           ) as o (is_so, obstacle, advice)
     where l.oid = 'eventlive.event_access_logs'::regclass and o.is_so
     union all
    select format('the partition %s is past its retention and belongs to %s', p.relation, c.relowner::regrole),
           format('alter table %s owner to %s', p.relation, l.relowner::regrole)
      from eventlive.event_log_partitions() p
      join pg_class c on c.oid = p.relation
      join pg_class l on l.oid = 'eventlive.event_access_logs'::regclass
     where not p.owned and p.upper_bound <= eventlive.retention_end('event_log_retention_days', null)
     union all
    select format('the partition %s is half detached and belongs to somebody else', h.relation),
           format('alter table eventlive.event_access_logs detach partition %s finalize', h.relation)
      from eventlive.event_log_half_detached() h
     where not h.owned
     union all
    select format('%s is past its retention and needed by %s', e.relation, e.needed_by),
           format('drop that first, or both with: drop table %s cascade', e.relation)
      from (
            select p.relation, eventlive.event_log_needed_by(p.relation) as needed_by
              from eventlive.event_log_partitions() p
             where p.owned and p.upper_bound <= eventlive.retention_end('event_log_retention_days', null)
             union all
            select x.relation, x.needed_by from eventlive.expired_event_log_tables() x
           ) e
     where e.needed_by is not null
     union all
    select format('%s looks like a part of the visit log that is aside, and its comment does not say of what time', a.relation),
           format('if it is, say so, from its first event to after its last one: comment on table %s is '
               '''["2026-01-01 00:00:00+00","2026-02-01 00:00:00+00")''; else rename it', a.relation)
      from eventlive.event_log_aside() a
     where a.range is null
     union all
    select format('%s is aside and cannot be a part of the visit log again: %s',
               a.relation, string_agg(m.misfit, ', ' order by m.place)),
           string_agg(m.remedy, '; ' order by m.place)
      from eventlive.event_log_aside() a
     cross join lateral eventlive.event_log_misfits(a.relation) with ordinality as m (misfit, remedy, place)
     where a.range is not null
     group by a.relation
$$;

comment on function eventlive.event_log_obstacles() is
    'What the rotation of the visit log finds and may not change or cannot judge, and what to do about it.';
revoke all on function eventlive.event_log_obstacles() from public, anon, authenticated, service_role;
