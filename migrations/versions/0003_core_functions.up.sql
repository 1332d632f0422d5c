-- Released: never change this file. A change of the schema is a new migration.

set local lock_timeout = '5s';
set local search_path = pg_catalog, pg_temp;

set local role eventlive_owner;

-- sql/20_core/check_admission.sql

-- The access and the entry policy, in one place for register and enter. Not the steady state: a registered attendee
-- comes here only where a list is asked at every entry, or in a draft.

create function eventlive.check_admission(
    _webinar_id uuid, _user_id uuid, _registered boolean, _status text, _access_policy text, _entry_policy text,
    _verified_required boolean
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if _status = 'ended' then
        perform eventlive.raise_error('webinar_ended');
    elsif exists (select from eventlive.profiles p where p.user_id = _user_id and p.is_admin) then
        return;
    elsif _status is null or _status = 'draft' then
        perform eventlive.raise_error('webinar_not_found');
    elsif _entry_policy = 'registered_only' and not _registered then
        perform eventlive.raise_error('not_registered');
    elsif _access_policy in ('invite_only', 'email_auth') then
        perform eventlive.check_email_is_listed(_webinar_id, _verified_required);
    end if;
end
$$;

comment on function eventlive.check_admission(uuid, uuid, boolean, text, text, text, boolean) is
    'Passes a signed-in user whom the webinar''s policies let in; otherwise raises what stands in the way. Administrators pass every policy. Registering is bound by no entry policy: null.';
revoke all on function eventlive.check_admission(uuid, uuid, boolean, text, text, text, boolean)
    from public, anon, authenticated, service_role;

-- sql/20_core/check_email_is_listed.sql

create function eventlive.check_email_is_listed(_webinar_id uuid, _verified_required boolean)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_email text := eventlive.current_email(_verified_required);
begin
    if v_email is null then
        perform eventlive.raise_error('email_not_verified');
    elsif not exists (
        select from eventlive.webinar_allowed_emails e where e.webinar_id = _webinar_id and e.email = v_email
    ) then
        perform eventlive.raise_error('not_invited');
    end if;
end
$$;

comment on function eventlive.check_email_is_listed(uuid, boolean) is
    'Passes a caller whose verified e-mail claim is on the list of the webinar.';
revoke all on function eventlive.check_email_is_listed(uuid, boolean) from public, anon, authenticated, service_role;

-- sql/20_core/check_session_is_open.sql

create function eventlive.check_session_is_open(
    _user_id uuid, _session_user_id uuid, _expires_at timestamptz, _exited_at timestamptz, _exit_reason text, _replaced_by uuid
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if _session_user_id is distinct from _user_id then
        perform eventlive.raise_error('session_not_yours');
    elsif _exited_at is not null then
        perform eventlive.raise_error(
            case _exit_reason when 'webinar_ended' then 'webinar_ended' else 'session_' || _exit_reason end,
            jsonb_strip_nulls(jsonb_build_object('exited_at', _exited_at, 'replaced_by', _replaced_by)));
    elsif _expires_at <= clock_timestamp() then
        perform eventlive.raise_error('session_expired', jsonb_build_object('exited_at', _expires_at));
    end if;
end
$$;

comment on function eventlive.check_session_is_open(uuid, uuid, timestamptz, timestamptz, text, uuid) is
    'Refuses to enter again with the session of somebody else, or with one that is over.';
revoke all on function eventlive.check_session_is_open(uuid, uuid, timestamptz, timestamptz, text, uuid)
    from public, anon, authenticated, service_role;

-- sql/20_core/check_setting.sql

create function eventlive.check_setting(_key text, _value jsonb, _for_webinar boolean)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_setting eventlive.settings;
    v_number numeric;
begin
    select s.* into v_setting from eventlive.settings s where s.key = _key;
    if not found or (_for_webinar and not v_setting.per_webinar) then
        perform eventlive.raise_error('unknown_setting', jsonb_build_object('key', left(_key, 100)));
    end if;

    if jsonb_typeof(_value) = 'number' then
        v_number := _value::numeric;
    end if;
    if coalesce(
        case v_setting.value_type
            when 'boolean' then jsonb_typeof(_value) = 'boolean'
            when 'integer' then
                v_number = trunc(v_number) and v_number between v_setting.min_value and v_setting.max_value
            else v_number = round(v_number, 6) and v_number between v_setting.min_value and v_setting.max_value
        end,
        false
    ) then
        return;
    end if;
    perform eventlive.raise_error('setting_out_of_range', jsonb_strip_nulls(jsonb_build_object(
        'key', _key,
        'type', v_setting.value_type,
        'min', v_setting.min_value,
        'max', v_setting.max_value,
        'unit', v_setting.unit
    )));
end
$$;

comment on function eventlive.check_setting(text, jsonb, boolean) is
    'Refuses a key that does not exist (or, for a webinar, may not be overridden) and a value of the wrong type or out of bounds.';
revoke all on function eventlive.check_setting(text, jsonb, boolean) from public, anon, authenticated, service_role;

-- sql/20_core/check_webinar_values.sql

-- The constraints of the table say the same; this says it in a way that a caller can act on.

create function eventlive.check_webinar_values(
    _slug text, _title text, _status text, _access_policy text, _entry_policy text, _duplicate_login_policy text,
    _starts_at timestamptz, _ends_at timestamptz, _settings jsonb
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_argument text;
    v_must_be text;
begin
    select c.argument, c.must_be
      into v_argument, v_must_be
      from (values
        (_slug ~ '^[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?$', '_slug', 'lower-case letters, digits and hyphens, 100 at most'),
        (_title is null or (char_length(_title) between 1 and 300 and _title !~ '[[:cntrl:]]'), '_title',
            '1 to 300 characters on one line'),
        (_status in ('draft', 'scheduled', 'live', 'ended'), '_status', 'draft, scheduled, live or ended'),
        (_access_policy in ('auth', 'guest_allowed', 'invite_only', 'email_auth'), '_access_policy',
            'auth, guest_allowed, invite_only or email_auth'),
        (_entry_policy in ('auto_register', 'registered_only'), '_entry_policy', 'auto_register or registered_only'),
        (_duplicate_login_policy in ('allow', 'ask', 'replace_oldest', 'reject'), '_duplicate_login_policy',
            'allow, ask, replace_oldest or reject'),
        (_starts_at is null or _ends_at is null or _ends_at > _starts_at, '_ends_at', 'later than _starts_at'),
        (jsonb_typeof(_settings) = 'object', '_settings', 'a JSON object of settings')
      ) as c (holds, argument, must_be)
     where c.holds is not true
     limit 1;
    if found then
        perform eventlive.raise_error('invalid_argument', jsonb_build_object('argument', v_argument, 'must_be', v_must_be));
    end if;
end
$$;

comment on function eventlive.check_webinar_values(text, text, text, text, text, text, timestamptz, timestamptz, jsonb) is
    'Refuses properties that a webinar cannot have; the payload names the argument. Settings are checked one by one where they are written.';
revoke all on function eventlive.check_webinar_values(text, text, text, text, text, text, timestamptz, timestamptz, jsonb)
    from public, anon, authenticated, service_role;

-- sql/20_core/close_ended_webinar.sql

create function eventlive.close_ended_webinar(
    _webinar_id uuid, _limit integer, out closed_sessions integer, out removed_presence integer, out remaining boolean
)
returns record
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_closed_at timestamptz;
    v_session_ids uuid[];
begin
    select l.closed_at into v_closed_at from eventlive.webinar_live l where l.webinar_id = _webinar_id;

    v_session_ids := array(
        select s.session_id
          from eventlive.webinar_user_sessions s
         where s.webinar_id = _webinar_id and s.exited_at is null
         order by s.session_id
         limit _limit
           for update
    );
    closed_sessions := eventlive.close_sessions(_webinar_id, v_session_ids, 'webinar_ended', v_closed_at);

    with batch as materialized (
        select p.user_id
          from eventlive.webinar_live_presence p
         where p.webinar_id = _webinar_id
         order by p.user_id
         limit _limit
           for update
    ), removed as (
        delete from eventlive.webinar_live_presence p
         using batch b
         where p.webinar_id = _webinar_id and p.user_id = b.user_id
        returning 1
    )
    select count(*) into removed_presence from removed;

    remaining := exists (
            select from eventlive.webinar_user_sessions s where s.webinar_id = _webinar_id and s.exited_at is null
        ) or exists (
            select from eventlive.webinar_live_presence p where p.webinar_id = _webinar_id
        );
end
$$;

comment on function eventlive.close_ended_webinar(uuid, integer) is
    'Closes up to that many sessions, and removes as many presence rows, of a webinar that has ended. Call again while some remain.';
revoke all on function eventlive.close_ended_webinar(uuid, integer) from public, anon, authenticated, service_role;

-- sql/20_core/close_sessions.sql

-- The one way a session ends. One that had expired before ends as expired, at the time it expired: when a job gets
-- round to it makes no difference to what is recorded.

create function eventlive.close_sessions(
    _webinar_id uuid, _session_ids uuid[], _reason text, _at timestamptz, _replaced_by uuid default null
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_closed integer;
begin
    with closed as (
        update eventlive.webinar_user_sessions s
           set exited_at = greatest(least(_at, s.expires_at), s.last_heartbeat_at),
               exit_reason = case when s.expires_at <= _at then 'expired' else _reason end,
               replaced_by = case when s.expires_at > _at and _reason = 'replaced' then _replaced_by end,
               watched_seconds = s.watched_seconds + eventlive.watch_credit(
                   s.last_heartbeat_at, least(_at, s.expires_at), l.watch_credit_factor * s.interval_s)
          from eventlive.webinar_live l
         where s.webinar_id = _webinar_id
           and s.session_id = any (_session_ids)
           and s.exited_at is null
           and l.webinar_id = _webinar_id
        returning s.session_id, s.user_id, s.exited_at, s.exit_reason, s.replaced_by, s.watched_seconds
    ), logged as (
        insert into eventlive.event_access_logs (webinar_id, occurred_at, event, user_id, session_id, detail)
        select _webinar_id, c.exited_at, c.exit_reason, c.user_id, c.session_id,
               jsonb_strip_nulls(jsonb_build_object(
                   'watched_seconds', c.watched_seconds, 'replaced_by', c.replaced_by))
          from closed c
    )
    select count(*) into v_closed from closed;
    return v_closed;
end
$$;

comment on function eventlive.close_sessions(uuid, uuid[], text, timestamptz, uuid) is
    'Ends open sessions: credits the watch time, records why, writes the visit log. Returns how many were open.';
revoke all on function eventlive.close_sessions(uuid, uuid[], text, timestamptz, uuid)
    from public, anon, authenticated, service_role;

-- sql/20_core/create_presence.sql

-- The first ping of a registered user. Everything here happens once; the pings that follow touch presence alone.

create function eventlive.create_presence(_webinar_id uuid, _user_id uuid)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_ejected_at timestamptz;
    v_live eventlive.webinar_live;
begin
    if _user_id is null then
        perform eventlive.raise_error('unauthenticated');
    elsif _webinar_id is null then
        perform eventlive.raise_error('invalid_argument', '{"argument": "_webinar_id", "must_be": "the id of a webinar"}');
    end if;

    perform eventlive.require_read_committed();
    -- Neither an ejection nor the end of the webinar may slip in between the look and the insert: the row would stay.
    perform pg_advisory_xact_lock_shared(eventlive.webinar_lock_key(_webinar_id));
    select r.ejected_at
      into v_ejected_at
      from eventlive.registrations r
     where r.webinar_id = _webinar_id and r.user_id = _user_id
       for share;
    if not found then
        perform eventlive.raise_error('not_registered');
    elsif v_ejected_at is not null then
        perform eventlive.raise_error('ejected');
    end if;

    select l.* into v_live from eventlive.webinar_live l where l.webinar_id = _webinar_id;
    if v_live.closed_at is not null then
        perform eventlive.raise_error('webinar_ended');
    end if;

    insert into eventlive.webinar_live_presence (
        webinar_id, user_id, joined_at, last_seen_at, expires_at, throttle_s, ttl_s
    )
    values (
        _webinar_id, _user_id, v_now, v_now,
        v_now + v_live.expiry_factor * v_live.presence_ping_interval_s * interval '1 second',
        v_live.throttle_factor * v_live.presence_ping_interval_s,
        v_live.expiry_factor * v_live.presence_ping_interval_s
    )
    on conflict (webinar_id, user_id) do nothing;
end
$$;

comment on function eventlive.create_presence(uuid, uuid) is
    'Inserts the presence row of a registered user who has none; refuses the unregistered, the ejected, and everybody once the webinar has ended.';
revoke all on function eventlive.create_presence(uuid, uuid) from public, anon, authenticated, service_role;

-- sql/20_core/heartbeat_without_write.sql

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
           s.last_heartbeat_at + s.interval_s * interval '1 second' as due_at
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

    return jsonb_build_object(
        'state', 'open',
        'next_heartbeat_s', greatest(round(extract(epoch from v_session.due_at - _now), 3), 0.001),
        'server_time', _now,
        'settings_version', v_session.settings_version
    );
end
$$;

comment on function eventlive.heartbeat_without_write(uuid, uuid, uuid, timestamptz) is
    'The reply to a heartbeat that changes nothing: too early, or the session is over.';
revoke all on function eventlive.heartbeat_without_write(uuid, uuid, uuid, timestamptz)
    from public, anon, authenticated, service_role;

-- sql/20_core/insert_registration.sql

create function eventlive.insert_registration(_webinar_id uuid, _user_id uuid, _registered_via text)
returns eventlive.registrations
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_registration eventlive.registrations;
begin
    with inserted as (
        insert into eventlive.registrations as r (webinar_id, user_id, registered_via)
        values (_webinar_id, _user_id, _registered_via)
        on conflict (webinar_id, user_id) do nothing
        returning r.*
    ), logged as (
        insert into eventlive.event_access_logs (webinar_id, occurred_at, event, user_id, detail)
        select i.webinar_id, i.registered_at, 'registered', i.user_id, jsonb_build_object('registered_via', i.registered_via)
          from inserted i
    )
    select i.* into v_registration from inserted i;
    return v_registration;
end
$$;

comment on function eventlive.insert_registration(uuid, uuid, text) is
    'Inserts and logs the registration of an attendee; all nulls where the user is registered already.';
revoke all on function eventlive.insert_registration(uuid, uuid, text) from public, anon, authenticated, service_role;

-- sql/20_core/insert_session.sql

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

-- sql/20_core/paced_interval_s.sql

create function eventlive.paced_interval_s(_base_s real, _max_s real, _target_rps real, _audience integer)
returns real
language sql
immutable
parallel safe
return greatest(_base_s, least(_max_s, (_audience / _target_rps)::real));

comment on function eventlive.paced_interval_s(real, real, real, integer) is
    'The interval at which an audience makes at most that many calls a second, between base and max. Seconds.';
revoke all on function eventlive.paced_interval_s(real, real, real, integer) from public, anon, authenticated, service_role;

-- sql/20_core/recreate_presence.sql

-- A heartbeat found no presence row: another tab left, or a job purged it. The heartbeat holds its session row by now,
-- so it must not wait for a lock that comes before that one in the order; if somebody holds it, the next beat will do.

create function eventlive.recreate_presence(
    _webinar_id uuid, _user_id uuid, _now timestamptz, _session_ttl_s double precision, _throttle_s double precision, _ttl_s double precision
)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if not pg_try_advisory_xact_lock_shared(eventlive.webinar_lock_key(_webinar_id)) then
        return false;
    end if;
    insert into eventlive.webinar_live_presence (
        webinar_id, user_id, joined_at, last_seen_at, expires_at, throttle_s, ttl_s
    )
    select r.webinar_id, r.user_id, _now, _now, _now + _session_ttl_s * interval '1 second', _throttle_s, _ttl_s
      from eventlive.registrations r
     where r.webinar_id = _webinar_id and r.user_id = _user_id and r.ejected_at is null
       for share skip locked
        on conflict (webinar_id, user_id) do nothing;
    return found;
end
$$;

comment on function eventlive.recreate_presence(uuid, uuid, timestamptz, double precision, double precision, double precision) is
    'Gives a watching user the presence row back; never waits, and false where it could not.';
revoke all on function eventlive.recreate_presence(uuid, uuid, timestamptz, double precision, double precision, double precision)
    from public, anon, authenticated, service_role;

-- sql/20_core/refresh_webinar_live.sql

create function eventlive.refresh_webinar_live(_webinar_id uuid)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz;
    v_ended boolean;
    v_overrides jsonb;
    v_settings jsonb;
    v_client_settings jsonb;
    v_version text;
    v_participants integer;
    v_guests integer;
    v_registered integer;
    v_ping_s real;
    v_heartbeat_s real;
    v_poll_s real;
begin
    -- Locked before anything is read: of two that overlap, the second one must see what the first one wrote. The
    -- settings come second, as in set_setting.
    select w.status = 'ended', w.settings
      into v_ended, v_overrides
      from eventlive.webinars w
     where w.id = _webinar_id
       for no key update;
    if not found then
        perform eventlive.raise_error('webinar_not_found');
    end if;
    perform pg_advisory_xact_lock_shared(eventlive.settings_lock_key());
    v_now := clock_timestamp();

    select count(*) into v_participants
      from eventlive.webinar_live_presence p
     where p.webinar_id = _webinar_id and p.expires_at > v_now;
    select count(*) into v_guests
      from eventlive.webinar_user_sessions s
     where s.webinar_id = _webinar_id and s.user_id is null and s.exited_at is null and s.expires_at > v_now;
    select count(*) into v_registered from eventlive.registrations r where r.webinar_id = _webinar_id;

    select jsonb_object_agg(s.key, coalesce(v_overrides -> s.key, s.value)),
           jsonb_object_agg(s.key, coalesce(v_overrides -> s.key, s.value)) filter (where s.client_visible)
      into v_settings, v_client_settings
      from eventlive.settings s;

    -- The version leaves pacing out: an audience that grows must not make every client fetch its settings again.
    v_version := left(encode(sha256(convert_to(v_client_settings::text, 'UTF8')), 'hex'), 12);

    v_ping_s := eventlive.paced_interval_s(
        (v_settings ->> 'presence_ping_interval_s')::real, (v_settings ->> 'presence_ping_max_interval_s')::real,
        (v_settings ->> 'presence_target_rps')::real, v_participants);
    v_heartbeat_s := eventlive.paced_interval_s(
        (v_settings ->> 'session_heartbeat_interval_s')::real, (v_settings ->> 'session_heartbeat_max_interval_s')::real,
        (v_settings ->> 'heartbeat_target_rps')::real, v_participants + v_guests);
    v_poll_s := eventlive.paced_interval_s(
        (v_settings ->> 'fallback_poll_interval_s')::real, (v_settings ->> 'fallback_poll_max_interval_s')::real,
        (v_settings ->> 'fallback_target_rps')::real, v_participants + v_guests);
    v_client_settings := v_client_settings || jsonb_build_object(
        'presence_ping_interval_s', trim_scale(round(v_ping_s::numeric, 3)),
        'session_heartbeat_interval_s', trim_scale(round(v_heartbeat_s::numeric, 3)),
        'fallback_poll_interval_s', trim_scale(round(v_poll_s::numeric, 3)),
        'settings_version', v_version
    );

    insert into eventlive.webinar_live as l (
        webinar_id, participants, guests, registered, peak_participants, peak_at, as_of, closed_at,
        presence_ping_interval_s, session_heartbeat_interval_s, fallback_poll_interval_s,
        throttle_factor, expiry_factor, watch_credit_factor, pacing_jitter,
        settings, client_settings, settings_version
    )
    values (
        _webinar_id, v_participants, v_guests, v_registered, v_participants + v_guests, v_now, v_now,
        case when v_ended then v_now end,
        v_ping_s, v_heartbeat_s, v_poll_s,
        (v_settings ->> 'throttle_factor')::real, (v_settings ->> 'expiry_factor')::real,
        (v_settings ->> 'watch_credit_factor')::real, (v_settings ->> 'pacing_jitter')::real,
        v_settings, v_client_settings, v_version
    )
    on conflict (webinar_id) do update
       set participants = excluded.participants,
           guests = excluded.guests,
           registered = excluded.registered,
           peak_participants = greatest(l.peak_participants, excluded.peak_participants),
           peak_at = case when excluded.peak_participants > l.peak_participants then excluded.peak_at else l.peak_at end,
           as_of = excluded.as_of,
           closed_at = case when excluded.closed_at is not null then coalesce(l.closed_at, excluded.closed_at) end,
           presence_ping_interval_s = excluded.presence_ping_interval_s,
           session_heartbeat_interval_s = excluded.session_heartbeat_interval_s,
           fallback_poll_interval_s = excluded.fallback_poll_interval_s,
           throttle_factor = excluded.throttle_factor,
           expiry_factor = excluded.expiry_factor,
           watch_credit_factor = excluded.watch_credit_factor,
           pacing_jitter = excluded.pacing_jitter,
           settings = excluded.settings,
           client_settings = excluded.client_settings,
           settings_version = excluded.settings_version;
end
$$;

comment on function eventlive.refresh_webinar_live(uuid) is
    'Counts the audience of a webinar and works out its pace and settings. Runs after every change of the webinar and by the clock.';
revoke all on function eventlive.refresh_webinar_live(uuid) from public, anon, authenticated, service_role;

-- sql/20_core/registration_for_entry.sql

create function eventlive.registration_for_entry(
    _webinar_id uuid, _user_id uuid, _status text, _access_policy text, _entry_policy text, _verified_required boolean
)
returns eventlive.registrations
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_registration eventlive.registrations;
    v_registered boolean;
begin
    select r.* into v_registration
      from eventlive.registrations r
     where r.webinar_id = _webinar_id and r.user_id = _user_id
       for no key update;
    v_registered := found;

    if v_registration.ejected_at is not null then
        perform eventlive.raise_error('ejected');
    end if;
    if v_registered and (v_registration.role <> 'attendee' or (_status <> 'draft' and _access_policy <> 'email_auth')) then
        return v_registration;
    end if;

    perform eventlive.check_admission(
        _webinar_id, _user_id, v_registered, _status, _access_policy, _entry_policy, _verified_required);
    if v_registered then
        return v_registration;
    end if;

    v_registration := eventlive.insert_registration(_webinar_id, _user_id, 'auto');
    if v_registration.webinar_id is null then
        -- Registered by another call in this very moment: take that row.
        return eventlive.registration_for_entry(
            _webinar_id, _user_id, _status, _access_policy, _entry_policy, _verified_required);
    end if;
    return v_registration;
end
$$;

comment on function eventlive.registration_for_entry(uuid, uuid, text, text, text, boolean) is
    'The registration of a signed-in user who enters, locked until the end of the transaction; made here under auto_register where the access policy allows.';
revoke all on function eventlive.registration_for_entry(uuid, uuid, text, text, text, boolean)
    from public, anon, authenticated, service_role;

-- sql/20_core/registration_reply.sql

create function eventlive.registration_reply(_registration eventlive.registrations)
returns jsonb
language sql
stable
return jsonb_build_object(
    'webinar_id', (_registration).webinar_id,
    'user_id', (_registration).user_id,
    'role', (_registration).role,
    'registered_via', (_registration).registered_via,
    'registered_at', (_registration).registered_at
);

comment on function eventlive.registration_reply(eventlive.registrations) is 'A registration as clients receive it.';
revoke all on function eventlive.registration_reply(eventlive.registrations) from public, anon, authenticated, service_role;

-- sql/20_core/relax_durability.sql

create function eventlive.relax_durability()
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_ignored text;
begin
    if current_setting('synchronous_commit') = 'off' then
        return false;
    end if;
    v_ignored := set_config('eventlive.synchronous_commit', current_setting('synchronous_commit'), true);
    v_ignored := set_config('synchronous_commit', 'off', true);
    return true;
end
$$;

comment on function eventlive.relax_durability() is
    'Commits this transaction asynchronously; false where it would anyway. Only for one that had written nothing before the ping or heartbeat in it.';
revoke all on function eventlive.relax_durability() from public, anon, authenticated, service_role;

-- sql/20_core/require_read_committed.sql

-- Locks are taken first and the tables read after them: that holds only where each statement sees what was committed
-- before it began. At a higher level a call would act on a snapshot older than its locks, or end in 40001, which
-- PostgREST before 16 repeats for ever.

create function eventlive.require_read_committed()
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        perform eventlive.raise_error('isolation_not_supported');
    end if;
    return true;
end
$$;

comment on function eventlive.require_read_committed() is 'Refuses a transaction at another isolation level than read committed.';
revoke all on function eventlive.require_read_committed() from public, anon, authenticated, service_role;

-- sql/20_core/require_staff.sql

create function eventlive.require_staff(_webinar_id uuid, _roles text[])
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid;
begin
    if _webinar_id is null then
        perform eventlive.raise_error('invalid_argument', '{"argument": "_webinar_id", "must_be": "the id of a webinar"}');
    end if;
    if not eventlive.is_service() then
        v_user_id := eventlive.require_user();
        -- A stranger gets the same answer for a webinar that exists and for one that does not.
        if not exists (select from eventlive.profiles p where p.user_id = v_user_id and p.is_admin)
            and not exists (
                select
                  from eventlive.registrations r
                 where r.webinar_id = _webinar_id
                   and r.user_id = v_user_id
                   and r.role = any (_roles)
                   and r.ejected_at is null
            )
        then
            perform eventlive.raise_error('not_allowed');
        end if;
    end if;
    if not exists (select from eventlive.webinars w where w.id = _webinar_id) then
        perform eventlive.raise_error('webinar_not_found');
    end if;
end
$$;

comment on function eventlive.require_staff(uuid, text[]) is
    'Passes service_role, administrators, and those registered for the webinar in one of the roles; PT403 not_allowed for all others.';
revoke all on function eventlive.require_staff(uuid, text[]) from public, anon, authenticated, service_role;

-- sql/20_core/require_user.sql

create function eventlive.require_user()
returns uuid
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.current_user_id();
begin
    if v_user_id is null then
        perform eventlive.raise_error('unauthenticated');
    end if;
    return v_user_id;
end
$$;

comment on function eventlive.require_user() is 'The id of the signed-in caller; PT401 unauthenticated for a guest.';
revoke all on function eventlive.require_user() from public, anon, authenticated, service_role;

-- sql/20_core/restore_durability.sql

-- A ping commits asynchronously: losing the last fraction of a second of presence in a crash harms nobody. What must
-- survive a crash calls this first, in case a ping came before it in the same transaction.

create function eventlive.restore_durability()
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_saved text := nullif(current_setting('eventlive.synchronous_commit', true), '');
begin
    if v_saved is null then
        return false;
    end if;
    v_saved := set_config('synchronous_commit', v_saved, true);
    v_saved := set_config('eventlive.synchronous_commit', '', true);
    return true;
end
$$;

comment on function eventlive.restore_durability() is
    'Undoes what relax_durability did earlier in this transaction, so that its commit is waited for again; false where nothing was to undo.';
revoke all on function eventlive.restore_durability() from public, anon, authenticated, service_role;

-- sql/20_core/set_setting.sql

create function eventlive.set_setting(_key text, _value jsonb)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_webinar_id uuid;
begin
    perform eventlive.check_setting(_key, _value, false);
    perform from eventlive.webinars w where w.status <> 'ended' order by w.id for no key update;
    perform pg_advisory_xact_lock(eventlive.settings_lock_key());
    update eventlive.settings s set value = _value where s.key = _key;
    for v_webinar_id in select w.id from eventlive.webinars w where w.status <> 'ended' order by w.id loop
        perform eventlive.refresh_webinar_live(v_webinar_id);
    end loop;
end
$$;

comment on function eventlive.set_setting(text, jsonb) is
    'Changes a setting for every webinar that does not override it. For the owner and administrators of the database.';
revoke all on function eventlive.set_setting(text, jsonb) from public, anon, authenticated, service_role;

-- sql/20_core/settings_lock_key.sql

-- Changing a setting and working one into a webinar exclude each other: exclusive in set_setting, shared in
-- refresh_webinar_live. Both lock webinars first.

create function eventlive.settings_lock_key()
returns bigint
language sql
immutable
parallel safe
return 7461932;

comment on function eventlive.settings_lock_key() is 'Key of the advisory lock on the settings: shared to read all of them, exclusive to change one.';
revoke all on function eventlive.settings_lock_key() from public, anon, authenticated, service_role;

-- sql/20_core/watch_credit.sql

create function eventlive.watch_credit(_since timestamptz, _until timestamptz, _at_most_s double precision)
returns numeric
language sql
immutable
parallel safe
return least(greatest(extract(epoch from _until - _since), 0), _at_most_s::numeric);

comment on function eventlive.watch_credit(timestamptz, timestamptz, double precision) is
    'Seconds of watch time between two signs of life: what elapsed, never negative, capped so that a gap is not watching.';
revoke all on function eventlive.watch_credit(timestamptz, timestamptz, double precision)
    from public, anon, authenticated, service_role;

-- sql/20_core/webinar_lock_key.sql

-- Coming in and ending a webinar exclude each other through an advisory lock: shared for those who come in, exclusive
-- for the change of status. A row lock on the webinar would do the same, but every entry would then write WAL and a
-- multixact, and a crowd at the door could starve the host; the queue of an advisory lock is fair.

create function eventlive.webinar_lock_key(_webinar_id uuid)
returns bigint
language sql
immutable
parallel safe
return uuid_hash_extended(_webinar_id, 7461933);

comment on function eventlive.webinar_lock_key(uuid) is
    'Key of the advisory lock that keeps entering and ending apart: shared to enter, exclusive to change the status.';
revoke all on function eventlive.webinar_lock_key(uuid) from public, anon, authenticated, service_role;

-- sql/20_core/webinar_reply.sql

create function eventlive.webinar_reply(_webinar eventlive.webinars)
returns jsonb
language sql
stable
return jsonb_build_object(
    'webinar_id', (_webinar).id,
    'slug', (_webinar).slug,
    'title', (_webinar).title,
    'status', (_webinar).status,
    'access_policy', (_webinar).access_policy,
    'entry_policy', (_webinar).entry_policy,
    'duplicate_login_policy', (_webinar).duplicate_login_policy,
    'starts_at', (_webinar).starts_at,
    'ends_at', (_webinar).ends_at,
    'settings', (_webinar).settings
);

comment on function eventlive.webinar_reply(eventlive.webinars) is 'A webinar as its staff receive it.';
revoke all on function eventlive.webinar_reply(eventlive.webinars) from public, anon, authenticated, service_role;

-- sql/20_core/webinars_triggers.sql

-- On the table, not in the functions, so that a change by hand obeys them too.

create function eventlive.check_webinar_settings()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_key text;
    v_value jsonb;
begin
    if jsonb_typeof(new.settings) <> 'object' then
        return new;  -- the table's own constraint refuses it
    end if;
    for v_key, v_value in select o.key, o.value from jsonb_each(new.settings) as o loop
        perform eventlive.check_setting(v_key, v_value, true);
    end loop;
    return new;
end
$$;

comment on function eventlive.check_webinar_settings() is 'Refuses an override that does not exist or is out of bounds.';
revoke all on function eventlive.check_webinar_settings() from public, anon, authenticated, service_role;

create function eventlive.refresh_changed_webinar()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform eventlive.refresh_webinar_live(new.id);
    return null;
end
$$;

comment on function eventlive.refresh_changed_webinar() is 'Keeps webinar_live true to the webinar.';
revoke all on function eventlive.refresh_changed_webinar() from public, anon, authenticated, service_role;

create trigger webinars_check_settings
    before insert or update of settings on eventlive.webinars
    for each row execute function eventlive.check_webinar_settings();
comment on trigger webinars_check_settings on eventlive.webinars is 'An override out of bounds is refused, whoever writes it.';

create trigger webinars_refresh_live
    after insert or update of status, settings on eventlive.webinars
    for each row execute function eventlive.refresh_changed_webinar();
comment on trigger webinars_refresh_live on eventlive.webinars is 'Every webinar has its row in webinar_live, and it is up to date.';

reset role;

notify pgrst, 'reload schema';
