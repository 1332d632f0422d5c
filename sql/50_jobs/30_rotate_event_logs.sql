-- The visit log by time: partitions are there before they are needed, and old ones are dropped, never emptied by row.
--
-- What came while a partition was missing is in the default one. It is not moved either: the table becomes a partition,
-- and a new empty one takes its place. That is done in three steps, none of which holds a lock on the log for longer
-- than a change of the catalog takes, at any of which the job may die, and in none of which an event could be refused:
-- 'swap' puts the new one in place, and from then on events find the partitions of now and later; 'check' reads the old
-- one through, to prove what it holds (until 'attach' its events are not seen in the log: seconds, for millions of
-- them); 'attach' makes it a partition, with the stragglers that came since.

create function eventlive.rotate_event_logs_work()
returns table (webinar_id uuid, ids uuid[], step text, amount bigint)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_before timestamptz := eventlive.retention_end('event_log_retention_days', null);
    v_until timestamptz := v_now + eventlive.setting_number('event_log_ahead_days')::integer * interval '24 hours';
    v_limit bigint := eventlive.setting_number('job_batch_size');
    v_upper timestamptz := (select max(p.upper_bound) from eventlive.event_log_partitions() p);
    v_draining bigint;
    v_old bigint;
begin
    -- Below the oldest partition there is only what has been dropped already: a session that ended long ago, and was
    -- closed only now.
    if v_upper is not null then
        select count(*) into v_old
          from eventlive.event_access_logs_default d
         where d.occurred_at < least(v_before, v_upper);
        return query
        select null::uuid, null::uuid[], 'discard', least(v_limit, v_old - b.done)
          from generate_series(0, v_old - 1, v_limit) as b (done);
    end if;

    select greatest(c.reltuples, 0)::bigint
      into v_draining
      from pg_class c
     where c.oid = to_regclass('eventlive.event_access_logs_draining');
    if v_draining is null
        and exists (
            select from eventlive.event_access_logs_default d where d.occurred_at >= coalesce(v_upper, '-infinity')
        )
    then
        select greatest(c.reltuples, 0)::bigint
          into v_draining
          from pg_class c
         where c.oid = 'eventlive.event_access_logs_default'::regclass;
        return query select null::uuid, null::uuid[], 'swap', 0::bigint;
        v_upper := eventlive.event_log_boundary(v_now);
    end if;
    if v_draining is not null then
        return query
        select null::uuid, null::uuid[], s.step, s.amount
          from (values ('check', 0::bigint), ('attach', v_draining)) as s (step, amount);
    end if;

    v_upper := coalesce(v_upper, '-infinity');
    while v_upper < v_until loop
        return query select null::uuid, null::uuid[], 'add', 0::bigint;
        v_upper := eventlive.event_log_boundary(greatest(v_upper, v_now));
    end loop;

    return query
    select null::uuid, null::uuid[], s.step || ' ' || p.name, s.amount
      from eventlive.event_log_partitions() p
      join pg_class c on c.oid = format('eventlive.%I', p.name)::regclass
     cross join lateral (values ('detach', 1, 0::bigint), ('drop', 2, greatest(c.reltuples, 0)::bigint))
           as s (step, place, amount)
     where p.upper_bound <= v_before
     order by p.lower_bound, s.place;
    return query
    select null::uuid, null::uuid[], 'drop ' || regexp_replace(c.relname, '_expired$', ''), greatest(c.reltuples, 0)::bigint
      from pg_class c
     where c.relnamespace = 'eventlive'::regnamespace
       and c.relkind = 'r'
       and c.relname ~ '^event_access_logs_(p|until_)[0-9_]+_expired$'
     order by c.relname;
end
$$;

comment on function eventlive.rotate_event_logs_work() is
    'What there is to do for the visit log: discard (strays past the retention), swap, check and attach (what the default partition caught), add, detach and drop.';
revoke all on function eventlive.rotate_event_logs_work() from public, anon, authenticated, service_role;

create function eventlive.rotate_event_logs_step(_step text, _amount bigint)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_name text := nullif(split_part(_step, ' ', 2), '');
    v_upper timestamptz := (select max(p.upper_bound) from eventlive.event_log_partitions() p);
    v_range tstzrange;
    v_rows bigint := 0;
begin
    case split_part(_step, ' ', 1)
    when 'discard' then
        with batch as materialized (
            select d.webinar_id, d.occurred_at, d.event_id
              from eventlive.event_access_logs_default d
             where d.occurred_at < least(eventlive.retention_end('event_log_retention_days', null), v_upper)
             limit _amount
               for update skip locked
        ), deleted as (
            delete from eventlive.event_access_logs_default d
             using batch b
             where d.webinar_id = b.webinar_id and d.occurred_at = b.occurred_at and d.event_id = b.event_id
            returning 1
        )
        select count(*) into v_rows from deleted;

    when 'swap' then
        perform eventlive.swap_event_log_default();

    when 'check' then
        perform eventlive.check_event_log_draining();

    when 'attach' then
        v_rows := eventlive.attach_event_log_draining();

    when 'add' then
        if v_upper is null or v_upper < v_now + eventlive.setting_number('event_log_ahead_days')::integer * interval '24 hours' then
            perform eventlive.add_event_log_partition(
                coalesce(v_upper, '-infinity'), eventlive.event_log_boundary(greatest(v_upper, v_now)));
        end if;

    when 'detach' then
        if exists (
            select
              from eventlive.event_log_partitions() p
             where p.name = v_name and p.upper_bound <= eventlive.retention_end('event_log_retention_days', null)
        ) then
            execute format('alter table eventlive.event_access_logs detach partition eventlive.%I', v_name);
            execute format('alter table eventlive.%I rename to %I', v_name, v_name || '_expired');
        end if;

    when 'drop' then
        -- Only what 'detach' has renamed. It is no part of the log any more, so nobody waits for this.
        if to_regclass(format('eventlive.%I', v_name || '_expired')) is not null then
            execute format('drop table eventlive.%I', v_name || '_expired');
            v_rows := _amount;
        end if;
    end case;
    return v_rows;
end
$$;

comment on function eventlive.rotate_event_logs_step(text, bigint) is
    'Does one of the steps that rotate_event_logs_work named, if it is still to be done. How many events it moved or dropped, about.';
revoke all on function eventlive.rotate_event_logs_step(text, bigint) from public, anon, authenticated, service_role;
