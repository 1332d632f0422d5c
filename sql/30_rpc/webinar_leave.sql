create function eventlive.webinar_leave(_webinar_id uuid, _session_id uuid, _leave_token uuid)
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

comment on function eventlive.webinar_leave(uuid, uuid, uuid) is 'Body of eventlive_api.webinar_leave.';
revoke all on function eventlive.webinar_leave(uuid, uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_leave(uuid, uuid, uuid) to anon, authenticated;

create function eventlive_api.webinar_leave(_webinar_id uuid, _session_id uuid, _leave_token uuid)
returns void
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_leave(_webinar_id, _session_id, _leave_token);
end;

comment on function eventlive_api.webinar_leave(uuid, uuid, uuid) is
    'Ends a session, with the leave token that webinar_enter gave, signed in or not. The presence goes with the user''s last session. Leaving twice is leaving once.';
revoke all on function eventlive_api.webinar_leave(uuid, uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_leave(uuid, uuid, uuid) to anon, authenticated;
