create function eventlive.event_log_caught(out lower_bound timestamptz, out upper_bound timestamptz)
returns record
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    for lower_bound, upper_bound in
        select g.lower_bound, g.upper_bound from eventlive.event_log_gaps() g order by g.lower_bound desc
    loop
        if eventlive.event_log_count_caught(lower_bound, least(upper_bound, v_now), 1) > 0 then
            return;
        end if;
    end loop;
    lower_bound := null;
    upper_bound := null;
end
$$;

comment on function eventlive.event_log_caught() is
    'The latest gap between partitions of which the default one has events; null where it has none but strays.';
revoke all on function eventlive.event_log_caught() from public, anon, authenticated, service_role;
