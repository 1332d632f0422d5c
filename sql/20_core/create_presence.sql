-- The first ping of a registered user. Everything here happens once; the pings that follow touch presence alone.

create function eventlive.create_presence(_webinar_id uuid, _user_id uuid)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_ejected_at timestamptz;
    v_live eventlive.webinar_live;
begin
    if _user_id is null then
        perform eventlive.raise_error('unauthenticated');
    elsif _webinar_id is null then
        perform eventlive.raise_error('invalid_argument', '{"argument": "_webinar_id", "must_be": "the id of a webinar"}');
    end if;

    perform eventlive.require_read_committed();
    -- Neither an ejection nor the end of the webinar may slip in between the look and the insert: the row would stay.
    perform pg_advisory_xact_lock_shared(eventlive.webinar_lock_key(_webinar_id));
    select r.ejected_at
      into v_ejected_at
      from eventlive.registrations r
     where r.webinar_id = _webinar_id and r.user_id = _user_id
       for share;
    if not found then
        perform eventlive.raise_error('not_registered');
    elsif v_ejected_at is not null then
        perform eventlive.raise_error('ejected');
    end if;

    select l.* into v_live from eventlive.webinar_live l where l.webinar_id = _webinar_id;
    if v_live.closed_at is not null then
        perform eventlive.raise_error('webinar_ended');
    end if;

    insert into eventlive.webinar_live_presence (
        webinar_id, user_id, joined_at, last_seen_at, expires_at, throttle_s, ttl_s
    )
    values (
        _webinar_id, _user_id, v_now, v_now,
        v_now + v_live.expiry_factor * v_live.presence_ping_interval_s * interval '1 second',
        v_live.throttle_factor * v_live.presence_ping_interval_s,
        v_live.expiry_factor * v_live.presence_ping_interval_s
    )
    on conflict (webinar_id, user_id) do nothing;
end
$$;

comment on function eventlive.create_presence(uuid, uuid) is
    'Inserts the presence row of a registered user who has none; refuses the unregistered, the ejected, and everybody once the webinar has ended.';
revoke all on function eventlive.create_presence(uuid, uuid) from public, anon, authenticated, service_role;
