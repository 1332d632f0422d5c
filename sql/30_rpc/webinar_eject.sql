create function eventlive.webinar_eject(_webinar_id uuid, _user_id uuid, _session_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_restored boolean := eventlive.restore_durability();
    v_read_committed boolean := eventlive.require_read_committed();
    v_now timestamptz;
    v_role text;
    v_session_ids uuid[];
    v_closed integer;
    v_newly_ejected boolean := false;
begin
    perform eventlive.require_staff(_webinar_id, array['host', 'moderator']);
    if (_user_id is null) = (_session_id is null) then
        perform eventlive.raise_error('invalid_argument',
            '{"argument": "_user_id or _session_id", "must_be": "one of them: the user, or the session of a guest"}');
    end if;
    perform pg_advisory_xact_lock_shared(eventlive.webinar_lock_key(_webinar_id));

    if _session_id is not null then
        if not exists (
            select
              from eventlive.webinar_user_sessions s
             where s.webinar_id = _webinar_id and s.session_id = _session_id and s.user_id is null
        ) then
            perform eventlive.raise_error('session_not_found');
        end if;
        v_session_ids := array[_session_id];
    else
        select r.role into v_role
          from eventlive.registrations r
         where r.webinar_id = _webinar_id and r.user_id = _user_id
           for no key update;
        if not found then
            perform eventlive.raise_error('invalid_argument', '{"argument": "_user_id", "must_be": "a registered user"}');
        elsif v_role = 'host' then
            perform eventlive.raise_error('not_allowed', '{"reason": "a host must be made something else first"}');
        end if;
        update eventlive.registrations r
           set ejected_at = clock_timestamp()
         where r.webinar_id = _webinar_id and r.user_id = _user_id and r.ejected_at is null;
        v_newly_ejected := found;
        v_session_ids := array(
            select s.session_id
              from eventlive.webinar_user_sessions s
             where s.webinar_id = _webinar_id and s.user_id = _user_id and s.exited_at is null
             order by s.session_id
               for update
        );
    end if;

    v_now := clock_timestamp();
    v_closed := eventlive.close_sessions(_webinar_id, v_session_ids, 'ejected', v_now);
    if v_closed = 0 and v_newly_ejected then
        insert into eventlive.event_access_logs (webinar_id, occurred_at, event, user_id)
        values (_webinar_id, v_now, 'ejected', _user_id);
    end if;
    delete from eventlive.webinar_live_presence p where p.webinar_id = _webinar_id and p.user_id = _user_id;
    return jsonb_build_object('webinar_id', _webinar_id, 'closed_sessions', v_closed);
end
$$;

comment on function eventlive.webinar_eject(uuid, uuid, uuid) is 'Body of eventlive_api.webinar_eject.';
revoke all on function eventlive.webinar_eject(uuid, uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_eject(uuid, uuid, uuid) to authenticated, service_role;

create function eventlive_api.webinar_eject(_webinar_id uuid, _user_id uuid default null, _session_id uuid default null)
returns jsonb
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_eject(_webinar_id, _user_id, _session_id);
end;

comment on function eventlive_api.webinar_eject(uuid, uuid, uuid) is
    'Throws a user out of a webinar until webinar_grant_role lets them in again, or ends the session of a guest. The session learns it at its next heartbeat. For hosts, moderators, administrators and service_role; a host cannot be ejected.';
revoke all on function eventlive_api.webinar_eject(uuid, uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_eject(uuid, uuid, uuid) to authenticated, service_role;
