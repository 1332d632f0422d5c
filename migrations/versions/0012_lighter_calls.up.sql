-- Released: never change this file. A change of the schema is a new migration.

set local lock_timeout = '5s';
set local search_path = pg_catalog, pg_temp;

set local role eventlive_owner;

create function eventlive.claimed_user_id()
returns uuid
language plpgsql
stable
as $$
declare
    v_claims pg_catalog.text := pg_catalog.current_setting('request.jwt.claims', true);
begin
    if v_claims is null or v_claims operator(pg_catalog.=) '' then
        return null;
    end if;
    if pg_catalog.left(v_claims, 1) operator(pg_catalog.<>) '{' then
        perform eventlive.raise_error('invalid_claims');
    end if;
    return (v_claims::pg_catalog.json operator(pg_catalog.->>) 'sub')::pg_catalog.uuid;
exception
    -- The one handler on the hot path. Postgres 15 has no test for valid JSON that does not raise; the block adds
    -- 0.6 us where checking the uuid with a pattern adds 3 us. It translates and hides nothing.
    when invalid_text_representation or untranslatable_character or statement_too_complex then
        perform eventlive.raise_error('invalid_claims');
end
$$;

comment on function eventlive.claimed_user_id() is
    'The sub of request.jwt.claims; null for a guest. Claims that are no JSON object or a sub that is no uuid: PT401 invalid_claims.';
revoke all on function eventlive.claimed_user_id() from public, anon, authenticated, service_role;

create or replace function eventlive.current_user_id()
returns uuid
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return eventlive.claimed_user_id();
end
$$;

create or replace function eventlive.relax_durability()
returns boolean
language sql
volatile
begin atomic
    select case
               when current_setting('synchronous_commit') = 'off' then false
               when set_config('eventlive.synchronous_commit', current_setting('synchronous_commit'), true) is null then false
               else set_config('synchronous_commit', 'off', true) is not null
           end;
end;

create or replace function eventlive.close_sessions(
    _webinar_id uuid, _session_ids uuid[], _reason text, _at timestamptz, _replaced_by uuid default null
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    v_closed integer;
begin
    with closed as (
        update eventlive.webinar_user_sessions s
           set exited_at = greatest(least(_at, s.expires_at, l.closed_at), s.last_heartbeat_at),
               exit_reason = case
                   when s.expires_at <= least(_at, l.closed_at) then 'expired'
                   when l.closed_at <= _at then 'webinar_ended'
                   else _reason
               end,
               replaced_by = case
                   when _reason = 'replaced' and s.expires_at > _at and (l.closed_at <= _at) is not true then _replaced_by
               end,
               watched_seconds = s.watched_seconds + eventlive.watch_credit(
                   s.last_heartbeat_at, least(_at, s.expires_at, l.closed_at), l.watch_credit_factor * s.interval_s)
          from eventlive.webinar_live l
         where s.webinar_id = _webinar_id
           and s.session_id = any (_session_ids)
           and s.exit_reason is null
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

create or replace function eventlive.close_expired_sessions_step(_webinar_id uuid, _session_ids uuid[])
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    v_now timestamptz;
    v_closed_at timestamptz;
    v_session_ids uuid[];
begin
    -- A change of status is under way: next time.
    if not pg_try_advisory_xact_lock_shared(eventlive.webinar_lock_key(_webinar_id)) then
        return 0;
    end if;
    select l.closed_at into v_closed_at from eventlive.webinar_live l where l.webinar_id = _webinar_id;

    -- Looked at again under the lock: some may have been left or renewed since. Whoever holds one is at it already.
    v_now := clock_timestamp();
    v_session_ids := array(
        select s.session_id
          from eventlive.webinar_user_sessions s
         where s.webinar_id = _webinar_id
           and s.session_id = any (_session_ids)
           and s.exit_reason is null  -- by the key, not by the index of open sessions
           and (s.expires_at <= v_now or v_closed_at is not null)
         order by s.session_id
           for no key update skip locked
    );
    return eventlive.close_sessions(
        _webinar_id, v_session_ids, case when v_closed_at is null then 'expired' else 'webinar_ended' end,
        coalesce(v_closed_at, v_now));
end
$$;

create or replace function eventlive.webinar_leave(_webinar_id uuid, _session_id uuid, _leave_token uuid)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_session record;
    v_now timestamptz;
    v_restored boolean := eventlive.restore_durability();
begin
    if _webinar_id is null or _session_id is null or _leave_token is null then
        perform eventlive.raise_error('invalid_argument',
            '{"argument": "_webinar_id, _session_id or _leave_token", "must_be": "a uuid"}');
    end if;

    -- The token stands for the session, whoever is signed in: sendBeacon carries no Authorization.
    select s.user_id, s.exited_at
      into v_session
      from eventlive.webinar_user_sessions s
     where s.webinar_id = _webinar_id and s.session_id = _session_id and s.leave_token = _leave_token;
    if not found then
        perform eventlive.raise_error('session_not_found');
    elsif v_session.exited_at is not null then
        return;
    end if;

    -- Two tabs that leave at once queue here; else each would see the other's session open and leave the presence.
    if v_session.user_id is not null then
        perform from eventlive.registrations r
          where r.webinar_id = _webinar_id and r.user_id = v_session.user_id
            for no key update;
    end if;

    v_now := clock_timestamp();
    if eventlive.close_sessions(_webinar_id, array[_session_id], 'left', v_now) > 0 and v_session.user_id is not null then
        delete from eventlive.webinar_live_presence p
         where p.webinar_id = _webinar_id
           and p.user_id = v_session.user_id
           and not exists (
                select
                  from eventlive.webinar_user_sessions s
                 where s.webinar_id = _webinar_id
                   and s.user_id = v_session.user_id
                   and s.exited_at is null
                   and s.expires_at > v_now
           );
    end if;
end
$$;

create or replace function eventlive.webinar_message_post(_webinar_id uuid, _client_message_id uuid, _kind text, _body text)
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
    -- Blank are the characters that show nothing, too.
    if v_body collate "C" !~ '[^ \t\n\u00a0\u00ad\u115f\u1160\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0]'
        or v_body collate "C" ~ '[\x01-\x08\x0b-\x1f\x7f\u0080-\u009f]' then
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

create or replace function eventlive.webinar_participants(_webinar_id uuid, _after uuid, _limit integer)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set enable_bitmapscan = off
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_from uuid := coalesce(_after, '00000000-0000-0000-0000-000000000000');
    v_limit integer;
    v_page record;
begin
    perform eventlive.require_staff(_webinar_id, array['host', 'moderator']);
    if _limit is null or _limit < 1 then
        perform eventlive.raise_error('invalid_argument', '{"argument": "_limit", "must_be": "at least 1"}');
    end if;
    select least(_limit, (l.settings ->> 'participants_page_max')::numeric::integer)
      into v_limit
      from eventlive.webinar_live l
     where l.webinar_id = _webinar_id;

    -- One more than asked for, to know whether there are more.
    select coalesce(jsonb_agg(c.participant order by c.user_id) filter (where c.place <= v_limit), '[]') as participants,
           coalesce((array_agg(c.user_id order by c.user_id desc) filter (where c.place <= v_limit))[1], _after) as cursor,
           count(*) > v_limit as more
      into v_page
      from (
            select p.user_id,
                   row_number() over (order by p.user_id) as place,
                   jsonb_build_object(
                       'user_id', p.user_id,
                       'role', r.role,
                       'name', coalesce(r.nickname, f.display_name),
                       'joined_at', p.joined_at,
                       'last_seen_at', p.last_seen_at
                   ) as participant
              from (
                    select p.user_id, p.joined_at, p.last_seen_at
                      from eventlive.webinar_live_presence p
                     where p.webinar_id = _webinar_id
                       and p.user_id >= v_from
                       and p.user_id is distinct from _after
                       and p.expires_at > v_now
                     order by p.user_id
                     limit v_limit + 1
                   ) p
             cross join lateral (
                    -- OFFSET 0 keeps it a look by the whole key for each of them, whatever statistics say.
                    select r.role, r.nickname
                      from eventlive.registrations r
                     where r.webinar_id = _webinar_id and r.user_id = p.user_id
                    offset 0
                   ) r
              left join eventlive.profiles f on f.user_id = p.user_id
           ) c;
    return jsonb_build_object('participants', v_page.participants, 'cursor', v_page.cursor, 'more', v_page.more);
end
$$;

create or replace function eventlive.webinar_presence_ping(_webinar_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.claimed_user_id();
    v_now timestamptz := clock_timestamp();
    v_alone boolean := pg_current_xact_id_if_assigned() is null;
begin
    update eventlive.webinar_live_presence p
       set last_seen_at = v_now,
           expires_at = greatest(p.expires_at, v_now + p.ttl_s * interval '1 second')
     where p.webinar_id = _webinar_id
       and p.user_id = v_user_id
       and p.last_seen_at <= v_now - p.throttle_s * interval '1 second';

    if not found then
        if exists (
            select
              from eventlive.webinar_live_presence p
             where p.webinar_id = _webinar_id and p.user_id = v_user_id
        ) then
            return;
        end if;
        perform eventlive.create_presence(_webinar_id, v_user_id);
    end if;

    -- Assigned, not performed: an assignment runs no statement of its own.
    if v_alone then
        v_alone := eventlive.relax_durability();
    end if;
end
$$;

create or replace function eventlive.webinar_presence_ping_many(_webinar_id uuid, _user_ids uuid[])
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_alone boolean := pg_current_xact_id_if_assigned() is null;
    v_read_committed boolean := eventlive.require_read_committed();
    v_live eventlive.webinar_live;
    v_reply jsonb;
begin
    if _webinar_id is null or _user_ids is null
        or (case when array_ndims(_user_ids) > 1 then true else array_position(_user_ids, null) is not null end)
    then
        perform eventlive.raise_error('invalid_argument',
            '{"argument": "_webinar_id or _user_ids", "must_be": "a uuid; an array of uuids without null"}');
    end if;
    -- Before the look: one that waited here while the webinar ended must see that it has.
    perform pg_advisory_xact_lock_shared(eventlive.webinar_lock_key(_webinar_id));
    select l.* into v_live from eventlive.webinar_live l where l.webinar_id = _webinar_id;
    if not found then
        perform eventlive.raise_error('webinar_not_found');
    elsif v_live.closed_at is not null then
        perform eventlive.raise_error('webinar_ended');
    elsif cardinality(_user_ids) > (v_live.settings ->> 'ping_batch_max')::numeric::integer then
        perform eventlive.raise_error('invalid_argument', jsonb_build_object(
            'argument', '_user_ids', 'must_be', format('at most %s ids', v_live.settings ->> 'ping_batch_max')));
    end if;

    with asked as materialized (
        select distinct a.user_id from unnest(_user_ids) as a (user_id) order by a.user_id
    ), looked as materialized (
        -- OFFSET 0 keeps it a look by the whole key: of a webinar that statistics do not know yet the planner would read all
        -- rows. The places hold while the snapshot does; a row that has moved since is being refreshed by somebody else.
        select a.user_id, p.place, p.is_due
          from asked a
          left join lateral (
                select p.ctid as place, p.last_seen_at <= v_now - p.throttle_s * interval '1 second' as is_due
                  from eventlive.webinar_live_presence p
                 where p.webinar_id = _webinar_id and p.user_id = a.user_id
                offset 0
               ) p on true
    ), due as (
        select p.ctid as place
          from looked l
          join eventlive.webinar_live_presence p on p.ctid = l.place
         where l.is_due
           for no key update of p skip locked
    ), refreshed as (
        update eventlive.webinar_live_presence p
           set last_seen_at = v_now,
               expires_at = greatest(p.expires_at, v_now + p.ttl_s * interval '1 second')
          from due d
         where p.ctid = d.place
        returning p.user_id
    ), missing as materialized (
        -- Whoever has a presence row is registered: only for the others are registrations read.
        select l.user_id, r.place
          from looked l
          left join lateral (
                select r.ctid as place
                  from eventlive.registrations r
                 where r.webinar_id = _webinar_id and r.user_id = l.user_id and r.ejected_at is null
                offset 0
               ) r on true
         where l.place is null
    ), absent as (
        -- Locked, or an ejection could slip in between and the row would stay; and exclusively, so that two batches never
        -- create the same row. Whoever is entering or being ejected at this moment is left to that call.
        select r.user_id
          from missing m
          join eventlive.registrations r on r.ctid = m.place
         where r.ejected_at is null
           for no key update of r skip locked
    ), created as (
        insert into eventlive.webinar_live_presence (
            webinar_id, user_id, joined_at, last_seen_at, expires_at, throttle_s, ttl_s
        )
        select _webinar_id, a.user_id, v_now, v_now,
               v_now + v_live.expiry_factor * v_live.presence_ping_interval_s * interval '1 second',
               v_live.throttle_factor * v_live.presence_ping_interval_s,
               v_live.expiry_factor * v_live.presence_ping_interval_s
          from absent a
         order by a.user_id
            on conflict (webinar_id, user_id) do nothing
        returning user_id
    )
    select jsonb_build_object(
        'refreshed', (select count(*) from refreshed) + (select count(*) from created),
        'not_registered', coalesce(
            (select jsonb_agg(m.user_id order by m.user_id) from missing m where m.place is null), '[]')
    ) into v_reply;

    if v_alone then
        v_alone := eventlive.relax_durability();
    end if;
    return v_reply;
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

create or replace function eventlive.webinar_messages_poll(_webinar_id uuid, _after bigint, _limit integer)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.claimed_user_id();
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

comment on function eventlive_api.webinar_messages_poll(uuid, bigint, integer) is
    'The changes of messages behind the cursor of the last reply, in order: new messages, and known ones that were hidden (their body is null) or shown again. _after 0 begins at the beginning, -1 with the last _limit. Call again after next_poll_s. For the registered, staff, and guests where they may enter; 429 fallback_disabled where it is switched off.';

-- With 3,600 s an audience of more than 360,000 made more polls than fallback_target_rps, whatever that said. The interval
-- itself is worked out at the next rollup.
-- Until then nobody may change a webinar or a setting. Entering, pings and heartbeats do not wait.
do $$
begin
    perform from eventlive.webinars w order by w.id for no key update;
    perform pg_advisory_xact_lock(eventlive.settings_lock_key());
end
$$;

update eventlive.settings s
   set default_value = '86400',
       max_value = 86400,
       value = case when s.value = s.default_value then '86400' else s.value end
 where s.key = 'fallback_poll_max_interval_s';
update eventlive.webinar_live l
   set settings = l.settings || jsonb_build_object('fallback_poll_max_interval_s', coalesce(
           w.settings -> 'fallback_poll_max_interval_s',
           (select s.value from eventlive.settings s where s.key = 'fallback_poll_max_interval_s')))
  from eventlive.webinars w
 where w.id = l.webinar_id;

reset role;
notify pgrst, 'reload schema';
