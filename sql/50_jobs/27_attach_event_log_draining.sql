create function eventlive.attach_event_log_draining()
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_range tstzrange := eventlive.event_log_draining_range();
    v_name text := eventlive.event_log_partition_name(lower(v_range), upper(v_range));
    v_rows bigint;
begin
    if v_range is null then
        return 0;
    end if;
    select greatest(c.reltuples, 0)::bigint
      into v_rows
      from pg_class c
     where c.oid = to_regclass('eventlive.event_access_logs_draining');
    perform eventlive.rename_event_log_table('event_access_logs_draining', v_name);
    perform eventlive.attach_event_log_partition(v_name, lower(v_range), upper(v_range));
    execute format('alter table eventlive.%I drop constraint event_access_logs_draining_range', v_name);
    return v_rows;
end
$$;

comment on function eventlive.attach_event_log_draining() is
    'Makes event_access_logs_draining a partition, with what came for it meanwhile. How many events it holds, about.';
revoke all on function eventlive.attach_event_log_draining() from public, anon, authenticated, service_role;
