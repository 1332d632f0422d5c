-- Viewers plans.rows_before + 1 to plans.rows: registered, present and watching. Every other one is in webinar 1, the
-- rest are spread over the small ones..

set local session_replication_role = replica;  -- the rows are right; checking each key would take most of the time

create temporary table viewers on commit drop as
select i,
       plans.webinar_id(case when i % 2 = 0 then 1 else 4 + i % 496 end) as webinar_id,
       plans.user_id(i) as user_id,
       plans.session_id(i) as session_id
  from generate_series(
        current_setting('plans.rows_before')::integer + 1, current_setting('plans.rows')::integer) i;

insert into eventlive.registrations (webinar_id, user_id, registered_at)
select webinar_id, user_id, '2026-01-01 12:00+00' from viewers order by webinar_id, user_id;

insert into eventlive.webinar_live_presence (
    webinar_id, user_id, joined_at, last_seen_at, expires_at, throttle_s, ttl_s
)
select webinar_id, user_id, '2026-01-01 12:00+00', '2026-01-01 12:00+00', '2100-01-01 00:00+00', 60, 300
  from viewers
 order by webinar_id, user_id;

insert into eventlive.webinar_user_sessions (
    webinar_id, session_id, user_id, entered_at, last_heartbeat_at, expires_at, exited_at, exit_reason, interval_s,
    leave_token
)
select webinar_id, session_id, user_id, '2026-01-01 12:00+00', '2026-01-01 12:00+00', '2100-01-01 00:00+00',
       case when i % 10 = 0 then timestamptz '2026-01-01 12:01+00' end, case when i % 10 = 0 then 'left' end,
       300, '00000007-0000-4000-8000-000000000001'
  from viewers
 order by webinar_id, session_id;

insert into eventlive.webinar_messages (
    webinar_id, message_id, user_id, client_message_id, body, created_at, change_id
)
select webinar_id, 10000 + i, user_id, session_id, 'Message ' || i, '2026-01-01 13:00+00', 10000 + i
  from viewers
 order by webinar_id, i;
