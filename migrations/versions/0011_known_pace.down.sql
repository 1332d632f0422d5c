-- Released: never change this file. A change of the schema is a new migration.

set local lock_timeout = '5s';
set local search_path = pg_catalog, pg_temp;

set local role eventlive_owner;

create or replace function eventlive.raise_error(_token text, _payload jsonb default null)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_status integer;
    v_message text;
    v_hint text;
    v_detail text := case when _payload is null then _token else _token || ' ' || _payload::text end;
begin
    select e.status, e.message, e.hint
      into v_status, v_message, v_hint
      from (values
        ('invalid_argument', 400, 'Invalid argument',
            'The payload names the argument and what it must be.'),
        ('isolation_not_supported', 400, 'Isolation level not supported',
            'Call in a read committed transaction; look at default_transaction_isolation of the role and the database.'),
        ('unknown_setting', 400, 'Unknown setting',
            'The payload names the key; eventlive.settings lists the keys that exist.'),
        ('setting_out_of_range', 400, 'Setting out of range',
            'The payload gives the type and the bounds.'),
        ('unauthenticated', 401, 'Not signed in',
            'Send a token whose sub is the id of the user.'),
        ('invalid_claims', 401, 'Invalid claims',
            'request.jwt.claims must be a JSON object and its sub a uuid.'),
        ('token_expired', 401, 'Token expired',
            'Get a new token, then call again.'),
        ('token_not_accepted', 401, 'Token not accepted',
            'The payload names the claim that is missing or not what this service takes; get a token from its issuer.'),
        ('not_registered', 403, 'Not registered',
            'Register first; do not repeat this call before that.'),
        ('guests_not_allowed', 403, 'Guests are not allowed',
            'Sign in, then enter again.'),
        ('not_invited', 403, 'Not invited',
            'The e-mail address must be on the list of this webinar; ask its host.'),
        ('email_not_verified', 403, 'E-mail address not verified',
            'This webinar needs a token with a verified e-mail claim.'),
        ('ejected', 403, 'Ejected from this webinar',
            'Only a host can let this user in again.'),
        ('not_allowed', 403, 'Not allowed',
            'This needs a higher role in the webinar, an administrator or service_role.'),
        ('session_not_yours', 403, 'Not your session',
            'Make a new session id and enter with it.'),
        ('webinar_not_found', 404, 'No such webinar',
            'Check the id.'),
        ('session_not_found', 404, 'No such session',
            'Enter the webinar first; after entering, check the id and who is signed in.'),
        ('message_not_found', 404, 'No such message',
            'Check the id.'),
        ('duplicate_session', 409, 'Already watching in another session',
            'The payload lists the other sessions. Under the policy ask, enter again with _take_over true.'),
        ('webinar_exists', 409, 'A webinar with this slug exists',
            'Choose another slug, or change the existing one with webinar_configure.'),
        ('status_change_refused', 409, 'Status change refused',
            'The payload gives the present status and those that may follow it.'),
        ('last_host', 409, 'A webinar needs a host',
            'Make somebody else host first.'),
        ('webinar_ended', 410, 'The webinar has ended',
            'Stop calling for this webinar.'),
        ('session_replaced', 410, 'Session replaced by another one',
            'Make a new session id to enter again; the payload names the session that took over.'),
        ('session_ejected', 410, 'Session ejected',
            'Stop calling for this session.'),
        ('session_expired', 410, 'Session expired',
            'Make a new session id and enter again.'),
        ('session_left', 410, 'Session was left',
            'Make a new session id and enter again.'),
        ('too_many_sessions', 429, 'Too many open sessions',
            'Leave one first, or wait until one expires.'),
        ('too_many_messages', 429, 'Too many messages',
            'Wait as long as the payload says, then post again.'),
        ('fallback_disabled', 503, 'Polling for messages is switched off',
            'Wait as long as the payload says before polling again; posting and all else goes on.')
      ) as e (token, status, message, hint)
     where e.token = _token;

    if not found then
        raise exception using
            errcode = 'internal_error',
            message = format('raise_error does not know the token %s', _token);
    end if;

    if jsonb_typeof(_payload -> 'retry_after_s') = 'number' and current_setting('request.method', true) <> '' then
        raise exception using
            errcode = 'PGRST',
            message = jsonb_build_object(
                'code', 'PT' || v_status, 'message', v_message, 'details', v_detail, 'hint', v_hint),
            detail = jsonb_build_object(
                'status', v_status,
                'status_text', v_message,
                'headers', jsonb_build_object(
                    'Retry-After', greatest(ceil((_payload ->> 'retry_after_s')::numeric), 1)::text));
    end if;
    raise exception using
        errcode = 'PT' || v_status,
        message = v_message,
        detail = v_detail,
        hint = v_hint;
end
$$;

create or replace function eventlive.heartbeat_without_write(_webinar_id uuid, _session_id uuid, _user_id uuid, _now timestamptz)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_session record;
begin
    select s.user_id, s.exited_at, s.exit_reason, s.replaced_by, s.expires_at, l.closed_at, l.settings_version,
           s.interval_s, l.watch_credit_factor * s.interval_s as credited_s,
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
        'server_time', _now,
        'settings_version', v_session.settings_version
    );
end
$$;

create or replace function eventlive.webinar_session_heartbeat(_webinar_id uuid, _session_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.current_user_id();
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
       and s.exited_at is null
       and s.expires_at > v_now
       and s.last_heartbeat_at <= v_now - l.throttle_factor * s.interval_s * interval '1 second'
       and l.webinar_id = _webinar_id
       and l.closed_at is null
    returning s.interval_s, l.settings_version,
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
        'server_time', v_now,
        'settings_version', v_beat.settings_version
    );
end
$$;

comment on function eventlive_api.webinar_session_heartbeat(uuid, uuid) is
    'Keeps a session and its presence alive and credits watch time. state is open, or why the session is over: left, expired, replaced (with replaced_by and exited_at), ejected, webinar_ended; then stop. next_heartbeat_s says when to call again. Inside the throttle it writes nothing.';

reset role;
notify pgrst, 'reload schema';
