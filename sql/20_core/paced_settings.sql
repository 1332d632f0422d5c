create function eventlive.paced_settings(_client_settings jsonb, _ping_s real, _heartbeat_s real, _poll_s real)
returns jsonb
language sql
immutable
parallel safe
return _client_settings || jsonb_build_object(
    'presence_ping_interval_s', trim_scale(round(_ping_s::numeric, 3)),
    'session_heartbeat_interval_s', trim_scale(round(_heartbeat_s::numeric, 3)),
    'fallback_poll_interval_s', trim_scale(round(_poll_s::numeric, 3)));

comment on function eventlive.paced_settings(jsonb, real, real, real) is 'What clients are sent, with the intervals that they are to keep now.';
revoke all on function eventlive.paced_settings(jsonb, real, real, real) from public, anon, authenticated, service_role;
