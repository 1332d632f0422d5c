-- Released: never change this file. A change of the schema is a new migration.

set local lock_timeout = '5s';
set local search_path = pg_catalog, pg_temp;

set local role eventlive_owner;

-- Lost would be what the new settings say, the averages of the timeline, and the history of the jobs. Refused then,
-- unless the session says that it may be. The partitions of the visit log stay: what is in them is in the log.
lock table eventlive.webinar_live, eventlive.jobs, eventlive.job_runs in access exclusive mode;
do $$
begin
    perform from eventlive.webinars w order by w.id for no key update;
    perform pg_advisory_xact_lock(eventlive.settings_lock_key());
end
$$;

do $$
declare
    v_keys text[] := array[
        'rollup_late_after_s', 'rollup_idle_interval_s', 'load_high_connections_ratio', 'timeline_bucket_s',
        'timeline_max_buckets', 'participants_page_max', 'presence_retention_s', 'session_retention_days',
        'message_retention_days', 'timeline_retention_days', 'event_log_retention_days',
        'event_log_partition_days', 'event_log_ahead_days', 'job_run_retention_days', 'job_batch_size',
        'job_lock_timeout_s', 'alert_window_s', 'alert_cooldown_s', 'alert_http_400_per_min',
        'alert_http_409_per_min', 'alert_http_5xx_per_min', 'alert_http_404_per_min',
        'alert_http_401_per_min', 'alert_auth_p95_s', 'alert_realtime_disconnects_per_min',
        'alert_connections_ratio', 'alert_xmin_age_s', 'alert_dead_tuple_ratio', 'alert_hot_ratio_min',
        'alert_lock_waiters'
    ];
    v_lost text[] := '{}';
begin
    if exists (select from eventlive.event_log_aside()) then
        raise exception using
            errcode = 'object_not_in_prerequisite_state',
            message = (select string_agg(a.name, ', ') from eventlive.event_log_aside() a)
                || ' holds events that are on their way back into the visit log',
            detail = 'rotation_unfinished',
            hint = 'Have the rotation finish first: call eventlive.run_job(''rotate_event_logs'')';
    end if;
    if coalesce(current_setting('eventlive.discard_data', true), '') = 'on' then
        return;
    end if;
    if exists (select from eventlive.settings s where s.key = any (v_keys) and s.value <> s.default_value)
        or exists (select from eventlive.webinars w where w.settings ?| v_keys)
    then
        v_lost := v_lost || 'settings of jobs, statistics and alarms'::text;
    end if;
    if exists (select from eventlive.webinar_live l where l.sample_count > 0 or l.total_attendees > 0) then
        v_lost := v_lost || 'webinar_live.sample_count, total_attendees'::text;
    end if;
    if exists (select from eventlive.job_runs) then
        v_lost := v_lost || 'job_runs'::text;
    end if;
    if v_lost <> '{}' then
        raise exception using
            errcode = 'object_not_in_prerequisite_state',
            message = 'this step drops what holds data: ' || array_to_string(v_lost, ', '),
            detail = 'data_present',
            hint = 'Back them up. Then repeat with migrate down --discard-data, or in psql after: '
                'set eventlive.discard_data = ''on''';
    end if;
end
$$;

-- What is past its retention, and would have been dropped at the next run.
do $$
declare
    v_table regclass;
begin
    for v_table in select e.relation from eventlive.expired_event_log_tables() e loop
        execute format('drop table %s', v_table);
    end loop;
end
$$;

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
    v_ping_s real;
    v_heartbeat_s real;
    v_poll_s real;
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

    select jsonb_object_agg(s.key, coalesce(v_overrides -> s.key, s.value)),
           jsonb_object_agg(s.key, coalesce(v_overrides -> s.key, s.value)) filter (where s.client_visible)
      into v_settings, v_client_settings
      from eventlive.settings s;

    -- The version leaves pacing out: an audience that grows must not make every client fetch its settings again.
    v_version := left(encode(sha256(convert_to(v_client_settings::text, 'UTF8')), 'hex'), 12);

    v_ping_s := eventlive.paced_interval_s(
        (v_settings ->> 'presence_ping_interval_s')::real, (v_settings ->> 'presence_ping_max_interval_s')::real,
        (v_settings ->> 'presence_target_rps')::real, v_participants);
    v_heartbeat_s := eventlive.paced_interval_s(
        (v_settings ->> 'session_heartbeat_interval_s')::real, (v_settings ->> 'session_heartbeat_max_interval_s')::real,
        (v_settings ->> 'heartbeat_target_rps')::real, v_participants + v_guests);
    v_poll_s := eventlive.paced_interval_s(
        (v_settings ->> 'fallback_poll_interval_s')::real, (v_settings ->> 'fallback_poll_max_interval_s')::real,
        (v_settings ->> 'fallback_target_rps')::real, v_participants + v_guests);
    v_client_settings := v_client_settings || jsonb_build_object(
        'presence_ping_interval_s', trim_scale(round(v_ping_s::numeric, 3)),
        'session_heartbeat_interval_s', trim_scale(round(v_heartbeat_s::numeric, 3)),
        'fallback_poll_interval_s', trim_scale(round(v_poll_s::numeric, 3)),
        'settings_version', v_version
    );

    insert into eventlive.webinar_live as l (
        webinar_id, participants, guests, registered, peak_participants, peak_at, as_of, closed_at,
        presence_ping_interval_s, session_heartbeat_interval_s, fallback_poll_interval_s,
        throttle_factor, expiry_factor, watch_credit_factor, pacing_jitter,
        settings, client_settings, settings_version
    )
    values (
        _webinar_id, v_participants, v_guests, v_registered, v_participants + v_guests, v_now, v_now,
        case when v_ended then v_now end,
        v_ping_s, v_heartbeat_s, v_poll_s,
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

-- The one way a session ends. One that had expired before ends as expired, at the time it expired: when a job gets
-- round to it makes no difference to what is recorded.
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
           set exited_at = greatest(least(_at, s.expires_at), s.last_heartbeat_at),
               exit_reason = case when s.expires_at <= _at then 'expired' else _reason end,
               replaced_by = case when s.expires_at > _at and _reason = 'replaced' then _replaced_by end,
               watched_seconds = s.watched_seconds + eventlive.watch_credit(
                   s.last_heartbeat_at, least(_at, s.expires_at), l.watch_credit_factor * s.interval_s)
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

drop function eventlive_api.webinar_participants(uuid, uuid, integer);
drop function eventlive_api.webinar_stats_access(uuid, timestamptz);
drop function eventlive.job_health();
drop procedure eventlive.run_job(text, jsonb);
drop function eventlive.job_work(text);
drop function eventlive.job_step(text, uuid, uuid[], text, bigint);
drop function eventlive.check_passed_by(text, uuid[]);
drop function eventlive.rotate_event_logs_step(text, bigint);
drop function eventlive.rotate_event_logs_work();
drop function eventlive.rollup_live_step(uuid);
drop function eventlive.rollup_live_work();
drop function eventlive.purge_timelines_step(uuid, bigint);
drop function eventlive.purge_timelines_work();
drop function eventlive.purge_sessions_step(uuid, uuid[]);
drop function eventlive.purge_sessions_work();
drop function eventlive.purge_presence_step(uuid, uuid[]);
drop function eventlive.purge_presence_work();
drop function eventlive.purge_messages_step(uuid, bigint);
drop function eventlive.purge_messages_work();
drop function eventlive.purge_job_runs_step(bigint);
drop function eventlive.purge_job_runs_work();
drop function eventlive.purge_cron_runs(bigint);
drop function eventlive.close_expired_sessions_step(uuid, uuid[]);
drop function eventlive.close_expired_sessions_work();
drop function eventlive.swap_event_log_default();
drop function eventlive.event_log_obstacles();
drop function eventlive.event_log_caught();
drop function eventlive.check_event_log_draining();
drop function eventlive.attach_event_log_draining();
drop function eventlive.make_event_log_table(text);
drop function eventlive.lock_event_log(boolean);
drop function eventlive.expired_event_log_tables();
drop function eventlive.event_log_partition_name(timestamptz, timestamptz);
drop function eventlive.event_log_gaps();
drop function eventlive.event_log_draining();
drop function eventlive.event_log_count_caught(timestamptz, timestamptz, bigint);
drop function eventlive.add_event_log_partition(timestamptz, timestamptz);
drop function eventlive.retention_end(text, jsonb);
drop function eventlive.rename_event_log_table(regclass, text);
drop function eventlive.old_job_runs();
drop function eventlive.event_log_partitions();
drop function eventlive.event_log_needed_by(regclass);
drop function eventlive.event_log_misfits(regclass);
drop function eventlive.event_log_half_detached();
drop function eventlive.event_log_free_name(regnamespace, text, text);
drop function eventlive.event_log_default();
drop function eventlive.event_log_boundary(timestamptz);
drop function eventlive.event_log_aside();
drop function eventlive.close_event_log_table(text);
drop function eventlive.attach_event_log_partition(text, timestamptz, timestamptz);
drop function eventlive.finish_job(text);
drop function eventlive.fail_job(text, text);
drop function eventlive.event_log_stated_range(text);
drop function eventlive.begin_job(text);
drop function eventlive.begin_batch();
drop function eventlive.known_jobs();
drop function eventlive.job_holder(text);
drop function eventlive.setting_number(text);
drop function eventlive.job_lock_key(text);
drop function eventlive.webinar_stats_access(uuid, timestamptz);
drop function eventlive.webinar_participants(uuid, uuid, integer);
drop function eventlive.connections_ratio();
drop function eventlive.paced_settings(jsonb, real, real, real);
drop function eventlive.paced_intervals(jsonb, integer, integer);

delete from eventlive.job_runs;
delete from eventlive.jobs;
comment on column eventlive.jobs.schedule is 'Cron expression, five fields.';

alter table eventlive.webinar_live
    drop column total_attendees,
    drop column sample_count,
    drop column sum_participants,
    drop column sum_guests,
    drop column load_high;
comment on table eventlive.webinar_live is 'Audience, pace and settings in force of each webinar. Written by refresh_webinar_live alone.';
comment on column eventlive.webinar_live.settings is 'All settings in force, overrides applied.';

update eventlive.webinars w
   set settings = w.settings - array[
        'rollup_late_after_s', 'rollup_idle_interval_s', 'load_high_connections_ratio', 'timeline_bucket_s',
        'timeline_max_buckets', 'participants_page_max', 'presence_retention_s', 'session_retention_days',
        'message_retention_days', 'timeline_retention_days', 'event_log_retention_days',
        'event_log_partition_days', 'event_log_ahead_days', 'job_run_retention_days', 'job_batch_size',
        'job_lock_timeout_s', 'alert_window_s', 'alert_cooldown_s', 'alert_http_400_per_min',
        'alert_http_409_per_min', 'alert_http_5xx_per_min', 'alert_http_404_per_min',
        'alert_http_401_per_min', 'alert_auth_p95_s', 'alert_realtime_disconnects_per_min',
        'alert_connections_ratio', 'alert_xmin_age_s', 'alert_dead_tuple_ratio', 'alert_hot_ratio_min',
        'alert_lock_waiters'
    ]
 where w.settings ?| array[
        'rollup_late_after_s', 'rollup_idle_interval_s', 'load_high_connections_ratio', 'timeline_bucket_s',
        'timeline_max_buckets', 'participants_page_max', 'presence_retention_s', 'session_retention_days',
        'message_retention_days', 'timeline_retention_days', 'event_log_retention_days',
        'event_log_partition_days', 'event_log_ahead_days', 'job_run_retention_days', 'job_batch_size',
        'job_lock_timeout_s', 'alert_window_s', 'alert_cooldown_s', 'alert_http_400_per_min',
        'alert_http_409_per_min', 'alert_http_5xx_per_min', 'alert_http_404_per_min',
        'alert_http_401_per_min', 'alert_auth_p95_s', 'alert_realtime_disconnects_per_min',
        'alert_connections_ratio', 'alert_xmin_age_s', 'alert_dead_tuple_ratio', 'alert_hot_ratio_min',
        'alert_lock_waiters'
    ];
delete from eventlive.settings s
 where s.key in (
        'rollup_late_after_s', 'rollup_idle_interval_s', 'load_high_connections_ratio', 'timeline_bucket_s',
        'timeline_max_buckets', 'participants_page_max', 'presence_retention_s', 'session_retention_days',
        'message_retention_days', 'timeline_retention_days', 'event_log_retention_days',
        'event_log_partition_days', 'event_log_ahead_days', 'job_run_retention_days', 'job_batch_size',
        'job_lock_timeout_s', 'alert_window_s', 'alert_cooldown_s', 'alert_http_400_per_min',
        'alert_http_409_per_min', 'alert_http_5xx_per_min', 'alert_http_404_per_min',
        'alert_http_401_per_min', 'alert_auth_p95_s', 'alert_realtime_disconnects_per_min',
        'alert_connections_ratio', 'alert_xmin_age_s', 'alert_dead_tuple_ratio', 'alert_hot_ratio_min',
        'alert_lock_waiters'
    );
comment on column eventlive.settings.unit is 's for seconds, 1/s for a rate, bytes, rows, characters; null for a bare number.';
update eventlive.webinar_live l
   set settings = n.settings
  from (
        select w.id as webinar_id, jsonb_object_agg(s.key, coalesce(w.settings -> s.key, s.value)) as settings
          from eventlive.webinars w
         cross join eventlive.settings s
         group by w.id
       ) n
 where l.webinar_id = n.webinar_id;

reset role;
notify pgrst, 'reload schema';
