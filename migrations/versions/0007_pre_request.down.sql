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

drop function eventlive_api.pre_request();
drop function eventlive.pre_request();

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
