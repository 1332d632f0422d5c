-- The visit log by time: partitions are there before they are needed, and old ones are dropped, never emptied by row.
--
-- What came while a partition was missing is in the default one. It is not moved either: the table becomes a partition,
-- and a new empty one takes its place. That is done in three steps, none of which holds a lock on the log for longer
-- than a change of the catalog takes, at any of which the job may die, and in none of which an event could be refused:
-- 'swap' puts the new one in place, and from then on events find the partitions of now and later; 'check' reads the old
-- one through, to prove what it holds (until 'attach' its events are not seen in the log: seconds, for millions of
-- them); 'attach' makes it a partition, with the stragglers that came since.
--
-- Whoever may change the log may also take partitions out, rename them, or put others in. What is there is taken as it
-- is: names that are taken are left alone, and what stands in the way of one step keeps no other from being done. It is
-- told at the end, by 'tell', which fails. What an earlier run has left aside is attached after all else: it may be what
-- that run failed by, for a reason that nobody thought of.

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
    v_default regclass := eventlive.event_log_default();
    v_left regclass := (select d.relation from eventlive.event_log_draining() d);
    v_aside regclass;
    v_at timestamptz := v_now;
    v_lower timestamptz;
    v_end timestamptz;
    v_old bigint;
begin
    if exists (
        select from pg_partitioned_table t where t.partrelid = 'eventlive.event_access_logs'::regclass and t.partdefid = 0
    ) then
        return query select null::uuid, null::uuid[], 'catch', 0::bigint;
    elsif v_default is null then
        v_at := eventlive.event_log_boundary(v_now);
    end if;
    return query
    select null::uuid, null::uuid[], 'finish', 0::bigint from eventlive.event_log_half_detached() h where h.owned;

    -- Below the oldest partition there is only what has been dropped already: a session that ended long ago, and was
    -- closed only now.
    select min(p.lower_bound) into v_end from eventlive.event_log_partitions() p having min(p.lower_bound) <= v_before;
    v_old := eventlive.event_log_count_caught('-infinity', v_end, null);
    return query
    select null::uuid, null::uuid[], 'discard', least(v_limit, v_old - b.done)
      from generate_series(0, v_old - 1, v_limit) as b (done);

    if v_left is null then
        select c.lower_bound, c.upper_bound into v_lower, v_end from eventlive.event_log_caught() c;
        if v_lower is not null then
            v_aside := v_default;
            return query select null::uuid, null::uuid[], 'swap', 0::bigint;
            if v_end > v_now then
                v_at := least(eventlive.event_log_boundary(v_now), v_end);
            end if;
        end if;
    end if;
    return query
    select null::uuid, null::uuid[], s.step, s.amount
      from pg_class c
     cross join lateral (values ('check', 0::bigint), ('attach', greatest(c.reltuples, 0)::bigint)) as s (step, amount)
     where c.oid = v_aside;

    loop
        select greatest(g.lower_bound, v_at), g.upper_bound
          into v_lower, v_end
          from eventlive.event_log_gaps() g
         where g.upper_bound > v_at
         order by g.lower_bound
         limit 1;
        exit when v_lower is null or v_lower >= v_until;
        return query select null::uuid, null::uuid[], 'add', 0::bigint;
        v_at := least(eventlive.event_log_boundary(v_lower), v_end);
    end loop;

    return query
    select null::uuid, null::uuid[], s.step || ' ' || p.name, s.amount
      from eventlive.event_log_partitions() p
      join pg_class c on c.oid = p.relation
     cross join lateral (values ('detach', 1, 0::bigint), ('drop', 2, greatest(c.reltuples, 0)::bigint))
           as s (step, place, amount)
     where p.owned and p.upper_bound <= v_before
     order by p.lower_bound, s.place;
    return query
    select null::uuid, null::uuid[], 'drop ' || e.name, e.events
      from eventlive.expired_event_log_tables() e
     where e.needed_by is null;
    if v_left is not null then
        return query
        select null::uuid, null::uuid[], s.step, s.amount
          from pg_class c
         cross join lateral (values ('check', 0::bigint), ('attach', greatest(c.reltuples, 0)::bigint)) as s (step, amount)
         where c.oid = v_left;
    end if;
    return query
    select null::uuid, null::uuid[], 'tell', 0::bigint where exists (select from eventlive.event_log_obstacles());
end
$$;

comment on function eventlive.rotate_event_logs_work() is
    'What there is to do for the visit log: discard (strays past the retention), swap, check and attach (what the default partition caught), add, detach and drop; catch (a default partition that is missing), finish (what is half detached), and tell (what cannot be done).';
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
    v_before timestamptz := eventlive.retention_end('event_log_retention_days', null);
    v_verb text := split_part(_step, ' ', 1);
    v_name text := substr(_step, length(v_verb) + 2);
    v_default regclass := eventlive.event_log_default();
    v_lower timestamptz;
    v_end timestamptz;
    v_relation regclass;
    v_expired text;
    v_told record;
    v_rows bigint := 0;
begin
    case v_verb
    when 'catch' then
        if v_default is null then
            v_name := eventlive.event_log_free_name('eventlive', 'event_access_logs_default', '');
            perform eventlive.make_event_log_table(v_name);
            perform eventlive.attach_event_log_partition(v_name, null, null);
        end if;

    when 'finish' then
        select h.relation into v_relation from eventlive.event_log_half_detached() h where h.owned;
        if found then
            execute format('alter table eventlive.event_access_logs detach partition %s finalize', v_relation);
            -- Sessions keep in mind what the default partition may take, and FINALIZE, which knows of none, has none of
            -- them look again. A change of the table does.
            if v_default is not null then
                execute format('alter table %s enable row level security', v_default);
            end if;
        end if;

    when 'discard' then
        select min(p.lower_bound) into v_end from eventlive.event_log_partitions() p having min(p.lower_bound) <= v_before;
        if found and v_default is not null then
            execute format($discard$
                with batch as materialized (
                    select d.webinar_id, d.occurred_at, d.event_id
                      from %1$s d
                     where d.occurred_at < $1
                     limit $2
                       for update skip locked
                ), deleted as (
                    delete from %1$s d
                     using batch b
                     where d.webinar_id = b.webinar_id and d.occurred_at = b.occurred_at and d.event_id = b.event_id
                    returning 1
                )
                select count(*) from deleted
            $discard$, v_default) into v_rows using v_end, _amount;
        end if;

    when 'swap' then
        perform eventlive.swap_event_log_default();

    when 'check' then
        perform eventlive.check_event_log_draining();

    when 'attach' then
        v_rows := eventlive.attach_event_log_draining();

    when 'add' then
        -- What is aside for a while has its own place in the log, which is not to be taken; nor can be what somebody
        -- else's default partition has caught.
        select greatest(upper(d.range), case when v_default is null then eventlive.event_log_boundary(v_now) end)
          into v_lower
          from eventlive.event_log_draining() d;
        select greatest(g.lower_bound, v_lower), g.upper_bound
          into v_lower, v_end
          from eventlive.event_log_gaps() g
         where g.upper_bound > greatest(v_now, v_lower)
         order by g.lower_bound
         limit 1;
        if v_lower < v_now + eventlive.setting_number('event_log_ahead_days')::integer * interval '24 hours' then
            perform eventlive.add_event_log_partition(
                v_lower, least(eventlive.event_log_boundary(greatest(v_lower, v_now)), v_end));
        end if;

    when 'detach' then
        select p.relation,
               eventlive.event_log_free_name(c.relnamespace, regexp_replace(p.name, '[^ -~]', '_', 'g'), '_expired')
          into v_relation, v_expired
          from eventlive.event_log_partitions() p
          join pg_class c on c.oid = p.relation
         where p.name = v_name and p.owned and p.upper_bound <= v_before;
        if found then
            perform eventlive.lock_event_log(true);
            execute format('alter table eventlive.event_access_logs detach partition %s', v_relation);
            execute format('comment on table %s is %L', v_relation, 'Was a partition of the visit log, and is past its retention.');
            execute format('alter table %s rename to %I', v_relation, v_expired);
        end if;

    when 'drop' then
        -- It is no part of the log any more, so nobody waits for this.
        v_name := left(regexp_replace(v_name, '[^ -~]', '_', 'g'), 37);
        select e.relation
          into v_relation
          from eventlive.expired_event_log_tables() e
         where e.needed_by is null and starts_with(e.name, v_name)
         order by e.name
         limit 1;
        if found then
            execute format('drop table %s', v_relation);
            v_rows := _amount;
        end if;

    when 'tell' then
        select string_agg(o.obstacle, '; ') as obstacles, string_agg(o.advice, '; ') as advice
          into v_told
          from eventlive.event_log_obstacles() o;
        if v_told.obstacles is not null then
            raise exception using
                errcode = 'object_not_in_prerequisite_state',
                message = v_told.obstacles,
                detail = 'rotation_obstructed',
                hint = v_told.advice;
        end if;
    end case;
    return v_rows;
end
$$;

comment on function eventlive.rotate_event_logs_step(text, bigint) is
    'Does one of the steps that rotate_event_logs_work named, if it is still to be done. How many events it moved or dropped, about.';
revoke all on function eventlive.rotate_event_logs_step(text, bigint) from public, anon, authenticated, service_role;
