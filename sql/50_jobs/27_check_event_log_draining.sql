create function eventlive.check_event_log_draining()
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
    v_range tstzrange := eventlive.event_log_draining_range();
    v_strays boolean;
begin
    if v_range is null
        or exists (
            select
              from pg_constraint c
             where c.conrelid = to_regclass('eventlive.event_access_logs_draining')
               and c.conname = 'event_access_logs_draining_range'
        )
    then
        return;
    end if;

    -- Events of another time go where the log has them now: a partition, or the default one.
    execute 'select exists (select from eventlive.event_access_logs_draining d where d.occurred_at < $1 or d.occurred_at >= $2)'
       into v_strays
      using lower(v_range), upper(v_range);
    if v_strays then
        execute $move$
            with strays as (
                delete from eventlive.event_access_logs_draining d where d.occurred_at < $1 or d.occurred_at >= $2
                returning d.webinar_id, d.occurred_at, d.event_id, d.event, d.user_id, d.session_id, d.detail
            )
            insert into eventlive.event_access_logs
                (webinar_id, occurred_at, event_id, event, user_id, session_id, detail)
            overriding system value
            select s.webinar_id, s.occurred_at, s.event_id, s.event, s.user_id, s.session_id, s.detail from strays s
        $move$ using lower(v_range), upper(v_range);
    end if;
    execute format('alter table eventlive.event_access_logs_draining add constraint event_access_logs_draining_range '
        'check (occurred_at >= %L and occurred_at < %L)', lower(v_range), upper(v_range));
end
$$;

comment on function eventlive.check_event_log_draining() is
    'Proves by a constraint that event_access_logs_draining holds what it stands for, so that attaching it need not look.';
revoke all on function eventlive.check_event_log_draining() from public, anon, authenticated, service_role;
