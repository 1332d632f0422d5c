create function eventlive.refresh_webinar_live(_webinar_id uuid)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz;
    v_ended boolean;
    v_overrides jsonb;
    v_settings jsonb;
    v_client_settings jsonb;
    v_version text;
    v_participants integer;
    v_guests integer;
    v_registered integer;
    v_pace record;
begin
    -- Locked before anything is read: of two that overlap, the second one must see what the first one wrote. The
    -- settings come second, as in set_setting.
    select w.status = 'ended', w.settings
      into v_ended, v_overrides
      from eventlive.webinars w
     where w.id = _webinar_id
       for no key update;
    if not found then
        perform eventlive.raise_error('webinar_not_found');
    end if;
    perform pg_advisory_xact_lock_shared(eventlive.settings_lock_key());
    v_now := clock_timestamp();

    select count(*) into v_participants
      from eventlive.webinar_live_presence p
     where p.webinar_id = _webinar_id and p.expires_at > v_now;
    select count(*) into v_guests
      from eventlive.webinar_user_sessions s
     where s.webinar_id = _webinar_id and s.user_id is null and s.exited_at is null and s.expires_at > v_now;
    select count(*) into v_registered from eventlive.registrations r where r.webinar_id = _webinar_id;

    select jsonb_object_agg(s.key, coalesce(v_overrides -> s.key, s.value)) filter (where s.per_webinar),
           jsonb_object_agg(s.key, coalesce(v_overrides -> s.key, s.value)) filter (where s.client_visible)
      into v_settings, v_client_settings
      from eventlive.settings s;

    -- The version leaves pacing out: an audience that grows must not make every client fetch its settings again.
    v_version := left(encode(sha256(convert_to(v_client_settings::text, 'UTF8')), 'hex'), 12);

    v_pace := eventlive.paced_intervals(v_settings, v_participants, v_guests);
    v_client_settings := eventlive.paced_settings(v_client_settings, v_pace.ping_s, v_pace.heartbeat_s, v_pace.poll_s)
        || jsonb_build_object('settings_version', v_version);

    insert into eventlive.webinar_live as l (
        webinar_id, participants, guests, registered, peak_participants, peak_at, as_of, closed_at,
        presence_ping_interval_s, session_heartbeat_interval_s, fallback_poll_interval_s,
        throttle_factor, expiry_factor, watch_credit_factor, pacing_jitter,
        settings, client_settings, settings_version
    )
    values (
        _webinar_id, v_participants, v_guests, v_registered, v_participants + v_guests, v_now, v_now,
        case when v_ended then v_now end,
        v_pace.ping_s, v_pace.heartbeat_s, v_pace.poll_s,
        (v_settings ->> 'throttle_factor')::real, (v_settings ->> 'expiry_factor')::real,
        (v_settings ->> 'watch_credit_factor')::real, (v_settings ->> 'pacing_jitter')::real,
        v_settings, v_client_settings, v_version
    )
    on conflict (webinar_id) do update
       set participants = excluded.participants,
           guests = excluded.guests,
           registered = excluded.registered,
           peak_participants = greatest(l.peak_participants, excluded.peak_participants),
           peak_at = case when excluded.peak_participants > l.peak_participants then excluded.peak_at else l.peak_at end,
           as_of = excluded.as_of,
           closed_at = case when excluded.closed_at is not null then coalesce(l.closed_at, excluded.closed_at) end,
           presence_ping_interval_s = excluded.presence_ping_interval_s,
           session_heartbeat_interval_s = excluded.session_heartbeat_interval_s,
           fallback_poll_interval_s = excluded.fallback_poll_interval_s,
           throttle_factor = excluded.throttle_factor,
           expiry_factor = excluded.expiry_factor,
           watch_credit_factor = excluded.watch_credit_factor,
           pacing_jitter = excluded.pacing_jitter,
           settings = excluded.settings,
           client_settings = excluded.client_settings,
           settings_version = excluded.settings_version;
end
$$;

comment on function eventlive.refresh_webinar_live(uuid) is
    'Counts the audience of a webinar and works out its pace and settings. Runs after every change of the webinar and by the clock.';
revoke all on function eventlive.refresh_webinar_live(uuid) from public, anon, authenticated, service_role;
