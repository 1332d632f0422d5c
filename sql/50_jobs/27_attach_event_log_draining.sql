create function eventlive.attach_event_log_draining()
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
    v_range tstzrange := obj_description(to_regclass('eventlive.event_access_logs_draining'), 'pg_class')::tstzrange;
    v_name text := eventlive.event_log_partition_name(lower(v_range), upper(v_range));
    v_rows bigint;
begin
    if v_range is null then
        return 0;
    end if;

    -- Nobody adds another straggler: events of now go elsewhere.
    lock table eventlive.event_access_logs_default in access exclusive mode;
    execute $move$
        with stragglers as (
            delete from eventlive.event_access_logs_default d where d.occurred_at >= $1 and d.occurred_at < $2
            returning d.webinar_id, d.occurred_at, d.event_id, d.event, d.user_id, d.session_id, d.detail
        )
        insert into eventlive.event_access_logs_draining
            (webinar_id, occurred_at, event_id, event, user_id, session_id, detail)
        overriding system value
        select s.webinar_id, s.occurred_at, s.event_id, s.event, s.user_id, s.session_id, s.detail from stragglers s
    $move$ using lower(v_range), upper(v_range);

    select greatest(c.reltuples, 0)::bigint
      into v_rows
      from pg_class c
     where c.oid = 'eventlive.event_access_logs_draining'::regclass;
    execute format('alter table eventlive.event_access_logs_draining rename to %I', v_name);
    execute format('alter index eventlive.event_access_logs_draining_pkey rename to %I', v_name || '_pkey');
    execute format('alter policy event_access_logs_default_service on eventlive.%I rename to %I', v_name, v_name || '_service');
    perform eventlive.attach_event_log_partition(v_name, lower(v_range), upper(v_range));
    execute format('alter table eventlive.%I drop constraint event_access_logs_draining_range', v_name);
    return v_rows;
end
$$;

comment on function eventlive.attach_event_log_draining() is
    'Makes event_access_logs_draining a partition, with what came for it meanwhile. How many events it holds, about.';
revoke all on function eventlive.attach_event_log_draining() from public, anon, authenticated, service_role;
