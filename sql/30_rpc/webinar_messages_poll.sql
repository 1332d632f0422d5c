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
    'The changes of messages behind the cursor of the last reply, in order: new messages, and known ones that were hidden (their body is null) or shown again. _after 0 begins at the beginning, -1 with the last _limit. Call again after next_poll_s. For the registered, staff, and guests where they may enter; 429 fallback_disabled where it is switched off.';
revoke all on function eventlive_api.webinar_messages_poll(uuid, bigint, integer) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_messages_poll(uuid, bigint, integer) to anon, authenticated, service_role;
