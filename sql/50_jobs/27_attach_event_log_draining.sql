create function eventlive.attach_event_log_draining()
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_aside regclass;
    v_range tstzrange;
    v_name text;
    v_rows bigint;
begin
    select d.relation, d.range into v_aside, v_range from eventlive.event_log_draining() d;
    if v_aside is null then
        return 0;
    end if;
    select greatest(c.reltuples, 0)::bigint into v_rows from pg_class c where c.oid = v_aside;
    v_name := eventlive.event_log_partition_name(lower(v_range), upper(v_range));
    perform eventlive.rename_event_log_table(v_aside, v_name);
    perform eventlive.attach_event_log_partition(v_name, lower(v_range), upper(v_range));
    execute format('alter table eventlive.%I drop constraint event_access_logs_draining_range', v_name);
    return v_rows;
end
$$;

comment on function eventlive.attach_event_log_draining() is
    'Makes what is aside a partition, with what came for it meanwhile. How many events it holds, about.';
revoke all on function eventlive.attach_event_log_draining() from public, anon, authenticated, service_role;
