-- A heartbeat found no presence row: another tab left, or a job purged it. The heartbeat holds its session row by now,
-- so it must not wait for a lock that comes before that one in the order; if somebody holds it, the next beat will do.

create function eventlive.recreate_presence(
    _webinar_id uuid, _user_id uuid, _now timestamptz, _session_ttl_s double precision, _throttle_s double precision, _ttl_s double precision
)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if not pg_try_advisory_xact_lock_shared(eventlive.webinar_lock_key(_webinar_id)) then
        return false;
    end if;
    insert into eventlive.webinar_live_presence (
        webinar_id, user_id, joined_at, last_seen_at, expires_at, throttle_s, ttl_s
    )
    select r.webinar_id, r.user_id, _now, _now, _now + _session_ttl_s * interval '1 second', _throttle_s, _ttl_s
      from eventlive.registrations r
     where r.webinar_id = _webinar_id and r.user_id = _user_id and r.ejected_at is null
       for share skip locked
        on conflict (webinar_id, user_id) do nothing;
    return found;
end
$$;

comment on function eventlive.recreate_presence(uuid, uuid, timestamptz, double precision, double precision, double precision) is
    'Gives a watching user the presence row back; never waits, and false where it could not.';
revoke all on function eventlive.recreate_presence(uuid, uuid, timestamptz, double precision, double precision, double precision)
    from public, anon, authenticated, service_role;
