-- Released: never change this file. A change of the schema is a new migration.

set local lock_timeout = '5s';
set local search_path = pg_catalog, pg_temp;

set local role eventlive_owner;

-- Lost would be what the new settings say, and the numbers of messages that were hidden or shown since: who polls with
-- an older cursor would never hear of it. Refused then, unless the session says that they may be.
lock table eventlive.webinar_messages, eventlive.webinar_message_feeds in access exclusive mode;
do $$
begin
    perform from eventlive.webinars w order by w.id for no key update;
    perform pg_advisory_xact_lock(eventlive.settings_lock_key());
end
$$;

do $$
declare
    v_keys text[] := array[
        'fallback_retry_after_s', 'messages_poll_max', 'message_max_length',
        'message_rate_limit', 'message_rate_window_s'
    ];
    v_lost text[] := '{}';
begin
    if coalesce(current_setting('eventlive.discard_data', true), '') = 'on' then
        return;
    end if;
    if exists (select from eventlive.settings s where s.key = any (v_keys) and s.value <> s.default_value)
        or exists (select from eventlive.webinars w where w.settings ?| v_keys)
    then
        v_lost := v_lost || 'settings of messages'::text;
    end if;
    if exists (select from eventlive.webinar_messages m where m.change_id <> m.message_id) then
        v_lost := v_lost || 'webinar_messages.change_id'::text;
    end if;
    if v_lost <> '{}' then
        raise exception using
            errcode = 'object_not_in_prerequisite_state',
            message = 'this step drops what holds data: ' || array_to_string(v_lost, ', '),
            detail = 'data_present',
            hint = 'Back them up. Then repeat with migrate down --discard-data, or in psql after: '
                'set eventlive.discard_data = ''on''';
    end if;
end
$$;

drop function eventlive_api.webinar_message_hide(uuid, bigint, boolean);
drop function eventlive.webinar_message_hide(uuid, bigint, boolean);
drop function eventlive_api.webinar_message_post(uuid, uuid, text, text);
drop function eventlive.webinar_message_post(uuid, uuid, text, text);
drop function eventlive_api.webinar_messages_poll(uuid, bigint, integer);
drop function eventlive.webinar_messages_poll(uuid, bigint, integer);
drop function eventlive.check_message_rate(uuid, uuid, integer, numeric);
drop function eventlive.message_reply(eventlive.webinar_messages, uuid, boolean);
drop function eventlive.next_change_id(uuid);

-- As it was before.
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

drop table eventlive.webinar_message_feeds;
drop index eventlive.webinar_messages_user_id_idx;
alter table eventlive.webinar_messages
    drop constraint webinar_messages_client_message_id_key,
    add constraint webinar_messages_client_message_id_key unique (webinar_id, user_id, client_message_id),
    drop constraint webinar_messages_change_id_key,
    drop column change_id,
    alter column message_id add generated always as identity;
comment on column eventlive.webinar_messages.message_id is 'Order within the webinar, and the cursor of a poll.';
revoke all on sequence eventlive.webinar_messages_message_id_seq from public, anon, authenticated, service_role;
select setval('eventlive.webinar_messages_message_id_seq', max(m.message_id)) from eventlive.webinar_messages m;

update eventlive.webinars w
   set settings = w.settings - array[
        'fallback_retry_after_s', 'messages_poll_max', 'message_max_length',
        'message_rate_limit', 'message_rate_window_s'
    ]
 where w.settings ?| array[
        'fallback_retry_after_s', 'messages_poll_max', 'message_max_length',
        'message_rate_limit', 'message_rate_window_s'
    ];
delete from eventlive.settings s
 where s.key in (
        'fallback_retry_after_s', 'messages_poll_max', 'message_max_length',
        'message_rate_limit', 'message_rate_window_s'
    );
update eventlive.settings s
   set default_value = '300',
       value = case when s.value = s.default_value then '300' else s.value end
 where s.key = 'fallback_poll_max_interval_s';
update eventlive.webinar_live l
   set fallback_poll_interval_s = n.poll_s,
       settings = n.settings,
       client_settings = n.client_settings || jsonb_build_object(
           'presence_ping_interval_s', l.client_settings -> 'presence_ping_interval_s',
           'session_heartbeat_interval_s', l.client_settings -> 'session_heartbeat_interval_s',
           'fallback_poll_interval_s', trim_scale(round(n.poll_s::numeric, 3)),
           'settings_version', n.version),
       settings_version = n.version
  from (
        select o.webinar_id, o.settings, o.client_settings,
               left(encode(sha256(convert_to(o.client_settings::text, 'UTF8')), 'hex'), 12) as version,
               eventlive.paced_interval_s(
                   (o.settings ->> 'fallback_poll_interval_s')::real,
                   (o.settings ->> 'fallback_poll_max_interval_s')::real,
                   (o.settings ->> 'fallback_target_rps')::real,
                   o.audience) as poll_s
          from (
                select w.id as webinar_id,
                       a.participants + a.guests as audience,
                       jsonb_object_agg(s.key, coalesce(w.settings -> s.key, s.value)) as settings,
                       jsonb_object_agg(s.key, coalesce(w.settings -> s.key, s.value)) filter (where s.client_visible)
                           as client_settings
                  from eventlive.webinars w
                  join eventlive.webinar_live a on a.webinar_id = w.id
                 cross join eventlive.settings s
                 group by w.id, a.webinar_id
               ) o
       ) n
 where l.webinar_id = n.webinar_id;

reset role;
notify pgrst, 'reload schema';
