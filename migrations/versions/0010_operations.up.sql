-- Released: never change this file. A change of the schema is a new migration.

set local lock_timeout = '5s';
set local search_path = pg_catalog, pg_temp;

set local role eventlive_owner;

-- In the order in which a change of a setting takes them.
do $$
begin
    perform from eventlive.webinars w order by w.id for no key update;
    perform pg_advisory_xact_lock(eventlive.settings_lock_key());
end
$$;

insert into eventlive.settings
    (key, value, default_value, value_type, min_value, max_value, unit, per_webinar, client_visible, description)
select key, value, value, value_type, min_value, max_value, unit, per_webinar, client_visible, description
  from (values
    ('rollup_late_after_s', '150'::jsonb, 'number', 1, 86400, 's', true, false,
        'Statistics older than this are late, and dashboards are asked to poll less often.'),
    ('rollup_idle_interval_s', '900', 'number', 1, 86400, 's', true, false,
        'A webinar that is neither live nor visited is counted this often; any other one by each run of rollup_live.'),
    ('load_high_connections_ratio', '0.8', 'number', 0.01, 1, null, true, false,
        'From this part of the connections in use on, the load is high, and dashboards are asked to poll less often.'),
    ('timeline_bucket_s', '300', 'integer', 60, 900, 's', true, false,
        'Length of a bucket of the timeline: 60, 300 or 900; what lies between is taken down to the next of them.'),
    ('timeline_max_buckets', '288', 'integer', 1, 10000, 'rows', true, false,
        'Buckets of the timeline in one reply: the last ones.'),
    ('participants_page_max', '200', 'integer', 1, 1000, 'rows', true, false,
        'People in one page of webinar_participants; who asks for more gets as many.'),
    ('presence_retention_s', '3600', 'number', 0, 31536000, 's', false, false,
        'Presence that expired longer ago is deleted.'),
    ('session_retention_days', '365', 'number', 0.01, 36500, 'days', true, false,
        'Sessions that ended longer ago are deleted.'),
    ('message_retention_days', '180', 'number', 0.01, 36500, 'days', true, false,
        'Messages posted longer ago are deleted.'),
    ('timeline_retention_days', '1095', 'number', 0.01, 36500, 'days', true, false,
        'Buckets of the timeline that began longer ago are deleted.'),
    ('event_log_retention_days', '365', 'number', 0.01, 36500, 'days', false, false,
        'Partitions of the visit log that ended longer ago are dropped.'),
    ('event_log_partition_days', '30', 'integer', 1, 366, 'days', false, false,
        'Length of a partition of the visit log. A change holds for those made from then on.'),
    ('event_log_ahead_days', '45', 'integer', 1, 1000, 'days', false, false,
        'Partitions of the visit log are there this long before they are needed.'),
    ('job_run_retention_days', '30', 'number', 0.01, 36500, 'days', false, false,
        'Runs of jobs that began longer ago are forgotten, but for the last and the last good one of each.'),
    ('job_batch_size', '1000', 'integer', 1, 10000, 'rows', false, false,
        'Rows that a job changes in one transaction.'),
    ('job_lock_timeout_s', '0.1', 'number', 0.001, 60, 's', false, false,
        'How long a job waits for a lock, since others queue behind it; then the run fails, and the next one goes on.'),
    ('alert_window_s', '60', 'number', 1, 3600, 's', false, false,
        'The time over which eventlive-db watch counts.'),
    ('alert_cooldown_s', '900', 'number', 0, 86400, 's', false, false,
        'An alarm that goes on is told again after this time.'),
    ('alert_http_400_per_min', '10', 'number', 0, 1000000, '1/min', false, false,
        'Answers 400 a minute that are an alarm.'),
    ('alert_http_409_per_min', '50', 'number', 0, 1000000, '1/min', false, false,
        'Answers 409 a minute that are an alarm.'),
    ('alert_http_5xx_per_min', '10', 'number', 0, 1000000, '1/min', false, false,
        'Answers 500 to 599 a minute that are an alarm.'),
    ('alert_http_404_per_min', '50', 'number', 0, 1000000, '1/min', false, false,
        'Answers 404 a minute that are an alarm.'),
    ('alert_http_401_per_min', '50', 'number', 0, 1000000, '1/min', false, false,
        'Answers 401 a minute that are an alarm.'),
    ('alert_auth_p95_s', '5', 'number', 0.001, 3600, 's', false, false,
        '95th percentile of the time that the auth service takes which is an alarm.'),
    ('alert_realtime_disconnects_per_min', '100', 'number', 0, 1000000, '1/min', false, false,
        'Connections to Realtime lost in a minute that are an alarm.'),
    ('alert_connections_ratio', '0.8', 'number', 0.01, 1, null, false, false,
        'Part of the connections in use that is an alarm.'),
    ('alert_xmin_age_s', '600', 'number', 1, 604800, 's', false, false,
        'Age of the oldest snapshot that is an alarm: it keeps dead rows from being cleared.'),
    ('alert_dead_tuple_ratio', '0.5', 'number', 0.01, 1, null, false, false,
        'Part of a table''s rows that are dead which is an alarm.'),
    ('alert_hot_ratio_min', '0.9', 'number', 0, 1, null, false, false,
        'Part of the updates of presence and sessions that are HOT below which there is an alarm.'),
    ('alert_lock_waiters', '5', 'integer', 1, 10000, null, false, false,
        'Backends waiting for a lock that are an alarm.')
  ) as s (key, value, value_type, min_value, max_value, unit, per_webinar, client_visible, description);
comment on column eventlive.settings.unit is 's for seconds, days, 1/s and 1/min for rates, bytes, rows, characters; null for a bare number.';

-- Those that no webinar may override are left out from now on.
update eventlive.webinar_live l
   set settings = n.settings
  from (
        select w.id as webinar_id,
               jsonb_object_agg(s.key, coalesce(w.settings -> s.key, s.value)) filter (where s.per_webinar) as settings
          from eventlive.webinars w
         cross join eventlive.settings s
         group by w.id
       ) n
 where l.webinar_id = n.webinar_id;

insert into eventlive.jobs (name, schedule, max_age, description) values
    ('rollup_live', '* * * * *', '5 minutes', 'Counts the audience of each webinar, works out the pace, samples the timeline.'),
    ('close_expired_sessions', '*/5 * * * *', '30 minutes', 'Ends the sessions that expired, with their watch time.'),
    ('purge_presence', '3-59/15 * * * *', '2 hours', 'Deletes presence that expired.'),
    ('purge_sessions', '17 3 * * *', '50 hours', 'Deletes sessions that ended long ago.'),
    ('purge_messages', '27 3 * * *', '50 hours', 'Deletes messages posted long ago.'),
    ('purge_timelines', '37 3 * * *', '50 hours', 'Deletes buckets of the timeline of long ago.'),
    ('purge_job_runs', '47 3 * * *', '50 hours', 'Forgets runs of jobs of long ago, those of pg_cron too.'),
    ('rotate_event_logs', '8-59/15 * * * *', '6 hours', 'Makes partitions of the visit log ahead, drops old ones, empties the default one.');
comment on column eventlive.jobs.schedule is 'Cron expression of five fields in UTC, or so many seconds: 10 seconds.';

create function eventlive.paced_intervals(
    _settings jsonb, _participants integer, _guests integer,
    out ping_s real, out heartbeat_s real, out poll_s real, out stretched boolean
)
returns record
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    ping_s := eventlive.paced_interval_s(
        (_settings ->> 'presence_ping_interval_s')::real, (_settings ->> 'presence_ping_max_interval_s')::real,
        (_settings ->> 'presence_target_rps')::real, _participants);
    heartbeat_s := eventlive.paced_interval_s(
        (_settings ->> 'session_heartbeat_interval_s')::real, (_settings ->> 'session_heartbeat_max_interval_s')::real,
        (_settings ->> 'heartbeat_target_rps')::real, _participants + _guests);
    poll_s := eventlive.paced_interval_s(
        (_settings ->> 'fallback_poll_interval_s')::real, (_settings ->> 'fallback_poll_max_interval_s')::real,
        (_settings ->> 'fallback_target_rps')::real, _participants + _guests);
    -- Polling is left out: who does not poll is no load, however long the interval.
    stretched := ping_s > (_settings ->> 'presence_ping_interval_s')::real
        or heartbeat_s > (_settings ->> 'session_heartbeat_interval_s')::real;
end
$$;

comment on function eventlive.paced_intervals(jsonb, integer, integer) is
    'The intervals that an audience is given under these settings, in seconds, and whether it is so large that those of ping or heartbeat are longer than usual.';
revoke all on function eventlive.paced_intervals(jsonb, integer, integer) from public, anon, authenticated, service_role;

create function eventlive.paced_settings(_client_settings jsonb, _ping_s real, _heartbeat_s real, _poll_s real)
returns jsonb
language sql
immutable
parallel safe
return _client_settings || jsonb_build_object(
    'presence_ping_interval_s', trim_scale(round(_ping_s::numeric, 3)),
    'session_heartbeat_interval_s', trim_scale(round(_heartbeat_s::numeric, 3)),
    'fallback_poll_interval_s', trim_scale(round(_poll_s::numeric, 3)));

comment on function eventlive.paced_settings(jsonb, real, real, real) is 'What clients are sent, with the intervals that they are to keep now.';
revoke all on function eventlive.paced_settings(jsonb, real, real, real) from public, anon, authenticated, service_role;

create function eventlive.connections_ratio()
returns numeric
language sql
stable
set search_path = pg_catalog, pg_temp
return (
    select round(sum(d.numbackends)::numeric
        / greatest(current_setting('max_connections')::integer
            - current_setting('superuser_reserved_connections')::integer, 1), 3)
      from pg_stat_database d
);

comment on function eventlive.connections_ratio() is 'Part of the server''s connections that is in use.';
revoke all on function eventlive.connections_ratio() from public, anon, authenticated, service_role;

-- The one way a session ends. One that had expired before ends as expired, at the time it expired, and one that was open
-- when its webinar ended ends with it: when a job, or somebody who leaves, gets round to it makes no difference to what
-- is recorded.
--
-- Planned anew for each call: a generic plan does not know that this webinar is a large one and would read all of its
-- open sessions, where the ones that are named are found by their key.

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
           and s.exited_at is null
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

comment on function eventlive.close_sessions(uuid, uuid[], text, timestamptz, uuid) is
    'Ends open sessions: credits the watch time, records why, writes the visit log. Returns how many were open.';
revoke all on function eventlive.close_sessions(uuid, uuid[], text, timestamptz, uuid)
    from public, anon, authenticated, service_role;

create or replace function eventlive.refresh_webinar_live(_webinar_id uuid)
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

create function eventlive.webinar_participants(_webinar_id uuid, _after uuid, _limit integer)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
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
              join eventlive.registrations r on r.webinar_id = _webinar_id and r.user_id = p.user_id
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

-- For dashboards. It reads what rollup_live has counted and nothing that grows with the audience, takes no lock and
-- writes nothing: a replica will do.

create function eventlive.webinar_stats_access(_webinar_id uuid, _since timestamptz)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_live eventlive.webinar_live;
    v_status text;
    v_timeline jsonb;
    v_degraded text;
begin
    perform eventlive.require_staff(_webinar_id, array['host', 'moderator']);
    select l.* into v_live from eventlive.webinar_live l where l.webinar_id = _webinar_id;
    select w.status into v_status from eventlive.webinars w where w.id = _webinar_id;

    select coalesce(jsonb_agg(b.bucket order by b.time_bucket), '[]')
      into v_timeline
      from (
            select t.time_bucket,
                   jsonb_build_object(
                       'time_bucket', t.time_bucket,
                       'bucket_s', t.bucket_s,
                       'sample_count', t.sample_count,
                       'avg_participants', round(t.sum_participants::numeric / greatest(t.sample_count, 1), 2),
                       'min_participants', t.min_participants,
                       'max_participants', t.max_participants,
                       'last_participants', t.last_participants,
                       'avg_guests', round(t.sum_guests::numeric / greatest(t.sample_count, 1), 2),
                       'min_guests', t.min_guests,
                       'max_guests', t.max_guests,
                       'last_guests', t.last_guests
                   ) as bucket
              from eventlive.webinar_access_logs t
             where t.webinar_id = _webinar_id
               and t.time_bucket >= coalesce(_since, '-infinity')
             order by t.time_bucket desc
             limit (v_live.settings ->> 'timeline_max_buckets')::numeric::integer
           ) b;

    -- What nobody visits is counted less often, and not late before that.
    v_degraded := case
        when v_status = 'ended' then null
        when extract(epoch from v_now - v_live.as_of) > (v_live.settings ->> 'rollup_late_after_s')::numeric
            + case when v_status = 'live' or v_live.participants + v_live.guests > 0 then 0
                  else (v_live.settings ->> 'rollup_idle_interval_s')::numeric end
            then 'rollup_late'
        when v_live.load_high then 'load_high'
    end;
    return jsonb_build_object(
        'status', v_status,
        'current_participants', v_live.participants,
        'current_guests', v_live.guests,
        'registered', v_live.registered,
        'total_attendees', v_live.total_attendees,
        'max_concurrent_participants', v_live.peak_participants,
        'avg_concurrent_participants', coalesce(
            round((v_live.sum_participants + v_live.sum_guests)::numeric / nullif(v_live.sample_count, 0), 2), 0),
        'peak_time', case when v_live.peak_participants > 0 then v_live.peak_at end,
        'as_of', v_live.as_of,
        'timeline', v_timeline,
        'degraded', v_degraded,
        'next_poll_s', (v_live.settings ->> case
            when v_degraded is null and v_status <> 'ended' then 'admin_poll_interval_s'
            else 'admin_poll_degraded_interval_s' end)::numeric
    );
end
$$;

comment on function eventlive.webinar_stats_access(uuid, timestamptz) is 'Body of eventlive_api.webinar_stats_access.';
revoke all on function eventlive.webinar_stats_access(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_stats_access(uuid, timestamptz) to authenticated, service_role;

create function eventlive_api.webinar_stats_access(_webinar_id uuid, _since timestamptz default null)
returns jsonb
language sql
stable
security invoker
begin atomic
    select eventlive.webinar_stats_access(_webinar_id, _since);
end;

comment on function eventlive_api.webinar_stats_access(uuid, timestamptz) is
    'The audience of a webinar as counted at as_of: present now, ever there, registered, the peak (users and guests together), the average, and the timeline (its last buckets, those from _since on). Costs the same for every audience. Call again after next_poll_s, which is longer while degraded says rollup_late or load_high. For hosts, moderators, administrators and service_role.';
revoke all on function eventlive_api.webinar_stats_access(uuid, timestamptz) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_stats_access(uuid, timestamptz) to authenticated, service_role;

create function eventlive.job_lock_key(_name text)
returns bigint
language sql
immutable
parallel safe
return hashtextextended(_name, 7461934);

comment on function eventlive.job_lock_key(text) is
    'Key of the advisory lock that a run of the job holds, from its session: it goes when the session ends, however that ends.';
revoke all on function eventlive.job_lock_key(text) from public, anon, authenticated, service_role;

create function eventlive.setting_number(_key text)
returns numeric
language sql
stable
set search_path = pg_catalog, pg_temp
return (select s.value::numeric from eventlive.settings s where s.key = _key);

comment on function eventlive.setting_number(text) is 'A setting that is a number, as it is for all webinars.';
revoke all on function eventlive.setting_number(text) from public, anon, authenticated, service_role;

create function eventlive.job_holder(_name text)
returns integer
language sql
stable
set search_path = pg_catalog, pg_temp
return (
    select l.pid
      from pg_locks l
     where l.locktype = 'advisory'
       and l.database = (select d.oid from pg_database d where d.datname = current_database())
       and l.classid = ((eventlive.job_lock_key(_name) >> 32) & 4294967295)::oid
       and l.objid = (eventlive.job_lock_key(_name) & 4294967295)::oid
       and l.objsubid = 1
       and l.granted
);

comment on function eventlive.job_holder(text) is 'The backend in which the job is running; null where it is not.';
revoke all on function eventlive.job_holder(text) from public, anon, authenticated, service_role;

create function eventlive.known_jobs()
returns table (name text)
language sql
immutable
set search_path = pg_catalog, pg_temp
begin atomic
    values
        ('rollup_live'), ('close_expired_sessions'), ('purge_presence'), ('purge_sessions'), ('purge_messages'),
        ('purge_timelines'), ('purge_job_runs'), ('rotate_event_logs');
end;

comment on function eventlive.known_jobs() is 'The jobs that job_work can do: each is to have its row in eventlive.jobs.';
revoke all on function eventlive.known_jobs() from public, anon, authenticated, service_role;

-- What each transaction of a job begins with. It has no SET clause, which would take all of this back at its end.

create function eventlive.begin_batch()
returns void
language plpgsql
volatile
as $$
begin
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    perform pg_catalog.set_config('role', 'eventlive_owner', true);
    perform pg_catalog.set_config('lock_timeout', (eventlive.setting_number('job_lock_timeout_s') * 1000)::integer::text, true);
end
$$;

comment on function eventlive.begin_batch() is
    'Has the rest of the transaction run as the owner, with a search_path of its own, and wait for no lock longer than job_lock_timeout_s.';
revoke all on function eventlive.begin_batch() from public, anon, authenticated, service_role;

create function eventlive.begin_job(_name text, out outcome text, out run_id bigint)
returns record
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_read_committed boolean := eventlive.require_read_committed();
    v_enabled boolean;
begin
    select j.enabled into v_enabled from eventlive.jobs j where j.name = _name;
    if not found then
        raise exception using
            errcode = 'undefined_object',
            message = format('there is no job %s', quote_nullable(left(_name, 100))),
            detail = 'unknown_job',
            hint = 'eventlive.jobs lists them.';
    elsif not v_enabled then
        outcome := 'disabled';
        return;
    end if;

    -- Of this session alone where an earlier run failed in it: then the lock is still here, and taken only once.
    if eventlive.job_holder(_name) is distinct from pg_backend_pid() and not pg_try_advisory_lock(eventlive.job_lock_key(_name)) then
        outcome := 'running';
        return;
    end if;

    -- Whose lock this is now, nobody is running: what has no end has died.
    update eventlive.job_runs r
       set finished_at = greatest(clock_timestamp(), r.started_at),
           error = 'ended without a word: it failed, was cancelled or killed; the server''s log says more'
     where r.job_name = _name and r.finished_at is null;

    insert into eventlive.job_runs as r (job_name, started_at)
    values (_name, clock_timestamp())
    returning r.run_id into run_id;
    outcome := 'begun';
end
$$;

comment on function eventlive.begin_job(text) is
    'Begins a run, unless the job is disabled or running: outcome is begun, disabled or running. Takes the lock of the job for the session.';
revoke all on function eventlive.begin_job(text) from public, anon, authenticated, service_role;

create function eventlive.event_log_stated_range(_comment text)
returns tstzrange
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
    v_range tstzrange;
begin
    if _comment ~ '^[[(]("?-infinity"?|"?\d{4,6}-\d\d-\d\d[ \d:.+-]*( BC)?"?),"?\d{4,6}-\d\d-\d\d[ \d:.+-]*( BC)?"?[])]$' then
        v_range := _comment::tstzrange;
    end if;
    return case when lower(v_range) < upper(v_range) then v_range end;
exception
    -- A day that no month has, a zone that is none, an end before its beginning.
    when data_exception then
        return null;
end
$$;

comment on function eventlive.event_log_stated_range(text) is
    'The time that a comment says in figures, such as ["2026-01-01 00:00:00+00","2026-02-01 00:00:00+00"); null where it says none.';
revoke all on function eventlive.event_log_stated_range(text) from public, anon, authenticated, service_role;

-- For runners, after run_job has failed: in SQL nothing can be recorded in a transaction that is lost, and an exception
-- block would hide where an error came from. Where nobody calls this, the next run records that this one died.

create function eventlive.fail_job(_name text, _error text)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if eventlive.job_holder(_name) is distinct from pg_backend_pid() then
        return false;
    end if;
    update eventlive.job_runs r
       set finished_at = greatest(clock_timestamp(), r.started_at), error = left(coalesce(nullif(_error, ''), 'unknown'), 2000)
     where r.job_name = _name and r.finished_at is null;
    perform pg_advisory_unlock(eventlive.job_lock_key(_name));
    return true;
end
$$;

comment on function eventlive.fail_job(text, text) is
    'Ends the run of this session as a failure. Whether there was one.';
revoke all on function eventlive.fail_job(text, text) from public, anon, authenticated, service_role;

create function eventlive.finish_job(_name text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    -- A clock that was put back must not fail a run.
    update eventlive.job_runs r set finished_at = greatest(v_now, r.started_at) where r.job_name = _name and r.finished_at is null;
    update eventlive.jobs j set last_success_at = v_now where j.name = _name;
end
$$;

comment on function eventlive.finish_job(text) is 'Ends the run of this session as a success. The lock goes after the commit: without it, a run that has no end counts as dead.';
revoke all on function eventlive.finish_job(text) from public, anon, authenticated, service_role;

-- Everybody reads and writes the log meanwhile. Only where the default partition may be taking events of this very time
-- must those who write wait: what is on its way there when the partition comes would be refused.

create function eventlive.attach_event_log_partition(_name text, _lower timestamptz, _upper timestamptz)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
    v_default regclass;
begin
    if _lower is null then
        execute format('alter table eventlive.event_access_logs attach partition eventlive.%I default', _name);
        execute format('comment on table eventlive.%I is %L', _name, 'Events outside every other partition.');
        return;
    end if;
    if _lower < clock_timestamp() + interval '1 hour' then
        perform eventlive.lock_event_log(false);
    end if;
    v_default := eventlive.event_log_default();
    if v_default is not null then
        execute format('lock table only %s in access exclusive mode', v_default);
        -- Somebody may have copied from one into the other: what is in both is one event.
        execute format($move$
            with caught as (
                delete from %s d where d.occurred_at >= $1 and d.occurred_at < $2
                returning d.webinar_id, d.occurred_at, d.event_id, d.event, d.user_id, d.session_id, d.detail
            )
            insert into eventlive.%I (webinar_id, occurred_at, event_id, event, user_id, session_id, detail)
            overriding system value
            select c.webinar_id, c.occurred_at, c.event_id, c.event, c.user_id, c.session_id, c.detail from caught c
                on conflict do nothing
        $move$, v_default, _name) using _lower, _upper;
    end if;
    execute format('alter table eventlive.event_access_logs attach partition eventlive.%I for values from (%L) to (%s)',
        _name, _lower, case when _upper = 'infinity' then 'maxvalue' else quote_literal(_upper) end);
    execute format('comment on table eventlive.%I is %L', _name,
        case when _lower = '-infinity' then format('Events until %s.', _upper)
            else format('Events from %s until %s.', _lower, _upper) end);
end
$$;

comment on function eventlive.attach_event_log_partition(text, timestamptz, timestamptz) is
    'Makes a table a partition of the visit log, with what the default one has caught for it; the default one itself where no time is given.';
revoke all on function eventlive.attach_event_log_partition(text, timestamptz, timestamptz) from public, anon, authenticated, service_role;

create function eventlive.close_event_log_table(_name text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format('alter table eventlive.%I enable row level security', _name);
    execute format('create policy %I on eventlive.%I for select to service_role using (true)', _name || '_service', _name);
    execute format('comment on policy %I on eventlive.%I is %L', _name || '_service', _name, 'service_role reads the whole log.');
    execute format('revoke all on eventlive.%I from public, anon, authenticated, service_role', _name);
end
$$;

comment on function eventlive.close_event_log_table(text) is 'Gives a new table of the visit log the privileges that all of them have: none for clients.';
revoke all on function eventlive.close_event_log_table(text) from public, anon, authenticated, service_role;

-- Told by name, owner and the columns of the key; of what time they are, their comment says.

create function eventlive.event_log_aside()
returns table (relation regclass, name text, range tstzrange)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select c.oid::regclass, c.relname::text, eventlive.event_log_stated_range(obj_description(c.oid, 'pg_class'))
      from pg_class l
      join pg_class c on c.relnamespace = l.relnamespace and pg_has_role(l.relowner, c.relowner, 'usage')
     where l.oid = 'eventlive.event_access_logs'::regclass
       and c.relname ~ '^event_access_logs_draining(_\d{12})?$'
       and c.relkind in ('r', 'p')
       and not c.relispartition
       and array['webinar_id', 'occurred_at', 'event_id'] <@ array(
            select a.attname::text from pg_attribute a where a.attrelid = c.oid and not a.attisdropped
           )
     order by 2
$$;

comment on function eventlive.event_log_aside() is
    'Tables that were the default partition and are on their way back into the visit log, with the time that they stand for; null where their comment does not say it.';
revoke all on function eventlive.event_log_aside() from public, anon, authenticated, service_role;

create function eventlive.event_log_boundary(_at timestamptz)
returns timestamptz
language sql
stable
set search_path = pg_catalog, pg_temp
return date_bin(eventlive.setting_number('event_log_partition_days')::integer * interval '24 hours', _at,
        timestamptz '2000-01-03 00:00:00+00')
    + eventlive.setting_number('event_log_partition_days')::integer * interval '24 hours';

comment on function eventlive.event_log_boundary(timestamptz) is
    'Where the partition of the visit log that holds this moment ends: midnight in UTC, every event_log_partition_days.';
revoke all on function eventlive.event_log_boundary(timestamptz) from public, anon, authenticated, service_role;

create function eventlive.event_log_default()
returns regclass
language sql
stable
set search_path = pg_catalog, pg_temp
return (
    select d.oid::regclass
      from pg_class l
      join pg_partitioned_table t on t.partrelid = l.oid
      join pg_class d on d.oid = t.partdefid
     where l.oid = 'eventlive.event_access_logs'::regclass
       and d.relnamespace = l.relnamespace
       and pg_has_role(l.relowner, d.relowner, 'usage')
);

comment on function eventlive.event_log_default() is
    'The default partition of the visit log, whatever its name; null where there is none, or one that is somebody else''s.';
revoke all on function eventlive.event_log_default() from public, anon, authenticated, service_role;

-- Somebody may have detached a table and kept it, or made one: it stays what it is, and another name is taken. Of a
-- table, that of its index has to be free as well, and of its type, which may be alone.

create function eventlive.event_log_free_name(_schema regnamespace, _stem text, _suffix text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_name text := left(_stem, 58 - length(_suffix)) || _suffix;
    v_number integer := 1;
begin
    while exists (select from pg_class c where c.relnamespace = _schema and c.relname in (v_name, v_name || '_pkey'))
        or exists (select from pg_type t where t.typnamespace = _schema and t.typname = v_name)
    loop
        v_number := v_number + 1;
        v_name := left(_stem, 45 - length(_suffix)) || '_' || lpad(v_number::text, 12, '0') || _suffix;
    end loop;
    return v_name;
end
$$;

comment on function eventlive.event_log_free_name(regnamespace, text, text) is
    'The name made of both parts, or one with a number between them where that is taken.';
revoke all on function eventlive.event_log_free_name(regnamespace, text, text) from public, anon, authenticated, service_role;

-- What DETACH CONCURRENTLY leaves when it is cancelled: whoever writes an event of its time is refused until it is done.

create function eventlive.event_log_half_detached()
returns table (relation regclass, name text, owned boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select c.oid::regclass, c.relname::text, pg_has_role(l.relowner, c.relowner, 'usage')
      from pg_inherits i
      join pg_class l on l.oid = i.inhparent
      join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'eventlive.event_access_logs'::regclass and i.inhdetachpending
$$;

comment on function eventlive.event_log_half_detached() is
    'The partition of the visit log whose detaching was begun and not finished, and whether the owner of the log may.';
revoke all on function eventlive.event_log_half_detached() from public, anon, authenticated, service_role;

-- Of what somebody has changed, or made by hand, Postgres may refuse to make a partition.

create function eventlive.event_log_misfits(_relation regclass)
returns table (misfit text, remedy text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select f.misfit, format('alter table %s %s', _relation, f.remedy)
      from (
            select m.place, c.name, m.misfit, m.remedy
              from (
                    select a.attname, a.atttypid, a.atttypmod, a.attcollation, a.attnotnull,
                           format_type(a.atttypid, a.atttypmod) as type
                      from pg_attribute a
                     where a.attrelid = 'eventlive.event_access_logs'::regclass and a.attnum > 0 and not a.attisdropped
                   ) l
              full join (
                    select a.attname, a.atttypid, a.atttypmod, a.attcollation, a.attnotnull, a.attidentity, a.attgenerated
                      from pg_attribute a
                     where a.attrelid = _relation and a.attnum > 0 and not a.attisdropped
                   ) r using (attname)
             cross join lateral quote_ident(attname) as c (name)
             cross join lateral (
                    values
                        (1, r.atttypid is null, 'it has no column ' || c.name, 'add ' || c.name || ' ' || l.type),
                        (2, l.atttypid is null, 'the log has no column ' || c.name, 'drop ' || c.name),
                        (3, l.atttypid is not null and r.attgenerated <> '',
                         'its column ' || c.name || ' is generated', 'alter ' || c.name || ' drop expression'),
                        (4, l.atttypid is not null and r.attidentity <> '',
                         'its column ' || c.name || ' is an identity', 'alter ' || c.name || ' drop identity'),
                        (5, (l.atttypid, l.atttypmod, l.attcollation) <> (r.atttypid, r.atttypmod, r.attcollation),
                         'its column ' || c.name || ' is not of the type ' || l.type,
                         'alter ' || c.name || ' type ' || l.type || ' using ' || c.name || '::' || l.type),
                        (6, l.attnotnull and not r.attnotnull,
                         'its column ' || c.name || ' may be null', 'alter ' || c.name || ' set not null')
                   ) as m (place, is_so, misfit, remedy)
             where m.is_so
             union all
            select 7, l.conname,
                   format('it has no constraint %I like that of the log', l.conname),
                   format('drop constraint if exists %I, add constraint %I %s', l.conname, l.conname, pg_get_constraintdef(l.oid))
              from pg_constraint l
             where l.conrelid = 'eventlive.event_access_logs'::regclass
               and l.contype = 'c'
               and quote_ident(l.conname) || pg_get_constraintdef(l.oid) <> all (array(
                    select quote_ident(r.conname) || pg_get_constraintdef(r.oid) from pg_constraint r where r.conrelid = _relation
                   ))
           ) f
     order by f.place, f.name
$$;

comment on function eventlive.event_log_misfits(regclass) is
    'Why a table cannot become a partition of the visit log, as far as its columns and constraints tell, and what would mend it.';
revoke all on function eventlive.event_log_misfits(regclass) from public, anon, authenticated, service_role;

create function eventlive.event_log_needed_by(_relation regclass)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(pg_describe_object('pg_class'::regclass, r.ev_class, 0), pg_describe_object(d.classid, d.objid, d.objsubid))
      from pg_class c
     cross join lateral (
            values
                ('pg_class'::regclass, c.oid),
                ('pg_type'::regclass, c.reltype),
                ('pg_type'::regclass, (select t.typarray from pg_type t where t.oid = c.reltype))
           ) as n (class, object)
      join pg_depend d on d.refclassid = n.class and d.refobjid = n.object
      left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
     where c.oid = any (_relation || array(select p.relid from pg_partition_tree(_relation) p))
       and d.deptype = 'n'
       -- Its own policies, which go with it, need its columns.
       and not exists (
            select
              from pg_depend o
             where o.classid = d.classid and o.objid = d.objid and o.refobjid = c.oid
               and o.refclassid = 'pg_class'::regclass and o.deptype <> 'n'
           )
     order by 1
     limit 1
$$;

comment on function eventlive.event_log_needed_by(regclass) is
    'What stands in the way of dropping a table of the visit log, such as a view; null where nothing does.';
revoke all on function eventlive.event_log_needed_by(regclass) from public, anon, authenticated, service_role;

-- Without what is half detached: nobody sees it in the log any more, and the next run finishes that first.

create function eventlive.event_log_partitions()
returns table (relation regclass, name text, lower_bound timestamptz, upper_bound timestamptz, owned boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
    select c.oid::regclass,
           c.relname::text,
           case when b.bound like 'FOR VALUES FROM (MINVALUE)%' then '-infinity'::timestamptz
               else substring(b.bound from $re$FROM \('([^']+)'\)$re$)::timestamptz end,
           coalesce(substring(b.bound from $re$TO \('([^']+)'\)$re$)::timestamptz, 'infinity'),
           o.owned
      from pg_inherits i
      join pg_class l on l.oid = i.inhparent
      join pg_class c on c.oid = i.inhrelid
     cross join lateral pg_get_expr(c.relpartbound, c.oid) as b (bound)
     cross join lateral pg_has_role(l.relowner, c.relowner, 'usage') as o (owned)
     where i.inhparent = 'eventlive.event_access_logs'::regclass
       and b.bound <> 'DEFAULT'
       and not (i.inhdetachpending and o.owned)
     order by 3
$$;

comment on function eventlive.event_log_partitions() is
    'The partitions of the visit log but the default one, with what they hold, from lower_bound until just before upper_bound, and whether the owner of the log may change them.';
revoke all on function eventlive.event_log_partitions() from public, anon, authenticated, service_role;

create function eventlive.old_job_runs()
returns table (job_name text, run_id bigint)
language sql
stable
set search_path = pg_catalog, pg_temp
begin atomic
    select r.job_name, r.run_id
      from eventlive.job_runs r
      join (
            select k.job_name, max(k.run_id) as last,
                   max(k.run_id) filter (where k.finished_at is not null and k.error is null) as good
              from eventlive.job_runs k
             group by k.job_name
           ) kept on kept.job_name = r.job_name
     where r.started_at < (
            select clock_timestamp()
                - eventlive.setting_number('job_run_retention_days')::double precision * interval '1 day'
           )
       and r.run_id <> kept.last
       and r.run_id is distinct from kept.good;
end;

comment on function eventlive.old_job_runs() is
    'Runs that began more than job_run_retention_days ago, but for the last and the last good one of each job.';
revoke all on function eventlive.old_job_runs() from public, anon, authenticated, service_role;

create function eventlive.rename_event_log_table(_relation regclass, _to text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_index regclass;
    v_policy text;
begin
    select x.indexrelid, p.polname
      into v_index, v_policy
      from pg_class c
      left join pg_index x on x.indrelid = c.oid and x.indisprimary
      left join pg_policy p on p.polrelid = c.oid and p.polname = c.relname || '_service'
     where c.oid = _relation;
    execute format('alter table %s rename to %I', _relation, _to);
    if v_index is not null then
        execute format('alter index %s rename to %I', v_index, eventlive.event_log_free_name('eventlive', _to, '_pkey'));
    end if;
    if v_policy is not null then
        execute format('alter policy %I on %s rename to %I', v_policy, _relation, _to || '_service');
    end if;
end
$$;

comment on function eventlive.rename_event_log_table(regclass, text) is
    'Renames a table of the visit log, with its index and its policy.';
revoke all on function eventlive.rename_event_log_table(regclass, text) from public, anon, authenticated, service_role;

create function eventlive.retention_end(_key text, _overrides jsonb)
returns timestamptz
language sql
stable
set search_path = pg_catalog, pg_temp
return clock_timestamp()
    - coalesce((_overrides -> _key)::numeric, eventlive.setting_number(_key))::double precision * interval '1 day';

comment on function eventlive.retention_end(text, jsonb) is
    'What is older than this need not be kept, by a setting in days and the overrides of a webinar. Not by webinar_live, which keeps the settings that held when a webinar ended.';
revoke all on function eventlive.retention_end(text, jsonb) from public, anon, authenticated, service_role;

create function eventlive.add_event_log_partition(_lower timestamptz, _upper timestamptz)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_name text := eventlive.event_log_partition_name(_lower, _upper);
begin
    perform eventlive.make_event_log_table(v_name);
    perform eventlive.attach_event_log_partition(v_name, _lower, _upper);
end
$$;

comment on function eventlive.add_event_log_partition(timestamptz, timestamptz) is 'Makes a partition of the visit log.';
revoke all on function eventlive.add_event_log_partition(timestamptz, timestamptz) from public, anon, authenticated, service_role;

-- Read by its name, the default partition is all that is locked meanwhile. Where it has another one, the log is read: of
-- the time of a gap, it has nothing else.

create function eventlive.event_log_count_caught(_from timestamptz, _until timestamptz, _limit bigint)
returns bigint
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_default regclass := eventlive.event_log_default();
    v_count bigint := 0;
begin
    if v_default = to_regclass('eventlive.event_access_logs_default') then
        select count(*) into v_count
          from (
                select
                  from eventlive.event_access_logs_default d
                 where d.occurred_at >= _from and d.occurred_at < _until
                 limit _limit
               ) n;
    elsif v_default is not null then
        select count(*) into v_count
          from (
                select
                  from eventlive.event_access_logs l
                 where l.occurred_at >= _from and l.occurred_at < _until
                 limit _limit
               ) n;
    end if;
    return v_count;
end
$$;

comment on function eventlive.event_log_count_caught(timestamptz, timestamptz, bigint) is
    'How many events the default partition has of a time that no other one is for, counted until a limit where there is one.';
revoke all on function eventlive.event_log_count_caught(timestamptz, timestamptz, bigint) from public, anon, authenticated, service_role;

create function eventlive.event_log_draining(out relation regclass, out name text, out range tstzrange)
returns record
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select a.relation, a.name, a.range
      from eventlive.event_log_aside() a
     where a.range is not null and not exists (select from eventlive.event_log_misfits(a.relation))
     order by a.name
     limit 1
$$;

comment on function eventlive.event_log_draining() is
    'The table that is on its way back into the visit log, and the time that it stands for; nulls where there is none that can be attached.';
revoke all on function eventlive.event_log_draining() from public, anon, authenticated, service_role;

-- Not the time before the oldest partition where all of it is past its retention: what was there has been dropped.

create function eventlive.event_log_gaps()
returns table (lower_bound timestamptz, upper_bound timestamptz)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select g.lower_bound, g.upper_bound
      from (
            select '-infinity'::timestamptz, coalesce(min(p.lower_bound), 'infinity')
              from eventlive.event_log_partitions() p
             union all
            select p.upper_bound, lead(p.lower_bound, 1, 'infinity') over (order by p.lower_bound)
              from eventlive.event_log_partitions() p
           ) g (lower_bound, upper_bound)
     where g.lower_bound < g.upper_bound
       and (g.lower_bound > '-infinity' or g.upper_bound > eventlive.retention_end('event_log_retention_days', null))
     order by 1
$$;

comment on function eventlive.event_log_gaps() is
    'The times that no partition of the visit log is for, the one after the last partition among them.';
revoke all on function eventlive.event_log_gaps() from public, anon, authenticated, service_role;

create function eventlive.event_log_partition_name(_lower timestamptz, _upper timestamptz)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
    v_stem text := case when _lower = '-infinity' then 'event_access_logs_until_' else 'event_access_logs_p' end;
    v_at timestamptz := case when _lower = '-infinity' then _upper else _lower end;
    v_name text;
begin
    loop
        v_name := v_stem
            || to_char(v_at, case when v_at = date_trunc('day', v_at) then 'YYYYMMDD' else 'YYYYMMDD_HH24MISSUS' end);
        exit when eventlive.event_log_free_name('eventlive', v_name, '') = v_name;
        v_at := v_at + interval '1 microsecond';
    end loop;
    return v_name;
end
$$;

comment on function eventlive.event_log_partition_name(timestamptz, timestamptz) is
    'A name for a partition of the visit log, after its beginning in UTC, or its end where it has none; after a moment later where that is taken.';
revoke all on function eventlive.event_log_partition_name(timestamptz, timestamptz) from public, anon, authenticated, service_role;

create function eventlive.expired_event_log_tables()
returns table (relation regclass, name text, events bigint, needed_by text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select c.oid::regclass,
           regexp_replace(c.relname, '_expired$', ''),
           greatest(c.reltuples, 0)::bigint,
           eventlive.event_log_needed_by(c.oid)
      from pg_class l
      join pg_class c on pg_has_role(l.relowner, c.relowner, 'usage')
      join pg_description d on d.classoid = 'pg_class'::regclass and d.objoid = c.oid and d.objsubid = 0
     where l.oid = 'eventlive.event_access_logs'::regclass
       and c.relkind in ('r', 'p')
       and not c.relispartition
       and c.relname ~ '_expired$'
       and d.description = 'Was a partition of the visit log, and is past its retention.'
     order by 2
$$;

comment on function eventlive.expired_event_log_tables() is
    'What was detached from the visit log for its age, and is still to be dropped, once nothing else needs it.';
revoke all on function eventlive.expired_event_log_tables() from public, anon, authenticated, service_role;

-- In the order in which everybody takes them, and for all of them together no longer than a job may wait: whoever writes
-- waits behind us for as long.

create function eventlive.lock_event_log(_readers_too boolean)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_until timestamptz := clock_timestamp()
        + eventlive.setting_number('job_lock_timeout_s')::double precision * interval '1 second';
    v_left integer;
begin
    -- They go with the end of the transaction, which is not to wait for a disk or a standby. If the server dies and
    -- forgets it, the next run does it again.
    perform set_config('synchronous_commit', 'off', true);
    if _readers_too then
        lock table only eventlive.event_access_logs in access exclusive mode;
    else
        lock table only eventlive.event_access_logs in share row exclusive mode;
    end if;
    v_left := extract(epoch from v_until - clock_timestamp()) * 1000;
    perform set_config('lock_timeout', greatest(v_left, 1)::text, true);
end
$$;

comment on function eventlive.lock_event_log(boolean) is
    'Has nobody write to the visit log, or read it either, until the transaction ends. What else it locks has what is left of job_lock_timeout_s.';
revoke all on function eventlive.lock_event_log(boolean) from public, anon, authenticated, service_role;

-- Beside the log; made as a partition at once it would shut out everybody.

create function eventlive.make_event_log_table(_name text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format('create table eventlive.%I (like eventlive.event_access_logs including defaults '
        'including constraints including indexes including storage)', _name);
    perform eventlive.close_event_log_table(_name);
end
$$;

comment on function eventlive.make_event_log_table(text) is 'Makes an empty table that can become a partition of the visit log.';
revoke all on function eventlive.make_event_log_table(text) from public, anon, authenticated, service_role;

create function eventlive.attach_event_log_draining()
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_aside regclass;
    v_range tstzrange;
    v_name text;
    v_rows bigint;
begin
    select d.relation, d.range into v_aside, v_range from eventlive.event_log_draining() d;
    if v_aside is null then
        return 0;
    end if;
    select greatest(c.reltuples, 0)::bigint into v_rows from pg_class c where c.oid = v_aside;
    v_name := eventlive.event_log_partition_name(lower(v_range), upper(v_range));
    perform eventlive.rename_event_log_table(v_aside, v_name);
    perform eventlive.attach_event_log_partition(v_name, lower(v_range), upper(v_range));
    execute format('alter table eventlive.%I drop constraint event_access_logs_draining_range', v_name);
    return v_rows;
end
$$;

comment on function eventlive.attach_event_log_draining() is
    'Makes what is aside a partition, with what came for it meanwhile. How many events it holds, about.';
revoke all on function eventlive.attach_event_log_draining() from public, anon, authenticated, service_role;

create function eventlive.check_event_log_draining()
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
    v_aside regclass;
    v_stated tstzrange;
    v_range tstzrange;
    v_strays boolean;
begin
    select d.relation, d.range, d.range into v_aside, v_stated, v_range from eventlive.event_log_draining() d;
    -- Where somebody has made a partition in its place meanwhile, it has what is left of it after that.
    if exists (
        select from eventlive.event_log_partitions() p where tstzrange(p.lower_bound, p.upper_bound) && v_range
    ) then
        select tstzrange(g.lower_bound, g.upper_bound) * v_stated
          into v_range
          from eventlive.event_log_gaps() g
         where tstzrange(g.lower_bound, g.upper_bound) && v_stated
         order by g.lower_bound desc
         limit 1;
        execute format('alter table %s drop constraint if exists event_access_logs_draining_range', v_aside);
        execute format('comment on table %s is %L', v_aside, v_range);
    end if;
    if v_aside is null
        or exists (
            select
              from pg_constraint c
             where c.conrelid = v_aside and c.conname = 'event_access_logs_draining_range'
        )
    then
        return;
    end if;

    -- Events of another time go where the log has them now: a partition, or the default one. Somebody may have copied
    -- them there already: what is in both is one event.
    execute format('select exists (select from %s d where (d.occurred_at >= $1 and d.occurred_at < $2) is not true)', v_aside)
       into v_strays
      using lower(v_range), upper(v_range);
    if v_strays then
        execute format($move$
            with strays as (
                delete from %s d where (d.occurred_at >= $1 and d.occurred_at < $2) is not true
                returning d.webinar_id, d.occurred_at, d.event_id, d.event, d.user_id, d.session_id, d.detail
            )
            insert into eventlive.event_access_logs
                (webinar_id, occurred_at, event_id, event, user_id, session_id, detail)
            overriding system value
            select s.webinar_id, s.occurred_at, s.event_id, s.event, s.user_id, s.session_id, s.detail from strays s
                on conflict do nothing
        $move$, v_aside) using lower(v_range), upper(v_range);
    end if;
    if v_range is null then
        execute format('drop table %s', v_aside);
    else
        execute format('alter table %s add constraint event_access_logs_draining_range '
            'check (occurred_at >= %L and occurred_at < %L)', v_aside, lower(v_range), upper(v_range));
    end if;
end
$$;

comment on function eventlive.check_event_log_draining() is
    'Proves by a constraint that what is aside holds what it stands for, so that attaching it need not look.';
revoke all on function eventlive.check_event_log_draining() from public, anon, authenticated, service_role;

create function eventlive.event_log_caught(out lower_bound timestamptz, out upper_bound timestamptz)
returns record
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    for lower_bound, upper_bound in
        select g.lower_bound, g.upper_bound from eventlive.event_log_gaps() g order by g.lower_bound desc
    loop
        if eventlive.event_log_count_caught(lower_bound, least(upper_bound, v_now), 1) > 0 then
            return;
        end if;
    end loop;
    lower_bound := null;
    upper_bound := null;
end
$$;

comment on function eventlive.event_log_caught() is
    'The latest gap between partitions of which the default one has events; null where it has none but strays.';
revoke all on function eventlive.event_log_caught() from public, anon, authenticated, service_role;

create function eventlive.event_log_obstacles()
returns table (obstacle text, advice text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select o.obstacle, o.advice
      from pg_class l
      join pg_partitioned_table t on t.partrelid = l.oid
      join pg_class d on d.oid = t.partdefid
     cross join lateral (
            values
                (not pg_has_role(l.relowner, d.relowner, 'usage'),
                 format('the default partition %s belongs to %s', d.oid::regclass, d.relowner::regrole),
                 format('alter table %s owner to %s', d.oid::regclass, l.relowner::regrole)),
                (d.relnamespace <> l.relnamespace,
                 format('the default partition %s is in another schema', d.oid::regclass),
                 format('alter table %s set schema %s', d.oid::regclass, l.relnamespace::regnamespace))
           ) as o (is_so, obstacle, advice)
     where l.oid = 'eventlive.event_access_logs'::regclass and o.is_so
     union all
    select format('the partition %s is past its retention and belongs to %s', p.relation, c.relowner::regrole),
           format('alter table %s owner to %s', p.relation, l.relowner::regrole)
      from eventlive.event_log_partitions() p
      join pg_class c on c.oid = p.relation
      join pg_class l on l.oid = 'eventlive.event_access_logs'::regclass
     where not p.owned and p.upper_bound <= eventlive.retention_end('event_log_retention_days', null)
     union all
    select format('the partition %s is half detached and belongs to somebody else', h.relation),
           format('alter table eventlive.event_access_logs detach partition %s finalize', h.relation)
      from eventlive.event_log_half_detached() h
     where not h.owned
     union all
    select format('%s is past its retention and needed by %s', e.relation, e.needed_by),
           format('drop that first, or both with: drop table %s cascade', e.relation)
      from (
            select p.relation, eventlive.event_log_needed_by(p.relation) as needed_by
              from eventlive.event_log_partitions() p
             where p.owned and p.upper_bound <= eventlive.retention_end('event_log_retention_days', null)
             union all
            select x.relation, x.needed_by from eventlive.expired_event_log_tables() x
           ) e
     where e.needed_by is not null
     union all
    select format('%s looks like a part of the visit log that is aside, and its comment does not say of what time', a.relation),
           format('if it is, say so, from its first event to after its last one: comment on table %s is '
               '''["2026-01-01 00:00:00+00","2026-02-01 00:00:00+00")''; else rename it', a.relation)
      from eventlive.event_log_aside() a
     where a.range is null
     union all
    select format('%s is aside and cannot be a part of the visit log again: %s',
               a.relation, string_agg(m.misfit, ', ' order by m.place)),
           string_agg(m.remedy, '; ' order by m.place)
      from eventlive.event_log_aside() a
     cross join lateral eventlive.event_log_misfits(a.relation) with ordinality as m (misfit, remedy, place)
     where a.range is not null
     group by a.relation
$$;

comment on function eventlive.event_log_obstacles() is
    'What the rotation of the visit log finds and may not change or cannot judge, and what to do about it.';
revoke all on function eventlive.event_log_obstacles() from public, anon, authenticated, service_role;

create function eventlive.swap_event_log_default()
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
    v_old regclass := eventlive.event_log_default();
    v_new text := eventlive.event_log_free_name('eventlive', 'event_access_logs_incoming', '');
    v_next text := eventlive.event_log_free_name('eventlive', 'event_access_logs_next', '');
    v_aside text := eventlive.event_log_free_name('eventlive', 'event_access_logs_draining', '');
    v_lower timestamptz;
    v_end timestamptz;
    v_upper timestamptz;
    v_name text;
begin
    -- Another run was here and died: what it put aside comes first.
    if v_old is null or (select d.relation from eventlive.event_log_draining() d) is not null then
        return;
    end if;
    -- Read before the log is locked.
    select c.lower_bound, c.upper_bound into v_lower, v_end from eventlive.event_log_caught() c;
    if v_lower is null then
        return;
    end if;

    -- What takes time is done before anybody has to wait.
    perform eventlive.make_event_log_table(v_new);
    perform eventlive.make_event_log_table(v_next);

    perform eventlive.lock_event_log(true);
    v_upper := least(clock_timestamp(), v_end);
    execute format('alter table eventlive.event_access_logs detach partition %s', v_old);
    perform eventlive.rename_event_log_table(v_old, v_aside);
    execute format('comment on table %s is %L', v_old, tstzrange(v_lower, v_upper));
    v_name := eventlive.event_log_free_name('eventlive', 'event_access_logs_default', '');
    perform eventlive.rename_event_log_table(format('eventlive.%I', v_new)::regclass, v_name);
    perform eventlive.attach_event_log_partition(v_name, null, null);
    if v_upper < v_end then
        v_lower := v_upper;
        v_upper := least(eventlive.event_log_boundary(v_lower), v_end);
        v_name := eventlive.event_log_partition_name(v_lower, v_upper);
        perform eventlive.rename_event_log_table(format('eventlive.%I', v_next)::regclass, v_name);
        perform eventlive.attach_event_log_partition(v_name, v_lower, v_upper);
    else
        execute format('drop table eventlive.%I', v_next);
    end if;
end
$$;

comment on function eventlive.swap_event_log_default() is
    'Puts an empty default partition in the place of one that caught events, and makes a partition for what comes from now on. The old one is event_access_logs_draining, its comment the time that it stands for.';
revoke all on function eventlive.swap_event_log_default() from public, anon, authenticated, service_role;

create function eventlive.close_expired_sessions_work()
returns table (webinar_id uuid, ids uuid[], step text, amount bigint)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_limit integer := eventlive.setting_number('job_batch_size');
begin
    -- Through the index of open sessions, once; what ended long ago is not read.
    return query
    select o.webinar_id, array_agg(o.session_id order by o.session_id), 'close', count(*)
      from (
            select s.webinar_id, s.session_id,
                   (row_number() over (partition by s.webinar_id order by s.session_id) - 1) / v_limit as batch
              from eventlive.webinar_user_sessions s
              join eventlive.webinar_live l on l.webinar_id = s.webinar_id
             where s.exited_at is null
               and (s.expires_at <= v_now or l.closed_at is not null)
           ) o
     group by o.webinar_id, o.batch
     order by o.webinar_id, o.batch;
end
$$;

comment on function eventlive.close_expired_sessions_work() is
    'The open sessions that have expired, and those of webinars that have ended, in batches.';
revoke all on function eventlive.close_expired_sessions_work() from public, anon, authenticated, service_role;

create function eventlive.close_expired_sessions_step(_webinar_id uuid, _session_ids uuid[])
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
           and s.exited_at is null
           and (s.expires_at <= v_now or v_closed_at is not null)
         order by s.session_id
           for no key update skip locked
    );
    return eventlive.close_sessions(
        _webinar_id, v_session_ids, case when v_closed_at is null then 'expired' else 'webinar_ended' end,
        coalesce(v_closed_at, v_now));
end
$$;

comment on function eventlive.close_expired_sessions_step(uuid, uuid[]) is
    'Ends those of the sessions that are open and expired, or whose webinar has ended; credits their watch time. How many.';
revoke all on function eventlive.close_expired_sessions_step(uuid, uuid[]) from public, anon, authenticated, service_role;

-- Runs as whoever runs the job, not as the owner: pg_cron shows to each user the runs of that user's jobs alone.

create function eventlive.purge_cron_runs(_limit bigint)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_days numeric := eventlive.setting_number('job_run_retention_days');
    v_deleted bigint;
begin
    -- Who may not look has no entries in pg_cron, and another runner.
    if not has_schema_privilege('cron', 'usage') then
        return 0;
    end if;
    -- The extension may not be there: then there is nothing that names its table.
    execute $cron$
        with batch as materialized (
            select d.runid
              from cron.job_run_details d
             where d.command like 'call eventlive.run\_job(%'
               and (coalesce(d.end_time, d.start_time) < clock_timestamp() - $1::double precision * interval '1 day'
                    -- Where it could not connect, pg_cron writes no time.
                    or d.end_time is null and d.start_time is null
                       and d.runid < (select max(m.runid) from cron.job_run_details m) - 10000)
             order by d.runid
             limit $2
        ), deleted as (
            delete from cron.job_run_details d using batch b where d.runid = b.runid returning 1
        )
        select count(*) from deleted
    $cron$ into v_deleted using v_days, _limit;
    return v_deleted;
end
$$;

comment on function eventlive.purge_cron_runs(bigint) is
    'Forgets so many records of pg_cron, at most, about runs of these jobs more than job_run_retention_days ago. How many.';
revoke all on function eventlive.purge_cron_runs(bigint) from public, anon, authenticated, service_role;

create function eventlive.purge_job_runs_work()
returns table (webinar_id uuid, ids uuid[], step text, amount bigint)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit bigint := eventlive.setting_number('job_batch_size');
begin
    return query
    select null::uuid, null::uuid[], 'delete', least(v_limit, o.old - b.done)
      from (select count(*) as old from eventlive.old_job_runs()) o
     cross join lateral generate_series(0, o.old - 1, v_limit) as b (done)
     order by b.done;

    -- Looked up in the catalog: by its name it is found only by who may use the schema, which the owner need not.
    if exists (
        select
          from pg_class c
          join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = 'cron' and c.relname = 'job_run_details'
    ) then
        return query select null::uuid, null::uuid[], 'cron', 0::bigint;
    end if;
end
$$;

comment on function eventlive.purge_job_runs_work() is
    'Runs that began more than job_run_retention_days ago, in batches; and, where pg_cron is, its records of the same.';
revoke all on function eventlive.purge_job_runs_work() from public, anon, authenticated, service_role;

create function eventlive.purge_job_runs_step(_limit bigint)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_deleted bigint;
begin
    with batch as materialized (
        select o.job_name, o.run_id from eventlive.old_job_runs() o order by o.job_name, o.run_id limit _limit
    ), deleted as (
        delete from eventlive.job_runs r
         using batch b
         where r.job_name = b.job_name and r.run_id = b.run_id
        returning 1
    )
    select count(*) into v_deleted from deleted;
    return v_deleted;
end
$$;

comment on function eventlive.purge_job_runs_step(bigint) is 'Forgets so many runs of long ago, at most. How many.';
revoke all on function eventlive.purge_job_runs_step(bigint) from public, anon, authenticated, service_role;

create function eventlive.purge_messages_work()
returns table (webinar_id uuid, ids uuid[], step text, amount bigint)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_days numeric := eventlive.setting_number('message_retention_days');
    v_limit bigint := eventlive.setting_number('job_batch_size');
begin
    return query
    select o.id, null::uuid[], 'delete', least(v_limit, o.old - b.done)
      from (
            select w.id, count(*) as old
              from (
                    select w.id, w.created_at,
                           v_now - coalesce((w.settings -> 'message_retention_days')::numeric, v_days)::double precision
                               * interval '1 day' as before
                      from eventlive.webinars w
                   ) w
              join eventlive.webinar_messages m on m.webinar_id = w.id and m.created_at < w.before
             where w.created_at < w.before
             group by w.id
           ) o
     cross join lateral generate_series(0, o.old - 1, v_limit) as b (done)
     order by o.id, b.done;
end
$$;

comment on function eventlive.purge_messages_work() is 'Messages posted more than message_retention_days ago, in batches.';
revoke all on function eventlive.purge_messages_work() from public, anon, authenticated, service_role;

create function eventlive.purge_messages_step(_webinar_id uuid, _limit bigint)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    v_before timestamptz;
    v_batch bigint[];
    v_deleted bigint;
begin
    select eventlive.retention_end('message_retention_days', w.settings)
      into v_before
      from eventlive.webinars w
     where w.id = _webinar_id;
    v_batch := array(
        select m.message_id
          from eventlive.webinar_messages m
         where m.webinar_id = _webinar_id and m.created_at < v_before
         order by m.message_id
         limit _limit
           for update skip locked
    );
    delete from eventlive.webinar_messages m where m.webinar_id = _webinar_id and m.message_id = any (v_batch);
    get diagnostics v_deleted = row_count;
    return v_deleted;
end
$$;

comment on function eventlive.purge_messages_step(uuid, bigint) is
    'Deletes the oldest messages of a webinar that were posted long ago, so many at most. How many. Their numbers are not given out again.';
revoke all on function eventlive.purge_messages_step(uuid, bigint) from public, anon, authenticated, service_role;

create function eventlive.purge_presence_work()
returns table (webinar_id uuid, ids uuid[], step text, amount bigint)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_before timestamptz := clock_timestamp() - eventlive.setting_number('presence_retention_s')::double precision * interval '1 second';
    v_limit integer := eventlive.setting_number('job_batch_size');
begin
    return query
    select o.webinar_id, array_agg(o.user_id order by o.user_id), 'delete', count(*)
      from (
            select p.webinar_id, p.user_id,
                   (row_number() over (partition by p.webinar_id order by p.user_id) - 1) / v_limit as batch
              from eventlive.webinar_live_presence p
              join eventlive.webinar_live l on l.webinar_id = p.webinar_id
             where p.expires_at <= v_before or l.closed_at is not null
           ) o
     group by o.webinar_id, o.batch
     order by o.webinar_id, o.batch;
end
$$;

comment on function eventlive.purge_presence_work() is
    'Presence that expired more than presence_retention_s ago, and that of webinars that have ended, in batches.';
revoke all on function eventlive.purge_presence_work() from public, anon, authenticated, service_role;

create function eventlive.purge_presence_step(_webinar_id uuid, _user_ids uuid[])
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    v_before timestamptz := clock_timestamp() - eventlive.setting_number('presence_retention_s')::double precision * interval '1 second';
    v_ended boolean;
    v_batch uuid[];
    v_deleted bigint;
begin
    -- A change of status is under way: next time.
    if not pg_try_advisory_xact_lock_shared(eventlive.webinar_lock_key(_webinar_id)) then
        return 0;
    end if;
    select l.closed_at is not null into v_ended from eventlive.webinar_live l where l.webinar_id = _webinar_id;

    v_batch := array(
        select p.user_id
          from eventlive.webinar_live_presence p
         where p.webinar_id = _webinar_id
           and p.user_id = any (_user_ids)
           and (p.expires_at <= v_before or v_ended)
         order by p.user_id
           for update skip locked
    );
    delete from eventlive.webinar_live_presence p where p.webinar_id = _webinar_id and p.user_id = any (v_batch);
    get diagnostics v_deleted = row_count;
    return v_deleted;
end
$$;

comment on function eventlive.purge_presence_step(uuid, uuid[]) is
    'Deletes the presence of those of the users who are still long gone. How many.';
revoke all on function eventlive.purge_presence_step(uuid, uuid[]) from public, anon, authenticated, service_role;

-- No index on exited_at: each session would pay for it, for the sake of a nightly job. A webinar younger than the
-- retention has nothing to delete, and of an old one nearly all sessions go at once.

create function eventlive.purge_sessions_work()
returns table (webinar_id uuid, ids uuid[], step text, amount bigint)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_days numeric := eventlive.setting_number('session_retention_days');
    v_limit integer := eventlive.setting_number('job_batch_size');
begin
    return query
    select w.id, array[min(o.session_id::text collate "C")::uuid, max(o.session_id::text collate "C")::uuid], 'delete', count(*)
      from (
            select w.id, w.created_at,
                   v_now - coalesce((w.settings -> 'session_retention_days')::numeric, v_days)::double precision
                       * interval '1 day' as before
              from eventlive.webinars w
           ) w
     cross join lateral (
            select s.session_id, (row_number() over (order by s.session_id) - 1) / v_limit as batch
              from eventlive.webinar_user_sessions s
             where s.webinar_id = w.id and s.exited_at < w.before
           ) o
     where w.created_at < w.before
     group by w.id, o.batch
     order by w.id, o.batch;
end
$$;

comment on function eventlive.purge_sessions_work() is
    'Sessions that ended more than session_retention_days ago, in batches: ids are the first and the last of each.';
revoke all on function eventlive.purge_sessions_work() from public, anon, authenticated, service_role;

create function eventlive.purge_sessions_step(_webinar_id uuid, _bounds uuid[])
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    v_limit bigint := eventlive.setting_number('job_batch_size');
    v_before timestamptz;
    v_batch uuid[];
    v_deleted bigint;
begin
    select eventlive.retention_end('session_retention_days', w.settings)
      into v_before
      from eventlive.webinars w
     where w.id = _webinar_id;
    v_batch := array(
        select s.session_id
          from eventlive.webinar_user_sessions s
         where s.webinar_id = _webinar_id
           and s.session_id between _bounds[1] and _bounds[2]
           and s.exited_at < v_before
         order by s.session_id
         limit v_limit
           for update skip locked
    );
    delete from eventlive.webinar_user_sessions s where s.webinar_id = _webinar_id and s.session_id = any (v_batch);
    get diagnostics v_deleted = row_count;
    return v_deleted;
end
$$;

comment on function eventlive.purge_sessions_step(uuid, uuid[]) is
    'Deletes the sessions between the two ids that ended long ago, job_batch_size of them at most: more may have come of age since they were listed. How many.';
revoke all on function eventlive.purge_sessions_step(uuid, uuid[]) from public, anon, authenticated, service_role;

create function eventlive.purge_timelines_work()
returns table (webinar_id uuid, ids uuid[], step text, amount bigint)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_days numeric := eventlive.setting_number('timeline_retention_days');
    v_limit bigint := eventlive.setting_number('job_batch_size');
begin
    return query
    select o.id, null::uuid[], 'delete', least(v_limit, o.old - b.done)
      from (
            select w.id, count(*) as old
              from (
                    select w.id, w.created_at,
                           v_now - coalesce((w.settings -> 'timeline_retention_days')::numeric, v_days)::double precision
                               * interval '1 day' as before
                      from eventlive.webinars w
                   ) w
              join eventlive.webinar_access_logs t on t.webinar_id = w.id and t.time_bucket < w.before
             where w.created_at < w.before
             group by w.id
           ) o
     cross join lateral generate_series(0, o.old - 1, v_limit) as b (done)
     order by o.id, b.done;
end
$$;

comment on function eventlive.purge_timelines_work() is 'Buckets of the timeline that began more than timeline_retention_days ago, in batches.';
revoke all on function eventlive.purge_timelines_work() from public, anon, authenticated, service_role;

create function eventlive.purge_timelines_step(_webinar_id uuid, _limit bigint)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    v_before timestamptz;
    v_batch timestamptz[];
    v_deleted bigint;
begin
    select eventlive.retention_end('timeline_retention_days', w.settings)
      into v_before
      from eventlive.webinars w
     where w.id = _webinar_id;
    v_batch := array(
        select t.time_bucket
          from eventlive.webinar_access_logs t
         where t.webinar_id = _webinar_id and t.time_bucket < v_before
         order by t.time_bucket
         limit _limit
           for update skip locked
    );
    delete from eventlive.webinar_access_logs t where t.webinar_id = _webinar_id and t.time_bucket = any (v_batch);
    get diagnostics v_deleted = row_count;
    return v_deleted;
end
$$;

comment on function eventlive.purge_timelines_step(uuid, bigint) is
    'Deletes the oldest buckets of a webinar''s timeline that began long ago, so many at most. How many.';
revoke all on function eventlive.purge_timelines_step(uuid, bigint) from public, anon, authenticated, service_role;

create function eventlive.rollup_live_work()
returns table (webinar_id uuid, ids uuid[], step text, amount bigint)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    -- Where one webinar has nearly all rows, the planner expects to meet one of any other soon, and would read the
    -- table from its beginning for each: so the first one by the index is asked for.
    return query
    select w.id, null::uuid[], 'count', 1::bigint
      from eventlive.webinars w
      join eventlive.webinar_live l on l.webinar_id = w.id
     where l.participants + l.guests > 0
        or w.status = 'live'
        or (w.status <> 'ended'
            and (l.as_of <= v_now - (l.settings ->> 'rollup_idle_interval_s')::numeric::double precision * interval '1 second'
                or (
                    select true
                      from eventlive.webinar_live_presence p
                     where p.webinar_id = w.id
                     order by p.user_id
                     limit 1
                )
                or (
                    select true
                      from eventlive.webinar_user_sessions s
                     where s.webinar_id = w.id and s.exited_at is null
                     order by s.user_id
                     limit 1
                )))
     order by w.id;
end
$$;

comment on function eventlive.rollup_live_work() is
    'The webinars to count: the live, those in which somebody is, and the others each rollup_idle_interval_s. One at a time.';
revoke all on function eventlive.rollup_live_work() from public, anon, authenticated, service_role;

-- Presence, sessions and registrations are each read once, all at the same moment. No lock is held while they are: only
-- the row of webinar_live is locked at the end, and given up at once where a change of the webinar holds it, or has
-- written it since: what was counted is then older than what is there. Not told by the clock: a change may be made
-- before the count and committed after it.
create function eventlive.rollup_live_step(_webinar_id uuid)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_alone boolean := pg_current_xact_id_if_assigned() is null;
    v_counted record;
    v_live record;
    v_pace record;
    v_bucket_s integer;
    v_bucket timestamptz;
    v_last record;
begin
    select p.participants, s.guests, s.attendees, r.registered, l.as_of
      into v_counted
      from (
            select count(*)::integer as participants
              from eventlive.webinar_live_presence p
             where p.webinar_id = _webinar_id and p.expires_at > v_now
           ) p
     cross join (
            select count(*) filter (where s.user_id is null and s.exited_at is null and s.expires_at > v_now)::integer
                       as guests,
                   (count(distinct s.user_id) + count(*) filter (where s.user_id is null))::integer as attendees
              from eventlive.webinar_user_sessions s
             where s.webinar_id = _webinar_id
           ) s
     cross join (
            select count(*)::integer as registered from eventlive.registrations r where r.webinar_id = _webinar_id
           ) r
     cross join eventlive.webinar_live l
     where l.webinar_id = _webinar_id;

    -- Nor does it wait for whoever deletes the webinar or holds its row, to which a new bucket refers.
    select l.participants + l.guests > 0 or w.status = 'live' as watched, l.settings, l.client_settings, l.as_of
      into v_live
      from eventlive.webinar_live l
      join eventlive.webinars w on w.id = l.webinar_id
     where l.webinar_id = _webinar_id
       for no key update of l skip locked
       for key share of w skip locked;
    if not found or v_live.as_of is distinct from v_counted.as_of then
        return 0;
    end if;

    v_pace := eventlive.paced_intervals(v_live.settings, v_counted.participants, v_counted.guests);
    v_live.watched := v_live.watched or v_counted.participants + v_counted.guests > 0;
    update eventlive.webinar_live l
       set participants = v_counted.participants,
           guests = v_counted.guests,
           registered = v_counted.registered,
           total_attendees = greatest(l.total_attendees, v_counted.attendees),
           peak_participants = greatest(l.peak_participants, v_counted.participants + v_counted.guests),
           peak_at = case when v_counted.participants + v_counted.guests > l.peak_participants then v_now else l.peak_at end,
           as_of = v_now,
           presence_ping_interval_s = v_pace.ping_s,
           session_heartbeat_interval_s = v_pace.heartbeat_s,
           fallback_poll_interval_s = v_pace.poll_s,
           client_settings = eventlive.paced_settings(
               v_live.client_settings, v_pace.ping_s, v_pace.heartbeat_s, v_pace.poll_s),
           sample_count = l.sample_count + v_live.watched::integer,
           sum_participants = l.sum_participants + v_counted.participants,
           sum_guests = l.sum_guests + v_counted.guests,
           load_high = v_pace.stretched
               or eventlive.connections_ratio() >= (v_live.settings ->> 'load_high_connections_ratio')::numeric
     where l.webinar_id = _webinar_id;

    if v_live.watched then
        v_bucket_s := (v_live.settings ->> 'timeline_bucket_s')::numeric;
        v_bucket_s := case when v_bucket_s >= 900 then 900 when v_bucket_s >= 300 then 300 else 60 end;
        v_bucket := date_bin(v_bucket_s * interval '1 second', v_now, timestamptz '2000-01-01 00:00:00+00');
        -- A change of the length holds from the next boundary on at which no bucket overlaps the one before: until
        -- then the open one is filled, or another of its length is made.
        select b.time_bucket, b.bucket_s, b.time_bucket + b.bucket_s * interval '1 second' as ends_at
          into v_last
          from eventlive.webinar_access_logs b
         where b.webinar_id = _webinar_id and b.time_bucket <= v_now
         order by b.time_bucket desc
         limit 1;
        if v_last.ends_at > v_now then
            v_bucket := v_last.time_bucket;
        elsif v_last.ends_at > v_bucket then
            v_bucket_s := v_last.bucket_s;
            v_bucket := date_bin(v_bucket_s * interval '1 second', v_now, timestamptz '2000-01-01 00:00:00+00');
        end if;

        insert into eventlive.webinar_access_logs as b (
            webinar_id, time_bucket, bucket_s, sample_count,
            sum_participants, min_participants, max_participants, last_participants,
            sum_guests, min_guests, max_guests, last_guests, updated_at
        )
        values (
            _webinar_id, v_bucket, v_bucket_s, 1,
            v_counted.participants, v_counted.participants, v_counted.participants, v_counted.participants,
            v_counted.guests, v_counted.guests, v_counted.guests, v_counted.guests, v_now
        )
        on conflict (webinar_id, time_bucket) do update
           set sample_count = b.sample_count + 1,
               sum_participants = b.sum_participants + excluded.sum_participants,
               min_participants = least(b.min_participants, excluded.min_participants),
               max_participants = greatest(b.max_participants, excluded.max_participants),
               last_participants = excluded.last_participants,
               sum_guests = b.sum_guests + excluded.sum_guests,
               min_guests = least(b.min_guests, excluded.min_guests),
               max_guests = greatest(b.max_guests, excluded.max_guests),
               last_guests = excluded.last_guests,
               updated_at = excluded.updated_at;
    end if;

    -- What a crash loses of this, the next run counts again.
    if v_alone then
        v_alone := eventlive.relax_durability();
    end if;
    return 1;
end
$$;

comment on function eventlive.rollup_live_step(uuid) is
    'Counts the audience of a webinar, works out its pace, and adds a sample to its timeline. 1, or 0 where another one was first.';
revoke all on function eventlive.rollup_live_step(uuid) from public, anon, authenticated, service_role;

-- The visit log by time: partitions are there before they are needed, and old ones are dropped, never emptied by row.
--
-- What came while a partition was missing is in the default one. It is not moved either: the table becomes a partition,
-- and a new empty one takes its place. That is done in three steps, none of which holds a lock on the log for longer
-- than a change of the catalog takes, at any of which the job may die, and in none of which an event could be refused:
-- 'swap' puts the new one in place, and from then on events find the partitions of now and later; 'check' reads the old
-- one through, to prove what it holds (until 'attach' its events are not seen in the log: seconds, for millions of
-- them); 'attach' makes it a partition, with the stragglers that came since.
--
-- Whoever may change the log may also take partitions out, rename them, or put others in. What is there is taken as it
-- is: names that are taken are left alone, and what stands in the way of one step keeps no other from being done. It is
-- told at the end, by 'tell', which fails. What an earlier run has left aside is attached after all else: it may be what
-- that run failed by, for a reason that nobody thought of.

create function eventlive.rotate_event_logs_work()
returns table (webinar_id uuid, ids uuid[], step text, amount bigint)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_before timestamptz := eventlive.retention_end('event_log_retention_days', null);
    v_until timestamptz := v_now + eventlive.setting_number('event_log_ahead_days')::integer * interval '24 hours';
    v_limit bigint := eventlive.setting_number('job_batch_size');
    v_default regclass := eventlive.event_log_default();
    v_left regclass := (select d.relation from eventlive.event_log_draining() d);
    v_aside regclass;
    v_at timestamptz := v_now;
    v_lower timestamptz;
    v_end timestamptz;
    v_old bigint;
begin
    if exists (
        select from pg_partitioned_table t where t.partrelid = 'eventlive.event_access_logs'::regclass and t.partdefid = 0
    ) then
        return query select null::uuid, null::uuid[], 'catch', 0::bigint;
    elsif v_default is null then
        v_at := eventlive.event_log_boundary(v_now);
    end if;
    return query
    select null::uuid, null::uuid[], 'finish', 0::bigint from eventlive.event_log_half_detached() h where h.owned;

    -- Below the oldest partition there is only what has been dropped already: a session that ended long ago, and was
    -- closed only now.
    select min(p.lower_bound) into v_end from eventlive.event_log_partitions() p having min(p.lower_bound) <= v_before;
    v_old := eventlive.event_log_count_caught('-infinity', v_end, null);
    return query
    select null::uuid, null::uuid[], 'discard', least(v_limit, v_old - b.done)
      from generate_series(0, v_old - 1, v_limit) as b (done);

    if v_left is null then
        select c.lower_bound, c.upper_bound into v_lower, v_end from eventlive.event_log_caught() c;
        if v_lower is not null then
            v_aside := v_default;
            return query select null::uuid, null::uuid[], 'swap', 0::bigint;
            if v_end > v_now then
                v_at := least(eventlive.event_log_boundary(v_now), v_end);
            end if;
        end if;
    end if;
    return query
    select null::uuid, null::uuid[], s.step, s.amount
      from pg_class c
     cross join lateral (values ('check', 0::bigint), ('attach', greatest(c.reltuples, 0)::bigint)) as s (step, amount)
     where c.oid = v_aside;

    loop
        select greatest(g.lower_bound, v_at), g.upper_bound
          into v_lower, v_end
          from eventlive.event_log_gaps() g
         where g.upper_bound > v_at
         order by g.lower_bound
         limit 1;
        exit when v_lower is null or v_lower >= v_until;
        return query select null::uuid, null::uuid[], 'add', 0::bigint;
        v_at := least(eventlive.event_log_boundary(v_lower), v_end);
    end loop;

    return query
    select null::uuid, null::uuid[], s.step || ' ' || p.name, s.amount
      from eventlive.event_log_partitions() p
      join pg_class c on c.oid = p.relation
     cross join lateral (values ('detach', 1, 0::bigint), ('drop', 2, greatest(c.reltuples, 0)::bigint))
           as s (step, place, amount)
     where p.owned and p.upper_bound <= v_before
     order by p.lower_bound, s.place;
    return query
    select null::uuid, null::uuid[], 'drop ' || e.name, e.events
      from eventlive.expired_event_log_tables() e
     where e.needed_by is null;
    if v_left is not null then
        return query
        select null::uuid, null::uuid[], s.step, s.amount
          from pg_class c
         cross join lateral (values ('check', 0::bigint), ('attach', greatest(c.reltuples, 0)::bigint)) as s (step, amount)
         where c.oid = v_left;
    end if;
    return query
    select null::uuid, null::uuid[], 'tell', 0::bigint where exists (select from eventlive.event_log_obstacles());
end
$$;

comment on function eventlive.rotate_event_logs_work() is
    'What there is to do for the visit log: discard (strays past the retention), swap, check and attach (what the default partition caught), add, detach and drop; catch (a default partition that is missing), finish (what is half detached), and tell (what cannot be done).';
revoke all on function eventlive.rotate_event_logs_work() from public, anon, authenticated, service_role;

create function eventlive.rotate_event_logs_step(_step text, _amount bigint)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_before timestamptz := eventlive.retention_end('event_log_retention_days', null);
    v_verb text := split_part(_step, ' ', 1);
    v_name text := substr(_step, length(v_verb) + 2);
    v_default regclass := eventlive.event_log_default();
    v_lower timestamptz;
    v_end timestamptz;
    v_relation regclass;
    v_expired text;
    v_told record;
    v_rows bigint := 0;
begin
    case v_verb
    when 'catch' then
        if v_default is null then
            v_name := eventlive.event_log_free_name('eventlive', 'event_access_logs_default', '');
            perform eventlive.make_event_log_table(v_name);
            perform eventlive.attach_event_log_partition(v_name, null, null);
        end if;

    when 'finish' then
        select h.relation into v_relation from eventlive.event_log_half_detached() h where h.owned;
        if found then
            execute format('alter table eventlive.event_access_logs detach partition %s finalize', v_relation);
            -- Sessions keep in mind what the default partition may take, and FINALIZE, which knows of none, has none of
            -- them look again. A change of the table does.
            if v_default is not null then
                execute format('alter table %s enable row level security', v_default);
            end if;
        end if;

    when 'discard' then
        select min(p.lower_bound) into v_end from eventlive.event_log_partitions() p having min(p.lower_bound) <= v_before;
        if found and v_default is not null then
            execute format($discard$
                with batch as materialized (
                    select d.webinar_id, d.occurred_at, d.event_id
                      from %1$s d
                     where d.occurred_at < $1
                     limit $2
                       for update skip locked
                ), deleted as (
                    delete from %1$s d
                     using batch b
                     where d.webinar_id = b.webinar_id and d.occurred_at = b.occurred_at and d.event_id = b.event_id
                    returning 1
                )
                select count(*) from deleted
            $discard$, v_default) into v_rows using v_end, _amount;
        end if;

    when 'swap' then
        perform eventlive.swap_event_log_default();

    when 'check' then
        perform eventlive.check_event_log_draining();

    when 'attach' then
        v_rows := eventlive.attach_event_log_draining();

    when 'add' then
        -- What is aside for a while has its own place in the log, which is not to be taken; nor can be what somebody
        -- else's default partition has caught.
        select greatest(upper(d.range), case when v_default is null then eventlive.event_log_boundary(v_now) end)
          into v_lower
          from eventlive.event_log_draining() d;
        select greatest(g.lower_bound, v_lower), g.upper_bound
          into v_lower, v_end
          from eventlive.event_log_gaps() g
         where g.upper_bound > greatest(v_now, v_lower)
         order by g.lower_bound
         limit 1;
        if v_lower < v_now + eventlive.setting_number('event_log_ahead_days')::integer * interval '24 hours' then
            perform eventlive.add_event_log_partition(
                v_lower, least(eventlive.event_log_boundary(greatest(v_lower, v_now)), v_end));
        end if;

    when 'detach' then
        select p.relation,
               eventlive.event_log_free_name(c.relnamespace, regexp_replace(p.name, '[^ -~]', '_', 'g'), '_expired')
          into v_relation, v_expired
          from eventlive.event_log_partitions() p
          join pg_class c on c.oid = p.relation
         where p.name = v_name and p.owned and p.upper_bound <= v_before;
        if found then
            perform eventlive.lock_event_log(true);
            execute format('alter table eventlive.event_access_logs detach partition %s', v_relation);
            execute format('comment on table %s is %L', v_relation, 'Was a partition of the visit log, and is past its retention.');
            execute format('alter table %s rename to %I', v_relation, v_expired);
        end if;

    when 'drop' then
        -- It is no part of the log any more, so nobody waits for this.
        v_name := left(regexp_replace(v_name, '[^ -~]', '_', 'g'), 37);
        select e.relation
          into v_relation
          from eventlive.expired_event_log_tables() e
         where e.needed_by is null and starts_with(e.name, v_name)
         order by e.name
         limit 1;
        if found then
            execute format('drop table %s', v_relation);
            v_rows := _amount;
        end if;

    when 'tell' then
        select string_agg(o.obstacle, '; ') as obstacles, string_agg(o.advice, '; ') as advice
          into v_told
          from eventlive.event_log_obstacles() o;
        if v_told.obstacles is not null then
            raise exception using
                errcode = 'object_not_in_prerequisite_state',
                message = v_told.obstacles,
                detail = 'rotation_obstructed',
                hint = v_told.advice;
        end if;
    end case;
    return v_rows;
end
$$;

comment on function eventlive.rotate_event_logs_step(text, bigint) is
    'Does one of the steps that rotate_event_logs_work named, if it is still to be done. How many events it moved or dropped, about.';
revoke all on function eventlive.rotate_event_logs_step(text, bigint) from public, anon, authenticated, service_role;

-- A row that somebody holds is passed by, and counted a minute later. One that is held all the time must not look as if it
-- were counted. It is held for long if a run passed it by that long ago: after an outage nothing was counted for long,
-- and nothing needs to be held.

create function eventlive.check_passed_by(_name text, _webinar_ids uuid[])
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_late record;
    v_then timestamptz;
begin
    if _name <> 'rollup_live' or _webinar_ids = '{}' then
        return;
    end if;
    select max(r.started_at)
      into v_then
      from eventlive.jobs j
      join eventlive.job_runs r on r.job_name = j.name
     where j.name = _name
       and r.finished_at is not null
       and r.error is null
       and r.started_at < clock_timestamp() - j.max_age;
    select count(*) as webinars, min(l.as_of) as since, min(l.webinar_id::text) as first
      into v_late
      from eventlive.webinar_live l
      join eventlive.webinars w on w.id = l.webinar_id
     where l.webinar_id = any (_webinar_ids)
       and l.as_of < v_then
           - case when w.status = 'live' or l.participants + l.guests > 0 then 0
                 else (l.settings ->> 'rollup_idle_interval_s')::numeric::double precision end * interval '1 second';
    if v_late.webinars > 0 then
        raise exception using
            errcode = 'object_not_in_prerequisite_state',
            message = format('webinars that nobody could count, since %s: %s, such as %s',
                v_late.since, v_late.webinars, v_late.first),
            detail = 'passed_by',
            hint = 'A transaction holds their rows in webinars or webinar_live: end the oldest by xact_start in '
                'pg_stat_activity.';
    end if;
end
$$;

comment on function eventlive.check_passed_by(text, uuid[]) is
    'Fails where rollup_live has passed webinars by for longer than its max_age: they were not counted since before a good run of so long ago.';
revoke all on function eventlive.check_passed_by(text, uuid[]) from public, anon, authenticated, service_role;

create function eventlive.job_step(_name text, _webinar_id uuid, _ids uuid[], _step text, _amount bigint)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    case _name
    when 'rollup_live' then return eventlive.rollup_live_step(_webinar_id);
    when 'close_expired_sessions' then return eventlive.close_expired_sessions_step(_webinar_id, _ids);
    when 'purge_presence' then return eventlive.purge_presence_step(_webinar_id, _ids);
    when 'purge_sessions' then return eventlive.purge_sessions_step(_webinar_id, _ids);
    when 'purge_messages' then return eventlive.purge_messages_step(_webinar_id, _amount);
    when 'purge_timelines' then return eventlive.purge_timelines_step(_webinar_id, _amount);
    when 'purge_job_runs' then return eventlive.purge_job_runs_step(_amount);
    when 'rotate_event_logs' then return eventlive.rotate_event_logs_step(_step, _amount);
    end case;
end
$$;

comment on function eventlive.job_step(text, uuid, uuid[], text, bigint) is
    'Does one of the rows that job_work returned; again is no harm. How many rows it changed.';
revoke all on function eventlive.job_step(text, uuid, uuid[], text, bigint) from public, anon, authenticated, service_role;

create function eventlive.job_work(_name text)
returns table (webinar_id uuid, ids uuid[], step text, amount bigint)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
    case _name
    when 'rollup_live' then
        return query select w.webinar_id, w.ids, w.step, w.amount from eventlive.rollup_live_work() w;
    when 'close_expired_sessions' then
        return query select w.webinar_id, w.ids, w.step, w.amount from eventlive.close_expired_sessions_work() w;
    when 'purge_presence' then
        return query select w.webinar_id, w.ids, w.step, w.amount from eventlive.purge_presence_work() w;
    when 'purge_sessions' then
        return query select w.webinar_id, w.ids, w.step, w.amount from eventlive.purge_sessions_work() w;
    when 'purge_messages' then
        return query select w.webinar_id, w.ids, w.step, w.amount from eventlive.purge_messages_work() w;
    when 'purge_timelines' then
        return query select w.webinar_id, w.ids, w.step, w.amount from eventlive.purge_timelines_work() w;
    when 'purge_job_runs' then
        return query select w.webinar_id, w.ids, w.step, w.amount from eventlive.purge_job_runs_work() w;
    when 'rotate_event_logs' then
        return query select w.webinar_id, w.ids, w.step, w.amount from eventlive.rotate_event_logs_work() w;
    else
        raise exception using
            errcode = 'undefined_object',
            message = format('there is no job %s', quote_nullable(left(_name, 100))),
            detail = 'unknown_job',
            hint = 'eventlive.jobs lists them.';
    end case;
end
$$;

comment on function eventlive.job_work(text) is
    'What a job would do now, one row a transaction: in which webinar, to which rows, which step, to how many rows. It changes nothing.';
revoke all on function eventlive.job_work(text) from public, anon, authenticated, service_role;

create function eventlive.job_health()
returns table (
    name text, state text, detail text, schedule text, max_age interval, last_success_at timestamptz,
    running_since timestamptz, last_error text
)
language sql
stable
set search_path = pg_catalog, pg_temp
begin atomic
    select h.name, case h.state when 'ahead' then 'late' else h.state end,
           case h.state
               when 'ok' then 'succeeded ' || h.age || ' ago'
               when 'running' then 'runs for the first time'
               when 'disabled' then 'switched off in eventlive.jobs'
               when 'never_ran' then 'has never run; does a runner run?'
               when 'missing' then 'is not in eventlive.jobs; put its row back, and switch it off there if it is not to run'
               when 'ahead' then 'its last success lies in the future: a clock was wrong; it counts as late until it succeeds again'
               when 'late' then coalesce('no success for ' || h.age, 'no success yet') || '; allowed are ' || h.max_age
               when 'failing' then h.last_error
           end,
           h.schedule, h.max_age, h.last_success_at, h.running_since, h.last_error
      from (
            select coalesce(j.name, k.name) as name, j.schedule, j.max_age, j.last_success_at, running.started_at as running_since,
                   justify_interval(date_trunc('second', clock_timestamp() - j.last_success_at)) as age,
                   ended.error as last_error,
                   case
                       when j.name is null then 'missing'
                       when not j.enabled then 'disabled'
                       when ended.error is not null then 'failing'
                       when j.last_success_at is null and ended.run_id is null and running.run_id is null then 'never_ran'
                       when j.last_success_at > clock_timestamp() + interval '1 minute' then 'ahead'
                       when clock_timestamp() - coalesce(j.last_success_at, running.started_at) > j.max_age then 'late'
                       when j.last_success_at is null then 'running'
                       else 'ok'
                   end as state
              from eventlive.known_jobs() k
              full join eventlive.jobs j on j.name = k.name
              left join lateral (
                    select r.run_id, r.started_at
                      from eventlive.job_runs r
                     where r.job_name = j.name
                       and r.finished_at is null
                       -- Locks are not replicated: a standby cannot tell whether a run has died.
                       and (eventlive.job_holder(j.name) is not null or pg_is_in_recovery())
                     order by r.run_id desc
                     limit 1
                   ) running on true
              left join lateral (
                    select r.run_id,
                           case when r.finished_at is null then 'ended without a word: it failed, was cancelled or killed'
                               else r.error end as error
                      from eventlive.job_runs r
                     where r.job_name = j.name
                       and r.run_id is distinct from running.run_id
                       -- One that was ended with its runner counts as if it had not begun.
                       and r.error is distinct from 'stopped with its runner'
                     order by r.run_id desc
                     limit 1
                   ) ended on true
           ) h
     order by h.name;
end;

comment on function eventlive.job_health() is
    'How each job does. ok; running: for the first time; disabled; failing: its last run did not end well, also where it was killed; late: no success within max_age, or by a clock that was ahead; never_ran; missing: its row in eventlive.jobs is gone.';
revoke all on function eventlive.job_health() from public, anon, authenticated, service_role;

-- A procedure that commits can neither be SECURITY DEFINER nor have a SET clause: so each transaction begins with
-- begin_batch, and until then every name is qualified. The list of what there is to do is made once and kept beside the
-- transactions; each of its rows is looked at again when its turn comes.

create procedure eventlive.run_job(_name pg_catalog.text, inout _outcome pg_catalog.jsonb default null)
language plpgsql
as $$
declare
    v_role pg_catalog.text := pg_catalog.current_setting('role');
    v_begun pg_catalog.record;
    v_work pg_catalog.record;
    v_done pg_catalog.int8;
    v_rows pg_catalog.int8 := 0;
    v_batches pg_catalog.int4 := 0;
    v_limit pg_catalog.int8;
    v_passed_by pg_catalog.uuid[] := '{}';
begin
    -- Refused here inside a transaction, before a lock is taken that would outlive it.
    commit;
    perform eventlive.begin_batch();
    v_begun := eventlive.begin_job(_name);
    if v_begun.outcome <> 'begun' then
        _outcome := jsonb_build_object('job', _name, 'outcome', v_begun.outcome, 'rows', 0, 'batches', 0);
        return;
    end if;
    commit;

    perform eventlive.begin_batch();
    v_limit := eventlive.setting_number('job_batch_size');
    for v_work in select w.webinar_id, w.ids, w.step, w.amount from eventlive.job_work(_name) w loop
        loop
            if v_work.step = 'cron' then
                perform set_config('role', v_role, true);
                v_done := eventlive.purge_cron_runs(v_limit);
                perform eventlive.begin_batch();
            else
                v_done := eventlive.job_step(_name, v_work.webinar_id, v_work.ids, v_work.step, v_work.amount);
            end if;
            v_rows := v_rows + v_done;
            v_batches := v_batches + 1;
            if v_done = 0 and v_work.webinar_id is not null then
                v_passed_by := v_passed_by || v_work.webinar_id;
            end if;
            update eventlive.job_runs r
               set rows_affected = v_rows
             where r.job_name = _name and r.run_id = v_begun.run_id and v_done > 0;
            commit;
            perform eventlive.begin_batch();
            -- How many records pg_cron has the owner cannot see, nor list: after a full batch there may be more.
            exit when v_work.step <> 'cron' or v_done < v_limit;
        end loop;
    end loop;

    perform eventlive.check_passed_by(_name, v_passed_by);
    perform eventlive.finish_job(_name);
    _outcome := jsonb_build_object(
        'job', _name, 'outcome', 'done', 'run_id', v_begun.run_id, 'rows', v_rows, 'batches', v_batches);
    commit;

    perform eventlive.begin_batch();
    perform pg_advisory_unlock(eventlive.job_lock_key(_name));
end
$$;

comment on procedure eventlive.run_job(text, jsonb) is
    'Runs a job, a batch a transaction: call eventlive.run_job(''rollup_live''). outcome is done, running (elsewhere) or disabled. Not inside a transaction. For members of the owner.';
revoke all on procedure eventlive.run_job(text, jsonb) from public, anon, authenticated, service_role;

-- Last, since from here on heartbeats wait, which read this table: for the commit, and not for all of the above.
alter table eventlive.webinar_live
    add column total_attendees integer not null default 0,
    add column sample_count bigint not null default 0,
    add column sum_participants bigint not null default 0,
    add column sum_guests bigint not null default 0,
    add column load_high boolean not null default false;
comment on table eventlive.webinar_live is 'Audience, pace and settings in force of each webinar. Written by refresh_webinar_live and rollup_live.';
comment on column eventlive.webinar_live.settings is 'All settings in force that a webinar may override, overrides applied.';
comment on column eventlive.webinar_live.total_attendees is 'Different users, and guest sessions, that have watched; it never falls.';
comment on column eventlive.webinar_live.sample_count is 'Samples that went into the timeline.';
comment on column eventlive.webinar_live.sum_participants is 'Sum over them; with sample_count the average.';
comment on column eventlive.webinar_live.sum_guests is 'Sum over them; with sample_count the average.';
comment on column eventlive.webinar_live.load_high is 'Whether, at as_of, the audience was paced or connections were scarce.';

reset role;
notify pgrst, 'reload schema';
