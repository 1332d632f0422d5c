create function eventlive.paced_intervals(
    _settings jsonb, _participants integer, _guests integer,
    out ping_s real, out heartbeat_s real, out poll_s real, out stretched boolean
)
returns record
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    ping_s := eventlive.paced_interval_s(
        (_settings ->> 'presence_ping_interval_s')::real, (_settings ->> 'presence_ping_max_interval_s')::real,
        (_settings ->> 'presence_target_rps')::real, _participants);
    heartbeat_s := eventlive.paced_interval_s(
        (_settings ->> 'session_heartbeat_interval_s')::real, (_settings ->> 'session_heartbeat_max_interval_s')::real,
        (_settings ->> 'heartbeat_target_rps')::real, _participants + _guests);
    poll_s := eventlive.paced_interval_s(
        (_settings ->> 'fallback_poll_interval_s')::real, (_settings ->> 'fallback_poll_max_interval_s')::real,
        (_settings ->> 'fallback_target_rps')::real, _participants + _guests);
    -- Polling is left out: who does not poll is no load, however long the interval.
    stretched := ping_s > (_settings ->> 'presence_ping_interval_s')::real
        or heartbeat_s > (_settings ->> 'session_heartbeat_interval_s')::real;
end
$$;

comment on function eventlive.paced_intervals(jsonb, integer, integer) is
    'The intervals that an audience is given under these settings, in seconds, and whether it is so large that those of ping or heartbeat are longer than usual.';
revoke all on function eventlive.paced_intervals(jsonb, integer, integer) from public, anon, authenticated, service_role;
