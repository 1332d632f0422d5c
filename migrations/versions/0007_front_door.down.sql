-- Released: never change this file. A change of the schema is a new migration.

set local lock_timeout = '5s';
set local search_path = pg_catalog, pg_temp;

set local role eventlive_owner;

-- Issuer and audience would be lost: refused where they are set, unless the session says that they may be.
lock table eventlive.settings in access exclusive mode;

do $$
begin
    if coalesce(current_setting('eventlive.discard_data', true), '') <> 'on'
        and exists (select from eventlive.settings s where s.value_type = 'text' and s.value <> s.default_value)
    then
        raise exception using
            errcode = 'object_not_in_prerequisite_state',
            message = 'this step drops settings that hold data: jwt_issuer, jwt_audience or jwt_service_issuer',
            detail = 'data_present',
            hint = 'Back them up. Then repeat with migrate down --discard-data, or in psql after: '
                'set eventlive.discard_data = ''on''';
    end if;
end
$$;

drop trigger refuse_write on eventlive_api.webinar_user_sessions;
drop trigger refuse_write on eventlive_api.webinar_live_presence;
drop trigger refuse_write on eventlive_api.registrations;
drop function eventlive.refuse_view_write();

drop function eventlive_api.pre_request();
drop function eventlive.pre_request();

-- As it was before. That nobody else makes anything in the exposed schema stays.
alter function eventlive.current_user_id() security invoker;

grant select (created_at) on eventlive.webinars to anon, authenticated;

create or replace function eventlive.webinar_enter(_webinar_id uuid, _session_id uuid, _client jsonb, _take_over boolean)
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
    elsif pg_column_size(_client) > (v_webinar.settings ->> 'client_info_max_bytes')::numeric::integer then
        perform eventlive.raise_error('invalid_argument', jsonb_build_object(
            'argument', '_client',
            'must_be', format('at most %s bytes', v_webinar.settings ->> 'client_info_max_bytes')));
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
            perform eventlive.raise_error('too_many_sessions', jsonb_build_object('sessions', v_others));
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
            'Leave one first, or wait until one expires.')
      ) as e (token, status, message, hint)
     where e.token = _token;

    if not found then
        raise exception using
            errcode = 'internal_error',
            message = format('raise_error does not know the token %s', _token);
    end if;

    raise exception using
        errcode = 'PT' || v_status,
        message = v_message,
        detail = case when _payload is null then _token else _token || ' ' || _payload::text end,
        hint = v_hint;
end
$$;

create or replace function eventlive.check_setting(_key text, _value jsonb, _for_webinar boolean)
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

delete from eventlive.settings s where s.value_type = 'text';

alter table eventlive.settings
    drop constraint settings_value_type_known,
    drop constraint settings_value_within_bounds,
    add constraint settings_value_type_known check (value_type in ('integer', 'number', 'boolean')),
    add constraint settings_value_within_bounds check (
        case value_type
            when 'boolean' then jsonb_typeof(value) = 'boolean'
            else
                -- Six decimals at most: what a real can hold, and more than anybody needs.
                case when jsonb_typeof(value) = 'number'
                    then value::numeric = round(value::numeric, case value_type when 'integer' then 0 else 6 end)
                        and value::numeric >= min_value
                        and value::numeric <= max_value
                    else false
                end
        end
    );
comment on column eventlive.settings.value_type is 'integer, number or boolean.';
comment on column eventlive.settings.min_value is 'Smallest value allowed, for numbers.';
comment on column eventlive.settings.max_value is 'Largest value allowed, for numbers.';
comment on column eventlive.settings.unit is 's for seconds, 1/s for a rate, bytes, rows; null for a bare number.';

reset role;
notify pgrst, 'reload schema';
