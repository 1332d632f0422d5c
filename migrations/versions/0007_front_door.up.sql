-- Released: never change this file. A change of the schema is a new migration.

set local lock_timeout = '5s';
set local search_path = pg_catalog, pg_temp;

set local role eventlive_owner;

-- Settings that are texts.
alter table eventlive.settings
    drop constraint settings_value_type_known,
    drop constraint settings_value_within_bounds,
    add constraint settings_value_type_known check (value_type in ('integer', 'number', 'boolean', 'text')),
    add constraint settings_value_within_bounds check (
        case value_type
            when 'boolean' then jsonb_typeof(value) = 'boolean'
            when 'text' then
                jsonb_typeof(value) = 'string' and char_length(value #>> '{}') between min_value and max_value
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
comment on column eventlive.settings.value_type is 'integer, number, boolean or text.';
comment on column eventlive.settings.min_value is 'Smallest value allowed, for numbers; for a text its shortest length.';
comment on column eventlive.settings.max_value is 'Largest value allowed, for numbers; for a text its greatest length.';
comment on column eventlive.settings.unit is 's for seconds, 1/s for a rate, bytes, rows, characters; null for a bare number.';

insert into eventlive.settings
    (key, value, default_value, value_type, min_value, max_value, unit, per_webinar, client_visible, description)
select key, value, value, value_type, min_value, max_value, unit, per_webinar, client_visible, description
  from (values
    ('jwt_issuer', '""'::jsonb, 'text', 0, 500, 'characters', false, false,
        'What iss of a user''s token must be, where pre_request runs; empty: anything.'),
    ('jwt_audience', '""', 'text', 0, 500, 'characters', false, false,
        'What aud of a user''s token must be or hold, where pre_request runs; empty: anything.'),
    ('jwt_service_issuer', '""', 'text', 0, 500, 'characters', false, false,
        'What iss of a token of service_role must be, where pre_request runs; empty: anything.')
  ) as s (key, value, value_type, min_value, max_value, unit, per_webinar, client_visible, description);

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
            when 'text' then
                jsonb_typeof(_value) = 'string'
                and char_length(_value #>> '{}') between v_setting.min_value and v_setting.max_value
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

-- Nobody but the owner makes anything in it, whatever default privileges it was made under. An existing schema of
-- somebody else's is left as it is.
do $$
begin
    if (select pg_catalog.pg_get_userbyid(n.nspowner) = 'eventlive_owner' from pg_catalog.pg_namespace n where n.nspname = 'eventlive_api') then
        revoke create on schema eventlive_api from public, anon, authenticated, service_role;
    end if;
end
$$;

-- Policies call it as the client, who may not look up what it calls in turn.
alter function eventlive.current_user_id() security definer;

revoke select (created_at) on eventlive.webinars from anon, authenticated;

-- Postgres rewrites a write to a view before it asks who may write: one over UNION ALL is refused with 55000, whoever
-- comes, which PostgREST answers with 500. With an INSTEAD OF trigger the privileges speak first: 42501, 403 or 401.

create function eventlive.refuse_view_write()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform eventlive.raise_error('not_allowed');
    return null;
end
$$;

comment on function eventlive.refuse_view_write() is
    'For views that nobody may write to. It is reached by those alone who were granted a write all the same.';
revoke all on function eventlive.refuse_view_write() from public, anon, authenticated, service_role;

create trigger refuse_write
    instead of insert or update or delete on eventlive_api.registrations
    for each row execute function eventlive.refuse_view_write();
comment on trigger refuse_write on eventlive_api.registrations is 'Has a write refused as one to any other view: by privileges.';
create trigger refuse_write
    instead of insert or update or delete on eventlive_api.webinar_live_presence
    for each row execute function eventlive.refuse_view_write();
comment on trigger refuse_write on eventlive_api.webinar_live_presence is 'Has a write refused as one to any other view: by privileges.';
create trigger refuse_write
    instead of insert or update or delete on eventlive_api.webinar_user_sessions
    for each row execute function eventlive.refuse_view_write();
comment on trigger refuse_write on eventlive_api.webinar_user_sessions is 'Has a write refused as one to any other view: by privileges.';

-- What PostgREST calls before each request (db-pre-request): a token that is not meant for this service ends here.
-- The signature was checked before; identity is checked again by every function.

create function eventlive.pre_request()
returns void
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.current_user_id();  -- refuses malformed claims
    v_claims json := nullif(current_setting('request.jwt.claims', true), '')::json;
    v_role text := current_setting('role', true);
    v_now numeric := extract(epoch from clock_timestamp());
    v_is_service boolean := coalesce(v_role = 'service_role', false);
    v_issuer text;
    v_audience text;
    v_aud json;
begin
    -- A request without a token, or with the key that a page carries: nobody in particular.
    if v_role = 'anon' and v_user_id is null and (v_claims ->> 'exp') is null then
        return;
    end if;

    if v_user_id is null and not v_is_service and v_role is distinct from 'anon' then
        perform eventlive.raise_error('token_not_accepted', '{"claim": "sub"}');
    end if;

    -- A time, which may have a fraction and, as PostgREST passes that on, an exponent; within what numeric can hold.
    if json_typeof(v_claims -> 'exp') = 'number'
        and v_claims ->> 'exp' ~ '^-?\d{1,20}(\.\d{1,30})?([eE][+-]?\d{1,2})?$'
    then
        if (v_claims ->> 'exp')::numeric <= v_now then
            perform eventlive.raise_error('token_expired');
        end if;
    elsif v_user_id is not null or (v_claims ->> 'exp') is not null then
        perform eventlive.raise_error('token_not_accepted', '{"claim": "exp"}');
    end if;

    if v_user_id is null and not v_is_service then
        return;
    end if;

    select max(s.value #>> '{}') filter (where s.key = case when v_is_service then 'jwt_service_issuer' else 'jwt_issuer' end),
           max(s.value #>> '{}') filter (where s.key = 'jwt_audience' and not v_is_service)
      into v_issuer, v_audience
      from eventlive.settings s
     where s.key in ('jwt_issuer', 'jwt_audience', 'jwt_service_issuer');

    -- Null where the setting is gone, which lets nobody in.
    if v_issuer is distinct from '' and (v_issuer is null or (v_claims ->> 'iss') is distinct from v_issuer) then
        perform eventlive.raise_error('token_not_accepted', '{"claim": "iss"}');
    end if;
    if v_audience is distinct from '' and not v_is_service then
        v_aud := v_claims -> 'aud';
        if not coalesce(
            case json_typeof(v_aud)
                when 'string' then v_claims ->> 'aud' = v_audience
                when 'array' then v_audience = any (array(select json_array_elements_text(v_aud)))
            end,
            false
        ) then
            perform eventlive.raise_error('token_not_accepted', '{"claim": "aud"}');
        end if;
    end if;
end
$$;

comment on function eventlive.pre_request() is 'Body of eventlive_api.pre_request.';
revoke all on function eventlive.pre_request() from public, anon, authenticated, service_role;
grant execute on function eventlive.pre_request() to anon, authenticated, service_role;

create function eventlive_api.pre_request()
returns void
language sql
stable
security invoker
begin atomic
    select eventlive.pre_request();
end;

comment on function eventlive_api.pre_request() is
    'For db-pre-request of PostgREST: ends a request whose token has expired, was issued by or for somebody else, or has no uuid as sub, with 401. Issuer and audience are settings.';
revoke all on function eventlive_api.pre_request() from public, anon, authenticated, service_role;
grant execute on function eventlive_api.pre_request() to anon, authenticated, service_role;

reset role;
notify pgrst, 'reload schema';
