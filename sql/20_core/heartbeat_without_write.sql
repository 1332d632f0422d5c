create function eventlive.heartbeat_without_write(_webinar_id uuid, _session_id uuid, _user_id uuid, _now timestamptz)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_session record;
begin
    select s.user_id, s.exited_at, s.exit_reason, s.replaced_by, s.expires_at, l.closed_at, l.settings_version,
           l.fallback_poll_interval_s, s.interval_s, l.watch_credit_factor * s.interval_s as credited_s,
           extract(epoch from _now - s.last_heartbeat_at) as elapsed_s
      into v_session
      from eventlive.webinar_user_sessions s
      join eventlive.webinar_live l on l.webinar_id = s.webinar_id
     where s.webinar_id = _webinar_id and s.session_id = _session_id;

    if not found then
        if _webinar_id is null or _session_id is null then
            perform eventlive.raise_error('invalid_argument',
                '{"argument": "_webinar_id or _session_id", "must_be": "a uuid"}');
        end if;
        perform eventlive.raise_error('session_not_found');
    elsif v_session.user_id is distinct from _user_id then
        -- The same answer as for a session that does not exist.
        perform eventlive.raise_error('session_not_found');
    elsif v_session.exited_at is not null then
        return jsonb_strip_nulls(jsonb_build_object(
            'state', v_session.exit_reason,
            'exited_at', v_session.exited_at,
            'replaced_by', v_session.replaced_by,
            'server_time', _now,
            'settings_version', v_session.settings_version
        )) || '{"next_heartbeat_s": null}';
    elsif v_session.expires_at <= _now or v_session.closed_at is not null then
        return jsonb_build_object(
            'state', case when v_session.expires_at <= coalesce(v_session.closed_at, _now) then 'expired' else 'webinar_ended' end,
            'exited_at', least(v_session.expires_at, v_session.closed_at),
            'server_time', _now,
            'settings_version', v_session.settings_version,
            'next_heartbeat_s', null
        );
    end if;

    -- Not when it would have been due: a first heartbeat comes at a random moment, and who entered together would from
    -- then on beat together. As long as nothing is lost, the next one comes a whole interval after this one.
    return jsonb_build_object(
        'state', 'open',
        'next_heartbeat_s', greatest(
            round(least(v_session.interval_s::numeric, v_session.credited_s::numeric - v_session.elapsed_s), 3), 0.001),
        'fallback_poll_interval_s', trim_scale(round(v_session.fallback_poll_interval_s::numeric, 3)),
        'server_time', _now,
        'settings_version', v_session.settings_version
    );
end
$$;

comment on function eventlive.heartbeat_without_write(uuid, uuid, uuid, timestamptz) is
    'The reply to a heartbeat that changes nothing: too early, or the session is over.';
revoke all on function eventlive.heartbeat_without_write(uuid, uuid, uuid, timestamptz)
    from public, anon, authenticated, service_role;
