create function eventlive.insert_session(
    _webinar_id uuid, _session_id uuid, _user_id uuid, _at timestamptz, _interval_s real, _expiry_factor real, _client jsonb
)
returns uuid
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_leave_token uuid;
begin
    with inserted as (
        insert into eventlive.webinar_user_sessions as s (
            webinar_id, session_id, user_id, entered_at, last_heartbeat_at, expires_at, interval_s, client
        )
        values (
            _webinar_id, _session_id, _user_id, _at, _at, _at + _expiry_factor * _interval_s * interval '1 second',
            _interval_s, _client
        )
        on conflict (webinar_id, session_id) do nothing
        returning s.leave_token
    ), logged as (
        insert into eventlive.event_access_logs (webinar_id, occurred_at, event, user_id, session_id, detail)
        -- Where the visit came from, which staff may read; the rest of _client is the viewer's own affair.
        select _webinar_id, _at, 'entered', _user_id, _session_id,
               jsonb_strip_nulls(jsonb_build_object(
                   'referrer', _client -> 'referrer', 'campaign', _client -> 'campaign'))
          from inserted
    )
    select i.leave_token into v_leave_token from inserted i;
    return v_leave_token;
end
$$;

comment on function eventlive.insert_session(uuid, uuid, uuid, timestamptz, real, real, jsonb) is
    'Opens and logs a session and returns its leave token; null where the id is taken.';
revoke all on function eventlive.insert_session(uuid, uuid, uuid, timestamptz, real, real, jsonb)
    from public, anon, authenticated, service_role;
