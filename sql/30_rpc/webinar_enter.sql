-- The one call on entry: policies, registration, duplicate logins, session, presence, log.
--
-- Locks are taken in one order everywhere: the webinar's advisory lock, the registration, sessions, presence. The
-- registration row is what two entries of one user queue at, so that a duplicate login has exactly one winner.

create function eventlive.webinar_enter(_webinar_id uuid, _session_id uuid, _client jsonb, _take_over boolean)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.current_user_id();
    v_now timestamptz;
    v_restored boolean := eventlive.restore_durability();
    v_read_committed boolean := eventlive.require_read_committed();
    v_webinar record;
    v_registration eventlive.registrations;
    v_row record;
    v_entered_at timestamptz;
    v_leave_token uuid;
    v_created boolean := false;
    v_replaced integer := 0;
    v_state text;
    v_other_ids uuid[] := '{}';
    v_expired_ids uuid[] := '{}';
    v_others jsonb := '[]';
    v_retry_after_s numeric;
begin
    if _webinar_id is null or _session_id is null or _take_over is null or jsonb_typeof(_client) is distinct from 'object' then
        perform eventlive.raise_error('invalid_argument', jsonb_build_object(
            'argument', '_webinar_id, _session_id, _client or _take_over',
            'must_be', 'a uuid, a uuid, a JSON object, a boolean; none of them null'));
    end if;

    perform pg_advisory_xact_lock_shared(eventlive.webinar_lock_key(_webinar_id));
    select w.status, w.access_policy, w.entry_policy, w.duplicate_login_policy,
           l.presence_ping_interval_s, l.session_heartbeat_interval_s, l.throttle_factor, l.expiry_factor,
           l.settings, l.client_settings
      into v_webinar
      from eventlive.webinars w
      join eventlive.webinar_live l on l.webinar_id = w.id
     where w.id = _webinar_id;
    if not found or (v_webinar.status = 'draft' and v_user_id is null) then
        perform eventlive.raise_error('webinar_not_found');
    elsif v_webinar.status = 'ended' then
        perform eventlive.raise_error('webinar_ended');
    end if;

    if v_user_id is not null then
        v_registration := eventlive.registration_for_entry(
            _webinar_id, v_user_id, v_webinar.status, v_webinar.access_policy, v_webinar.entry_policy,
            (v_webinar.settings ->> 'email_verified_claim_required')::boolean);
    elsif v_webinar.access_policy <> 'guest_allowed' then
        perform eventlive.raise_error('guests_not_allowed');
    elsif v_webinar.entry_policy = 'registered_only' then
        perform eventlive.raise_error('not_registered');
    end if;

    -- Not before: to a stranger a draft is no webinar, however large what they send.
    if pg_column_size(_client) > (v_webinar.settings ->> 'client_info_max_bytes')::numeric::integer then
        perform eventlive.raise_error('invalid_argument', jsonb_build_object(
            'argument', '_client',
            'must_be', format('at most %s bytes', v_webinar.settings ->> 'client_info_max_bytes')));
    end if;

    -- This session, if the call is a retry, and the other open ones of the user. Read while the registration is
    -- locked, so that nobody else is entering as this user.
    v_now := clock_timestamp();
    for v_row in
        select s.session_id, s.user_id, s.entered_at, s.last_heartbeat_at, s.expires_at, s.exited_at, s.exit_reason,
               s.replaced_by, s.leave_token
          from eventlive.webinar_user_sessions s
         where s.webinar_id = _webinar_id and s.session_id = _session_id
        union all
        select o.session_id, o.user_id, o.entered_at, o.last_heartbeat_at, o.expires_at, null, null, null, null
          from (
                -- Locked, the expired ones too: a heartbeat made just before its session expired may be under way.
                select s.session_id, s.user_id, s.entered_at, s.last_heartbeat_at, s.expires_at
                  from eventlive.webinar_user_sessions s
                 where s.webinar_id = _webinar_id
                   and s.user_id = v_user_id
                   and s.exited_at is null
                   and s.session_id <> _session_id
                   for no key update
               ) o
         order by entered_at, session_id
    loop
        if v_row.session_id = _session_id then
            perform eventlive.check_session_is_open(
                v_user_id, v_row.user_id, v_row.expires_at, v_row.exited_at, v_row.exit_reason, v_row.replaced_by);
            v_entered_at := v_row.entered_at;
            v_leave_token := v_row.leave_token;
        elsif v_row.expires_at <= v_now then
            v_expired_ids := v_expired_ids || v_row.session_id;
        else
            v_other_ids := v_other_ids || v_row.session_id;
            v_retry_after_s := least(v_retry_after_s, round(extract(epoch from v_row.expires_at - v_now), 3));
            v_others := v_others || jsonb_build_object(
                'session_id', v_row.session_id,
                'entered_at', v_row.entered_at,
                'last_heartbeat_at', v_row.last_heartbeat_at);
        end if;
    end loop;

    if v_leave_token is not null then
        v_state := eventlive.webinar_session_heartbeat(_webinar_id, _session_id) ->> 'state';
        if v_state <> 'open' then
            -- Over since the look, which only a guest's can be: nothing locks it but the heartbeat.
            perform eventlive.raise_error(
                case v_state when 'webinar_ended' then 'webinar_ended' else 'session_' || v_state end);
        end if;
    else
        if v_other_ids = '{}' then
            null;
        elsif v_webinar.duplicate_login_policy = 'reject'
            or (v_webinar.duplicate_login_policy = 'ask' and not _take_over)
        then
            perform eventlive.raise_error('duplicate_session', jsonb_build_object('sessions', v_others));
        elsif v_webinar.duplicate_login_policy <> 'allow' or _take_over then
            v_replaced := eventlive.close_sessions(_webinar_id, v_other_ids, 'replaced', v_now, _session_id);
            v_others := '[]';
        elsif cardinality(v_other_ids) >= (v_webinar.settings ->> 'max_open_sessions_per_user')::numeric::integer then
            perform eventlive.raise_error('too_many_sessions', jsonb_build_object(
                'sessions', v_others, 'retry_after_s', v_retry_after_s));
        end if;

        if v_expired_ids <> '{}' then
            -- Closed, so that such a heartbeat cannot bring them back beside this one.
            perform eventlive.close_sessions(_webinar_id, v_expired_ids, 'expired', v_now);
        end if;
        v_entered_at := v_now;
        v_leave_token := eventlive.insert_session(
            _webinar_id, _session_id, v_user_id, v_now, v_webinar.session_heartbeat_interval_s,
            v_webinar.expiry_factor, _client);
        if v_leave_token is null then
            -- Another call made this session in this very moment: now it is a retry.
            return eventlive.webinar_enter(_webinar_id, _session_id, _client, _take_over);
        end if;
        v_created := true;
    end if;

    if v_user_id is not null then
        insert into eventlive.webinar_live_presence as p (
            webinar_id, user_id, joined_at, last_seen_at, expires_at, throttle_s, ttl_s
        )
        values (
            _webinar_id, v_user_id, v_now, v_now,
            v_now + v_webinar.expiry_factor * v_webinar.session_heartbeat_interval_s * interval '1 second',
            v_webinar.throttle_factor * v_webinar.presence_ping_interval_s,
            v_webinar.expiry_factor * v_webinar.presence_ping_interval_s
        )
        on conflict (webinar_id, user_id) do update
           set joined_at = case when p.expires_at < excluded.joined_at then excluded.joined_at else p.joined_at end,
               last_seen_at = greatest(p.last_seen_at, excluded.last_seen_at),
               expires_at = greatest(p.expires_at, excluded.expires_at),
               throttle_s = excluded.throttle_s,
               ttl_s = excluded.ttl_s;
    end if;

    return jsonb_build_object(
        'session', jsonb_build_object(
            'webinar_id', _webinar_id, 'session_id', _session_id, 'state', 'open', 'entered_at', v_entered_at),
        'created', v_created,
        'registration', case when v_user_id is not null then eventlive.registration_reply(v_registration) end,
        'status', v_webinar.status,
        'settings', v_webinar.client_settings,
        'next_heartbeat_s', round(v_webinar.session_heartbeat_interval_s::numeric, 3),
        'first_heartbeat_s', round((v_webinar.session_heartbeat_interval_s * random())::numeric, 3),
        'leave_token', v_leave_token,
        'other_sessions', v_others,
        'replaced_sessions', v_replaced,
        'server_time', v_now
    );
end
$$;

comment on function eventlive.webinar_enter(uuid, uuid, jsonb, boolean) is 'Body of eventlive_api.webinar_enter.';
revoke all on function eventlive.webinar_enter(uuid, uuid, jsonb, boolean) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_enter(uuid, uuid, jsonb, boolean) to anon, authenticated;

create function eventlive_api.webinar_enter(
    _webinar_id uuid, _session_id uuid, _client jsonb default '{}', _take_over boolean default false
)
returns jsonb
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_enter(_webinar_id, _session_id, _client, _take_over);
end;

comment on function eventlive_api.webinar_enter(uuid, uuid, jsonb, boolean) is
    'Enters a webinar with a session id that the client made. A retry with the same id is the same session. Under the duplicate-login policy ask a second login gets 409 duplicate_session with the other sessions, and may enter again with _take_over true.';
revoke all on function eventlive_api.webinar_enter(uuid, uuid, jsonb, boolean) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_enter(uuid, uuid, jsonb, boolean) to anon, authenticated;
