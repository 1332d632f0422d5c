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
