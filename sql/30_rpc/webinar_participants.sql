-- Without bitmaps: they would read all who are present, and sort them, where statistics know of nobody yet; the key has
-- them in the order that is asked for.

create function eventlive.webinar_participants(_webinar_id uuid, _after uuid, _limit integer)
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

comment on function eventlive.webinar_participants(uuid, uuid, integer) is 'Body of eventlive_api.webinar_participants.';
revoke all on function eventlive.webinar_participants(uuid, uuid, integer) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_participants(uuid, uuid, integer) to authenticated, service_role;

create function eventlive_api.webinar_participants(_webinar_id uuid, _after uuid default null, _limit integer default 50)
returns jsonb
language sql
stable
security invoker
begin atomic
    select eventlive.webinar_participants(_webinar_id, _after, _limit);
end;

comment on function eventlive_api.webinar_participants(uuid, uuid, integer) is
    'The registered users who are present at this moment, by user id: those behind the cursor of the last reply. more says whether there is another page. Guests are counted by webinar_stats_access. For hosts, moderators, administrators and service_role.';
revoke all on function eventlive_api.webinar_participants(uuid, uuid, integer) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_participants(uuid, uuid, integer) to authenticated, service_role;
