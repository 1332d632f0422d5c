-- Every interval, limit and threshold, with its default and bounds. A webinar may override those marked so.

create table eventlive.settings (
    key text primary key,
    value jsonb not null,
    value_type text not null,
    default_value jsonb not null,
    min_value numeric,
    max_value numeric,
    unit text,
    per_webinar boolean not null default true,
    client_visible boolean not null default false,
    description text not null,
    constraint settings_key_is_snake_case check (key ~ '^[a-z][a-z0-9_]{2,62}$'),
    constraint settings_value_type_known check (value_type in ('integer', 'number', 'boolean', 'text')),
    constraint settings_value_within_bounds check (
        case value_type
            when 'boolean' then jsonb_typeof(value) = 'boolean'
            when 'text' then
                jsonb_typeof(value) = 'string' and char_length(value #>> '{}') between min_value and max_value
            else
                -- Six decimals at most: what a real can hold, and more than anybody needs.
                case when jsonb_typeof(value) = 'number'
                    then value::numeric = round(value::numeric, case value_type when 'integer' then 0 else 6 end)
                        and value::numeric >= min_value
                        and value::numeric <= max_value
                    else false
                end
        end
    ),
    constraint settings_numbers_have_bounds check (value_type = 'boolean' or coalesce(min_value <= max_value, false))
);

comment on table eventlive.settings is 'Intervals, limits and thresholds. Change with eventlive.set_setting(key, value).';
comment on column eventlive.settings.key is 'Name, and the key of a webinar''s override.';
comment on column eventlive.settings.value is 'The value in force for webinars without an override.';
comment on column eventlive.settings.value_type is 'integer, number, boolean or text.';
comment on column eventlive.settings.default_value is 'What the package ships.';
comment on column eventlive.settings.min_value is 'Smallest value allowed, for numbers; for a text its shortest length.';
comment on column eventlive.settings.max_value is 'Largest value allowed, for numbers; for a text its greatest length.';
comment on column eventlive.settings.unit is 's for seconds, days, 1/s and 1/min for rates, bytes, rows, characters; null for a bare number.';
comment on column eventlive.settings.per_webinar is 'Whether webinars.settings may override it.';
comment on column eventlive.settings.client_visible is 'Whether webinar_client_settings sends it.';
comment on column eventlive.settings.description is 'What it does.';

alter table eventlive.settings enable row level security;
create policy settings_service on eventlive.settings for select to service_role using (true);
comment on policy settings_service on eventlive.settings is 'service_role reads every setting.';
revoke all on eventlive.settings from public, anon, authenticated, service_role;

insert into eventlive.settings
    (key, value, default_value, value_type, min_value, max_value, unit, per_webinar, client_visible, description)
select key, value, value, value_type, min_value, max_value, unit, per_webinar, client_visible, description
  from (values
    ('presence_ping_interval_s', '120'::jsonb, 'number', 1, 3600, 's', true, true,
        'Time between two presence pings of a client, before pacing.'),
    ('presence_ping_max_interval_s', '600', 'number', 1, 7200, 's', true, false,
        'Pacing never asks for a longer time between two pings.'),
    ('presence_target_rps', '500', 'number', 0.1, 100000, '1/s', true, false,
        'Pings a second that one webinar may cost; a larger audience gets a longer interval.'),
    ('session_heartbeat_interval_s', '300', 'number', 1, 3600, 's', true, true,
        'Time between two session heartbeats of a client, before pacing.'),
    ('session_heartbeat_max_interval_s', '1800', 'number', 1, 7200, 's', true, false,
        'Pacing never asks for a longer time between two heartbeats.'),
    ('heartbeat_target_rps', '500', 'number', 0.1, 100000, '1/s', true, false,
        'Heartbeats a second that one webinar may cost; a larger audience gets a longer interval.'),
    ('throttle_factor', '0.5', 'number', 0, 0.9, null, true, false,
        'A ping or heartbeat earlier than this part of the issued interval writes nothing.'),
    ('expiry_factor', '2.5', 'number', 1.5, 10, null, true, false,
        'Presence and sessions expire this many issued intervals after the last sign of life.'),
    ('watch_credit_factor', '1.5', 'number', 1, 10, null, true, false,
        'A heartbeat credits at most this many issued intervals of watch time.'),
    ('pacing_jitter', '0.1', 'number', 0, 0.5, null, true, false,
        'Issued heartbeat intervals vary by this part up and down, so that clients do not beat in step.'),
    ('fallback_enabled', 'true', 'boolean', null, null, null, true, true,
        'Whether clients may poll for messages while Realtime is away.'),
    ('fallback_poll_interval_s', '10', 'number', 1, 3600, 's', true, true,
        'Time between two fallback polls of a client, before pacing.'),
    ('fallback_poll_max_interval_s', '86400', 'number', 1, 86400, 's', true, false,
        'Pacing never asks for a longer time between two fallback polls.'),
    ('fallback_target_rps', '100', 'number', 0.1, 100000, '1/s', true, false,
        'Fallback polls a second that one webinar may cost.'),
    ('fallback_retry_after_s', '300', 'number', 1, 7200, 's', true, false,
        'While polling is switched off: how long a client waits before it asks again, at least.'),
    ('messages_poll_max', '200', 'integer', 1, 1000, 'rows', true, false,
        'Messages in one reply to a poll; who asks for more gets as many.'),
    ('message_max_length', '2000', 'integer', 1, 4000, 'characters', true, true,
        'Longest message that may be posted.'),
    ('message_rate_limit', '10', 'integer', 1, 1000, 'rows', true, false,
        'Messages that one user may post within message_rate_window_s.'),
    ('message_rate_window_s', '30', 'number', 1, 3600, 's', true, false,
        'The time in which message_rate_limit messages of a user are allowed.'),
    ('admin_poll_interval_s', '10', 'number', 1, 3600, 's', true, true,
        'Time between two polls of an admin dashboard.'),
    ('admin_poll_degraded_interval_s', '30', 'number', 1, 3600, 's', true, true,
        'The same while statistics are late or the load is high.'),
    ('rollup_late_after_s', '150', 'number', 1, 86400, 's', true, false,
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
    ('max_open_sessions_per_user', '20', 'integer', 1, 1000, 'rows', true, false,
        'Under the duplicate-login policy allow: sessions one user may have open in one webinar.'),
    ('client_info_max_bytes', '4096', 'integer', 256, 65536, 'bytes', true, false,
        'Largest _client object that webinar_enter stores.'),
    ('close_batch_size', '1000', 'integer', 1, 10000, 'rows', true, false,
        'Sessions and presence rows that one call of webinar_set_status closes when a webinar ends.'),
    ('ping_batch_max', '1000', 'integer', 1, 10000, 'rows', true, false,
        'Users in one call of webinar_presence_ping_many.'),
    ('email_verified_claim_required', 'true', 'boolean', null, null, null, true, false,
        'Whether the email claim counts only beside email_verified true; switch off only where tokens are never issued before the address is confirmed.'),
    ('anyone_may_create', 'false', 'boolean', null, null, null, false, false,
        'Whether every signed-in user may create a webinar, and so become its host.'),
    ('jwt_issuer', '""', 'text', 0, 500, 'characters', false, false,
        'What iss of a user''s token must be, where pre_request runs; empty: anything.'),
    ('jwt_audience', '""', 'text', 0, 500, 'characters', false, false,
        'What aud of a user''s token must be or hold, where pre_request runs; empty: anything.'),
    ('jwt_service_issuer', '""', 'text', 0, 500, 'characters', false, false,
        'What iss of a token of service_role must be, where pre_request runs; empty: anything.'),
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
