create function eventlive.event_log_partition_name(_lower timestamptz, _upper timestamptz)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
    v_stem text := case when _lower = '-infinity' then 'event_access_logs_until_' else 'event_access_logs_p' end;
    v_at timestamptz := case when _lower = '-infinity' then _upper else _lower end;
    v_name text;
begin
    loop
        v_name := v_stem
            || to_char(v_at, case when v_at = date_trunc('day', v_at) then 'YYYYMMDD' else 'YYYYMMDD_HH24MISSUS' end);
        exit when eventlive.event_log_free_name('eventlive', v_name, '') = v_name;
        v_at := v_at + interval '1 microsecond';
    end loop;
    return v_name;
end
$$;

comment on function eventlive.event_log_partition_name(timestamptz, timestamptz) is
    'A name for a partition of the visit log, after its beginning in UTC, or its end where it has none; after a moment later where that is taken.';
revoke all on function eventlive.event_log_partition_name(timestamptz, timestamptz) from public, anon, authenticated, service_role;
