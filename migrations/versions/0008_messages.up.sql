-- Released: never change this file. A change of the schema is a new migration.

set local lock_timeout = '5s';
set local search_path = pg_catalog, pg_temp;

set local role eventlive_owner;

-- What webinars have in force is worked out anew below: nobody may change a webinar or a setting until then. Entering,
-- pings and heartbeats do not wait.
do $$
begin
    perform from eventlive.webinars w order by w.id for no key update;
    perform pg_advisory_xact_lock(eventlive.settings_lock_key());
end
$$;

insert into eventlive.settings
    (key, value, default_value, value_type, min_value, max_value, unit, per_webinar, client_visible, description)
select key, value, value, value_type, min_value, max_value, unit, per_webinar, client_visible, description
  from (values
    ('fallback_retry_after_s', '300'::jsonb, 'number', 1, 7200, 's', true, false,
        'While polling is switched off: how long a client waits before it asks again, at least.'),
    ('messages_poll_max', '200', 'integer', 1, 1000, 'rows', true, false,
        'Messages in one reply to a poll; who asks for more gets as many.'),
    ('message_max_length', '2000', 'integer', 1, 4000, 'characters', true, true,
        'Longest message that may be posted.'),
    ('message_rate_limit', '10', 'integer', 1, 1000, 'rows', true, false,
        'Messages that one user may post within message_rate_window_s.'),
    ('message_rate_window_s', '30', 'number', 1, 3600, 's', true, false,
        'The time in which message_rate_limit messages of a user are allowed.')
  ) as s (key, value, value_type, min_value, max_value, unit, per_webinar, client_visible, description);

-- With 300 s an audience of more than 30,000 made more polls than fallback_target_rps, whatever that said.
update eventlive.settings s
   set default_value = '3600',
       value = case when s.value = s.default_value then '3600' else s.value end
 where s.key = 'fallback_poll_max_interval_s';

-- As refresh_webinar_live does, but for the audience, which is not counted here.
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

-- Messages are counted for each webinar; those that are there keep their ids, and their order.
alter table eventlive.webinar_messages alter column message_id drop identity;
alter table eventlive.webinar_messages add column change_id bigint;
update eventlive.webinar_messages m set change_id = m.message_id;
-- The user last: looked up by the other two, as nothing but this index can be.
alter table eventlive.webinar_messages
    alter column change_id set not null,
    drop constraint webinar_messages_client_message_id_key,
    add constraint webinar_messages_client_message_id_key unique (webinar_id, client_message_id, user_id),
    add constraint webinar_messages_change_id_key unique (webinar_id, change_id);
create index webinar_messages_user_id_idx on eventlive.webinar_messages (webinar_id, user_id, created_at);

comment on column eventlive.webinar_messages.message_id is 'Order within the webinar: the number of the change that brought it. It never changes.';
comment on column eventlive.webinar_messages.change_id is 'Number of its last change within the webinar, and the cursor of a poll.';
comment on index eventlive.webinar_messages_user_id_idx is 'The last messages of a user: whether one more is too many.';

-- A row of its own, not a column of webinars or webinar_live: it is locked by every post until that commits, and neither
-- a heartbeat nor a change of the webinar may wait for it. It outlives the messages, so that no number comes twice.

create table eventlive.webinar_message_feeds (
    webinar_id uuid primary key references eventlive.webinars (id) on delete cascade,
    last_change_id bigint not null,
    constraint webinar_message_feeds_change_id_positive check (last_change_id > 0)
) with (fillfactor = 50);

comment on table eventlive.webinar_message_feeds is
    'How many changes the messages of a webinar have had. Written by next_change_id alone.';
comment on column eventlive.webinar_message_feeds.webinar_id is 'The webinar.';
comment on column eventlive.webinar_message_feeds.last_change_id is 'The number given out last.';

alter table eventlive.webinar_message_feeds enable row level security;
create policy webinar_message_feeds_staff on eventlive.webinar_message_feeds for select to authenticated, service_role
    using (webinar_id = any ((select eventlive.staffed_webinar_ids())::uuid[]));
comment on policy webinar_message_feeds_staff on eventlive.webinar_message_feeds is
    'Hosts, moderators, administrators and service_role read those of their webinars.';
revoke all on eventlive.webinar_message_feeds from public, anon, authenticated, service_role;

insert into eventlive.webinar_message_feeds (webinar_id, last_change_id)
select m.webinar_id, max(m.message_id) from eventlive.webinar_messages m group by m.webinar_id;

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

-- Why a poll never skips a message: the numbers of a webinar are committed in the order in which they are given out.
-- The row stays locked until the transaction ends, so the next number is given out only after this one can be seen by
-- everybody, or is taken back. A sequence would not do: of two posts the later number may commit first, and a poller
-- that has seen it never asks for the earlier one. Nor would waiting for pg_snapshot_xmin, which stands still behind any
-- long transaction of the whole server.
--
-- So posts of one webinar queue, each for the time of a commit; polls take no lock. It is the last lock in the order:
-- the webinar's advisory lock, the registration, sessions, presence, the message, this.

create function eventlive.next_change_id(_webinar_id uuid)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_change_id bigint;
begin
    insert into eventlive.webinar_message_feeds as f (webinar_id, last_change_id)
    values (_webinar_id, 1)
    on conflict (webinar_id) do update
       set last_change_id = f.last_change_id + 1
    returning f.last_change_id into v_change_id;
    return v_change_id;
end
$$;

comment on function eventlive.next_change_id(uuid) is
    'The number of the next change of a webinar''s messages. Until this transaction ends, whoever asks for one more waits.';
revoke all on function eventlive.next_change_id(uuid) from public, anon, authenticated, service_role;

create function eventlive.message_reply(_message eventlive.webinar_messages, _user_id uuid, _staff boolean)
returns jsonb
language sql
stable
return jsonb_build_object(
    'message_id', (_message).message_id,
    'user_id', (_message).user_id,
    'kind', (_message).kind,
    'body', case when _staff or not (_message).hidden then (_message).body end,
    'hidden', (_message).hidden,
    'created_at', (_message).created_at,
    'client_message_id', case when (_message).user_id = _user_id then (_message).client_message_id end
);

comment on function eventlive.message_reply(eventlive.webinar_messages, uuid, boolean) is
    'A message as that user receives it: the body of a hidden one goes to staff alone, client_message_id to its author.';
revoke all on function eventlive.message_reply(eventlive.webinar_messages, uuid, boolean)
    from public, anon, authenticated, service_role;

-- A sliding window, read from the messages themselves: the oldest of the last _limit decides. It reads _limit entries of
-- an index at most, however much was said.

create function eventlive.check_message_rate(_webinar_id uuid, _user_id uuid, _limit integer, _window_s numeric)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wait_s numeric;
begin
    select round(_window_s - extract(epoch from clock_timestamp() - m.created_at), 3)
      into v_wait_s
      from eventlive.webinar_messages m
     where m.webinar_id = _webinar_id and m.user_id = _user_id
     order by m.created_at desc
    offset _limit - 1
     limit 1;
    if v_wait_s > 0 then
        perform eventlive.raise_error('too_many_messages', jsonb_build_object('retry_after_s', v_wait_s));
    end if;
end
$$;

comment on function eventlive.check_message_rate(uuid, uuid, integer, numeric) is
    'Refuses a user who has posted as many messages within that many seconds.';
revoke all on function eventlive.check_message_rate(uuid, uuid, integer, numeric)
    from public, anon, authenticated, service_role;

-- For clients that lost Realtime. It takes no lock and writes nothing: a poll never waits for a post, GET will do, and a
-- replica can answer.

create function eventlive.webinar_messages_poll(_webinar_id uuid, _after bigint, _limit integer)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.current_user_id();
    v_service boolean := v_user_id is null and eventlive.is_service();
    v_here record;
    v_staff boolean;
    v_jitter double precision;
    v_limit integer;
    v_after bigint := _after;
    v_page record;
begin
    if _webinar_id is null or _after is null or _after < -1 or _limit is null or _limit < 1 then
        perform eventlive.raise_error('invalid_argument', jsonb_build_object(
            'argument', '_webinar_id, _after or _limit',
            'must_be', 'a uuid; the cursor of the last reply, 0 for the beginning or -1 for the end; at least 1'));
    end if;

    select w.status, w.access_policy, w.entry_policy, l.settings, l.fallback_poll_interval_s, l.pacing_jitter,
           r.role, r.ejected_at is not null as ejected, p.is_admin
      into v_here
      from eventlive.webinars w
      join eventlive.webinar_live l on l.webinar_id = w.id
      left join eventlive.registrations r on r.webinar_id = w.id and r.user_id = v_user_id
      left join eventlive.profiles p on p.user_id = v_user_id
     where w.id = _webinar_id;
    if not found then
        perform eventlive.raise_error('webinar_not_found');
    end if;

    -- Whom the webinar is open to: staff always, the registered, and those who may enter without a registration.
    v_staff := v_service
        or coalesce(v_here.is_admin, false)
        or (coalesce(v_here.role in ('host', 'moderator'), false) and not v_here.ejected);
    if v_staff then
        null;
    elsif v_here.ejected then
        perform eventlive.raise_error('ejected');
    elsif v_here.status = 'draft' and coalesce(v_here.role, 'attendee') = 'attendee' then
        perform eventlive.raise_error('webinar_not_found');
    elsif v_here.status = 'ended' then
        perform eventlive.raise_error('webinar_ended');
    elsif v_user_id is null and v_here.access_policy <> 'guest_allowed' then
        perform eventlive.raise_error('guests_not_allowed');
    elsif v_here.role is null
        and (v_here.access_policy <> 'guest_allowed' or v_here.entry_policy = 'registered_only')
    then
        perform eventlive.raise_error('not_registered');
    end if;

    v_jitter := 1 + v_here.pacing_jitter * (2 * random() - 1);
    if not (v_here.settings ->> 'fallback_enabled')::boolean then
        perform eventlive.raise_error('fallback_disabled', jsonb_build_object('retry_after_s', round(
            (v_jitter * greatest(
                (v_here.settings ->> 'fallback_retry_after_s')::double precision, v_here.fallback_poll_interval_s
            ))::numeric, 3)));
    end if;

    v_limit := least(_limit, (v_here.settings ->> 'messages_poll_max')::numeric::integer);
    if v_after = -1 then
        -- The end: the last page, and whatever comes after it.
        select m.change_id
          into v_after
          from eventlive.webinar_messages m
         where m.webinar_id = _webinar_id
         order by m.change_id desc
        offset v_limit
         limit 1;
        v_after := coalesce(v_after, 0);
    end if;

    -- One more than asked for, to know whether there are more.
    select coalesce(jsonb_agg(c.message order by c.change_id) filter (where c.place <= v_limit), '[]') as messages,
           coalesce(max(c.change_id) filter (where c.place <= v_limit), v_after) as cursor,
           count(*) > v_limit as more
      into v_page
      from (
            select m.change_id,
                   row_number() over (order by m.change_id) as place,
                   eventlive.message_reply(m, v_user_id, v_staff) as message
              from eventlive.webinar_messages m
             where m.webinar_id = _webinar_id and m.change_id > v_after
             order by m.change_id
             limit v_limit + 1
           ) c;
    return jsonb_build_object(
        'messages', v_page.messages,
        'cursor', v_page.cursor,
        'more', v_page.more,
        'next_poll_s', round((v_jitter * v_here.fallback_poll_interval_s)::numeric, 3)
    );
end
$$;

comment on function eventlive.webinar_messages_poll(uuid, bigint, integer) is 'Body of eventlive_api.webinar_messages_poll.';
revoke all on function eventlive.webinar_messages_poll(uuid, bigint, integer) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_messages_poll(uuid, bigint, integer) to anon, authenticated, service_role;

create function eventlive_api.webinar_messages_poll(_webinar_id uuid, _after bigint default 0, _limit integer default 50)
returns jsonb
language sql
stable
security invoker
begin atomic
    select eventlive.webinar_messages_poll(_webinar_id, _after, _limit);
end;

comment on function eventlive_api.webinar_messages_poll(uuid, bigint, integer) is
    'The changes of messages behind the cursor of the last reply, in order: new messages, and known ones that were hidden (their body is null) or shown again. _after 0 begins at the beginning, -1 with the last _limit. Call again after next_poll_s. For the registered, staff, and guests where they may enter; 503 fallback_disabled where it is switched off.';
revoke all on function eventlive_api.webinar_messages_poll(uuid, bigint, integer) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_messages_poll(uuid, bigint, integer) to anon, authenticated, service_role;

create function eventlive.webinar_message_post(_webinar_id uuid, _client_message_id uuid, _kind text, _body text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.require_user();
    -- Lines end as on Unix, and blanks and empty lines around the text are no text.
    v_body text := btrim(replace(_body, E'\r\n', E'\n'), E' \t\n');
    v_message eventlive.webinar_messages;
    v_here record;
    v_role text;
    v_ejected_at timestamptz;
    v_registered boolean;
    v_change_id bigint;
begin
    if _webinar_id is null or _client_message_id is null then
        perform eventlive.raise_error('invalid_argument',
            '{"argument": "_webinar_id or _client_message_id", "must_be": "a uuid"}');
    elsif _kind is null or _kind not in ('chat', 'question', 'answer') then
        perform eventlive.raise_error('invalid_argument', '{"argument": "_kind", "must_be": "chat, question or answer"}');
    elsif _body is null then
        perform eventlive.raise_error('invalid_argument', '{"argument": "_body", "must_be": "a text"}');
    end if;

    -- A repeat is one read: no write, no WAL, no number taken. With "=" for the user, the index of a user's messages would
    -- do as well to the planner, and all of them be read.
    select m.* into v_message
      from eventlive.webinar_messages m
     where m.webinar_id = _webinar_id
       and m.client_message_id = _client_message_id
       and m.user_id is not distinct from v_user_id;
    if found then
        return eventlive.message_reply(v_message, v_user_id, false) || '{"created": false}';
    end if;

    perform eventlive.require_read_committed();
    perform eventlive.restore_durability();
    perform pg_advisory_xact_lock_shared(eventlive.webinar_lock_key(_webinar_id));
    select w.status,
           (l.settings ->> 'message_max_length')::numeric::integer as max_length,
           (l.settings ->> 'message_rate_limit')::numeric::integer as rate_limit,
           (l.settings ->> 'message_rate_window_s')::numeric as rate_window_s
      into v_here
      from eventlive.webinars w
      join eventlive.webinar_live l on l.webinar_id = w.id
     where w.id = _webinar_id;
    if not found then
        perform eventlive.raise_error('webinar_not_found');
    end if;
    -- Before the first lock on a row, so that whoever goes on and on costs no write; and again behind it, where it counts.
    perform eventlive.check_message_rate(_webinar_id, v_user_id, v_here.rate_limit, v_here.rate_window_s);

    -- What two posts of one user queue at, and what an ejection waits for.
    select r.role, r.ejected_at
      into v_role, v_ejected_at
      from eventlive.registrations r
     where r.webinar_id = _webinar_id and r.user_id = v_user_id
       for no key update;
    v_registered := found;
    if v_ejected_at is not null then
        perform eventlive.raise_error('ejected');
    elsif v_here.status = 'ended' or not v_registered or (v_here.status = 'draft' and v_role = 'attendee') then
        perform eventlive.check_admission(
            _webinar_id, v_user_id, v_registered, v_here.status, 'auth', 'registered_only', null);
        if not v_registered then
            perform eventlive.raise_error('not_registered');  -- administrators, who pass every policy
        end if;
    end if;

    -- Not before: to a stranger a draft is no webinar, whatever they send.
    if v_body = '' or v_body collate "C" ~ '[\x01-\x08\x0b-\x1f\x7f\u0080-\u009f]' then
        perform eventlive.raise_error('invalid_argument',
            '{"argument": "_body", "must_be": "a text that is not blank, without control characters but tabs and line ends"}');
    elsif char_length(v_body) > v_here.max_length then
        perform eventlive.raise_error('invalid_argument', jsonb_build_object(
            'argument', '_body', 'must_be', format('at most %s characters', v_here.max_length)));
    elsif _kind = 'answer' and v_role = 'attendee' then
        perform eventlive.raise_error('not_allowed');
    end if;

    select m.* into v_message
      from eventlive.webinar_messages m
     where m.webinar_id = _webinar_id
       and m.client_message_id = _client_message_id
       and m.user_id is not distinct from v_user_id;
    if found then
        -- The same call, made twice at once, was faster.
        return eventlive.message_reply(v_message, v_user_id, false) || '{"created": false}';
    end if;
    perform eventlive.check_message_rate(_webinar_id, v_user_id, v_here.rate_limit, v_here.rate_window_s);

    v_change_id := eventlive.next_change_id(_webinar_id);
    insert into eventlive.webinar_messages as m (
        webinar_id, message_id, user_id, client_message_id, kind, body, created_at, change_id
    )
    values (
        _webinar_id, v_change_id, v_user_id, _client_message_id, _kind, v_body, clock_timestamp(), v_change_id
    )
    returning m.* into v_message;
    return eventlive.message_reply(v_message, v_user_id, false) || '{"created": true}';
end
$$;

comment on function eventlive.webinar_message_post(uuid, uuid, text, text) is 'Body of eventlive_api.webinar_message_post.';
revoke all on function eventlive.webinar_message_post(uuid, uuid, text, text) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_message_post(uuid, uuid, text, text) to authenticated;

create function eventlive_api.webinar_message_post(_webinar_id uuid, _client_message_id uuid, _kind text, _body text)
returns jsonb
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_message_post(_webinar_id, _client_message_id, _kind, _body);
end;

comment on function eventlive_api.webinar_message_post(uuid, uuid, text, text) is
    'Posts a message of the registered caller, once: a repeat with the same _client_message_id returns the stored one with created false and writes nothing, whatever else it says. _kind: chat, question, or, from speakers, moderators and hosts, answer. At most message_rate_limit in message_rate_window_s: 429 too_many_messages.';
revoke all on function eventlive_api.webinar_message_post(uuid, uuid, text, text) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_message_post(uuid, uuid, text, text) to authenticated;

create function eventlive.webinar_message_hide(_webinar_id uuid, _message_id bigint, _hidden boolean)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_restored boolean := eventlive.restore_durability();
    v_read_committed boolean := eventlive.require_read_committed();
    v_hidden boolean;
    v_change_id bigint;
begin
    perform eventlive.require_staff(_webinar_id, array['host', 'moderator']);
    if _message_id is null or _hidden is null then
        perform eventlive.raise_error('invalid_argument',
            '{"argument": "_message_id or _hidden", "must_be": "the id of a message; a boolean"}');
    end if;

    -- Looked at before it is locked: a repeat takes no lock and writes nothing.
    select m.hidden into v_hidden
      from eventlive.webinar_messages m
     where m.webinar_id = _webinar_id and m.message_id = _message_id;
    if v_hidden <> _hidden then
        select m.hidden into v_hidden
          from eventlive.webinar_messages m
         where m.webinar_id = _webinar_id and m.message_id = _message_id
           for no key update;
    end if;
    if v_hidden is null then
        perform eventlive.raise_error('message_not_found');
    elsif v_hidden <> _hidden then
        -- With a new number, those who have the message already hear of it at their next poll.
        v_change_id := eventlive.next_change_id(_webinar_id);
        update eventlive.webinar_messages m
           set hidden = _hidden, change_id = v_change_id
         where m.webinar_id = _webinar_id and m.message_id = _message_id;
    end if;
    return jsonb_build_object(
        'webinar_id', _webinar_id, 'message_id', _message_id, 'hidden', _hidden, 'changed', v_hidden <> _hidden);
end
$$;

comment on function eventlive.webinar_message_hide(uuid, bigint, boolean) is 'Body of eventlive_api.webinar_message_hide.';
revoke all on function eventlive.webinar_message_hide(uuid, bigint, boolean) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_message_hide(uuid, bigint, boolean) to authenticated, service_role;

create function eventlive_api.webinar_message_hide(_webinar_id uuid, _message_id bigint, _hidden boolean default true)
returns jsonb
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_message_hide(_webinar_id, _message_id, _hidden);
end;

comment on function eventlive_api.webinar_message_hide(uuid, bigint, boolean) is
    'Hides a message, or with _hidden false shows it again; those who have it learn it at their next poll. A repeat changes nothing. For hosts, moderators, administrators and service_role.';
revoke all on function eventlive_api.webinar_message_hide(uuid, bigint, boolean) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_message_hide(uuid, bigint, boolean) to authenticated, service_role;

reset role;
notify pgrst, 'reload schema';
