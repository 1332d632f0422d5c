-- One call keeps the session and the presence alive. Two statements when it writes, and no more than two otherwise.
--
-- A session without an exit_reason has not exited. Asked for exited_at, the planner would take the index of open sessions
-- where statistics know of none yet, and read all those of the webinar.

create function eventlive.webinar_session_heartbeat(_webinar_id uuid, _session_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.claimed_user_id();
    v_now timestamptz := clock_timestamp();
    v_alone boolean := pg_current_xact_id_if_assigned() is null;
    v_beat record;
begin
    update eventlive.webinar_user_sessions s
       set last_heartbeat_at = v_now,
           watched_seconds = s.watched_seconds
               + eventlive.watch_credit(s.last_heartbeat_at, v_now, l.watch_credit_factor * s.interval_s),
           interval_s = n.interval_s,
           expires_at = v_now + l.expiry_factor * n.interval_s * interval '1 second'
      from eventlive.webinar_live l
     cross join lateral (
            select (l.session_heartbeat_interval_s * (1 + l.pacing_jitter * (2 * random() - 1)))::real as interval_s
           ) n
     where s.webinar_id = _webinar_id
       and s.session_id = _session_id
       and s.user_id is not distinct from v_user_id
       and s.exit_reason is null
       and s.expires_at > v_now
       and s.last_heartbeat_at <= v_now - l.throttle_factor * s.interval_s * interval '1 second'
       and l.webinar_id = _webinar_id
       and l.closed_at is null
    returning s.interval_s, l.settings_version, l.fallback_poll_interval_s,
              l.expiry_factor * s.interval_s as session_ttl_s,
              l.throttle_factor * l.presence_ping_interval_s as throttle_s,
              l.expiry_factor * l.presence_ping_interval_s as ttl_s
         into v_beat;

    if not found then
        return eventlive.heartbeat_without_write(_webinar_id, _session_id, v_user_id, v_now);
    end if;

    if v_user_id is not null then
        update eventlive.webinar_live_presence p
           set last_seen_at = greatest(p.last_seen_at, v_now),
               expires_at = greatest(p.expires_at, v_now + v_beat.session_ttl_s * interval '1 second'),
               throttle_s = v_beat.throttle_s,
               ttl_s = v_beat.ttl_s
         where p.webinar_id = _webinar_id and p.user_id = v_user_id;
        if not found then
            perform eventlive.recreate_presence(_webinar_id, v_user_id, v_now, v_beat.session_ttl_s, v_beat.throttle_s, v_beat.ttl_s);
        end if;
    end if;

    if v_alone then
        v_alone := eventlive.relax_durability();
    end if;
    return jsonb_build_object(
        'state', 'open',
        'next_heartbeat_s', round(v_beat.interval_s::numeric, 3),
        'fallback_poll_interval_s', trim_scale(round(v_beat.fallback_poll_interval_s::numeric, 3)),
        'server_time', v_now,
        'settings_version', v_beat.settings_version
    );
end
$$;

comment on function eventlive.webinar_session_heartbeat(uuid, uuid) is 'Body of eventlive_api.webinar_session_heartbeat.';
revoke all on function eventlive.webinar_session_heartbeat(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_session_heartbeat(uuid, uuid) to anon, authenticated;

create function eventlive_api.webinar_session_heartbeat(_webinar_id uuid, _session_id uuid)
returns jsonb
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_session_heartbeat(_webinar_id, _session_id);
end;

comment on function eventlive_api.webinar_session_heartbeat(uuid, uuid) is
    'Keeps a session and its presence alive and credits watch time. state is open, or why the session is over: left, expired, replaced (with replaced_by and exited_at), ejected, webinar_ended; then stop. next_heartbeat_s says when to call again; fallback_poll_interval_s, how often to poll for messages if Realtime is lost. Inside the throttle it writes nothing.';
revoke all on function eventlive_api.webinar_session_heartbeat(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_session_heartbeat(uuid, uuid) to anon, authenticated;
