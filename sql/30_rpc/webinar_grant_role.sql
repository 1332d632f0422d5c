create function eventlive.webinar_grant_role(_webinar_id uuid, _user_id uuid, _role text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_restored boolean := eventlive.restore_durability();
    v_registration eventlive.registrations;
    v_other_hosts integer;
begin
    perform eventlive.require_staff(_webinar_id, array['host']);
    if _user_id is null or _role is null or _role not in ('attendee', 'speaker', 'moderator', 'host') then
        perform eventlive.raise_error('invalid_argument',
            '{"argument": "_user_id or _role", "must_be": "a uuid; attendee, speaker, moderator or host"}');
    end if;

    if _role <> 'host' then
        -- Two hosts who demote each other queue here; the second one finds himself the last.
        perform from eventlive.registrations r
          where r.webinar_id = _webinar_id and r.role = 'host'
          order by r.user_id
            for no key update;
        select count(*) filter (where r.user_id <> _user_id)
          into v_other_hosts
          from eventlive.registrations r
         where r.webinar_id = _webinar_id and r.role = 'host' and r.ejected_at is null
        having bool_or(r.user_id = _user_id);
        if v_other_hosts = 0 then
            perform eventlive.raise_error('last_host');
        end if;
    end if;

    with granted as (
        insert into eventlive.registrations as r (webinar_id, user_id, role, registered_via)
        values (_webinar_id, _user_id, _role, 'invite')
        on conflict (webinar_id, user_id) do update
           set role = excluded.role, ejected_at = null
        returning r.*, r.xmax = 0 as inserted
    ), logged as (
        insert into eventlive.event_access_logs (webinar_id, occurred_at, event, user_id, detail)
        select g.webinar_id, clock_timestamp(), 'registered', g.user_id,
               jsonb_build_object('registered_via', 'invite', 'role', g.role)
          from granted g
         where g.inserted
    )
    select g.webinar_id, g.user_id, g.role, g.registered_via, g.nickname, g.registered_at, g.ejected_at
      into v_registration
      from granted g;
    return eventlive.registration_reply(v_registration);
end
$$;

comment on function eventlive.webinar_grant_role(uuid, uuid, text) is 'Body of eventlive_api.webinar_grant_role.';
revoke all on function eventlive.webinar_grant_role(uuid, uuid, text) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_grant_role(uuid, uuid, text) to authenticated, service_role;

create function eventlive_api.webinar_grant_role(_webinar_id uuid, _user_id uuid, _role text)
returns jsonb
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_grant_role(_webinar_id, _user_id, _role);
end;

comment on function eventlive_api.webinar_grant_role(uuid, uuid, text) is
    'Makes a user attendee, speaker, moderator or host of a webinar, registering them where need be, and lets an ejected one in again. The last host stays host. For hosts, administrators and service_role.';
revoke all on function eventlive_api.webinar_grant_role(uuid, uuid, text) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_grant_role(uuid, uuid, text) to authenticated, service_role;
