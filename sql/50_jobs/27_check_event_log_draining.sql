create function eventlive.check_event_log_draining()
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
    v_aside regclass;
    v_stated tstzrange;
    v_range tstzrange;
    v_strays boolean;
begin
    select d.relation, d.range, d.range into v_aside, v_stated, v_range from eventlive.event_log_draining() d;
    -- Where somebody has made a partition in its place meanwhile, it has what is left of it after that.
    if exists (
        select from eventlive.event_log_partitions() p where tstzrange(p.lower_bound, p.upper_bound) && v_range
    ) then
        select tstzrange(g.lower_bound, g.upper_bound) * v_stated
          into v_range
          from eventlive.event_log_gaps() g
         where tstzrange(g.lower_bound, g.upper_bound) && v_stated
         order by g.lower_bound desc
         limit 1;
        execute format('alter table %s drop constraint if exists event_access_logs_draining_range', v_aside);
        execute format('comment on table %s is %L', v_aside, v_range);
    end if;
    if v_aside is null
        or exists (
            select
              from pg_constraint c
             where c.conrelid = v_aside and c.conname = 'event_access_logs_draining_range'
        )
    then
        return;
    end if;

    -- Events of another time go where the log has them now: a partition, or the default one. Somebody may have copied
    -- them there already: what is in both is one event.
    execute format('select exists (select from %s d where (d.occurred_at >= $1 and d.occurred_at < $2) is not true)', v_aside)
       into v_strays
      using lower(v_range), upper(v_range);
    if v_strays then
        execute format($move$
            with strays as (
                delete from %s d where (d.occurred_at >= $1 and d.occurred_at < $2) is not true
                returning d.webinar_id, d.occurred_at, d.event_id, d.event, d.user_id, d.session_id, d.detail
            )
            insert into eventlive.event_access_logs
                (webinar_id, occurred_at, event_id, event, user_id, session_id, detail)
            overriding system value
            select s.webinar_id, s.occurred_at, s.event_id, s.event, s.user_id, s.session_id, s.detail from strays s
                on conflict do nothing
        $move$, v_aside) using lower(v_range), upper(v_range);
    end if;
    if v_range is null then
        execute format('drop table %s', v_aside);
    else
        execute format('alter table %s add constraint event_access_logs_draining_range '
            'check (occurred_at >= %L and occurred_at < %L)', v_aside, lower(v_range), upper(v_range));
    end if;
end
$$;

comment on function eventlive.check_event_log_draining() is
    'Proves by a constraint that what is aside holds what it stands for, so that attaching it need not look.';
revoke all on function eventlive.check_event_log_draining() from public, anon, authenticated, service_role;
