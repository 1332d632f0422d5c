-- What the cases name. Ids say what they are: 0000000e is a webinar, 0000000a a user, 00000005 a session.
--
-- Webinar 1 is the large one, in which the cases happen; webinar 2 is open to guests, 3 is a draft, and there are 500,
-- so that a look-up by key is one in the plan too.

create schema plans;
grant usage on schema plans to public;
create function plans.webinar_id(_number bigint) returns uuid language sql immutable as
$$ select ('0000000e-0000-4000-8000-' || lpad(to_hex(_number), 12, '0'))::uuid $$;
-- Spread, as ids are: those of the first viewers are not neighbours in an index of a million.
create function plans.user_id(_number bigint) returns uuid language sql immutable as
$$ select ('0000000a-0000-4000-8000-' || lpad(to_hex(_number * 2654435761 % 4294967296), 12, '0'))::uuid $$;
create function plans.session_id(_number bigint) returns uuid language sql immutable as
$$ select ('00000005-0000-4000-8000-' || lpad(to_hex(_number * 2654435761 % 4294967296), 12, '0'))::uuid $$;

insert into eventlive.webinars (id, slug, status, access_policy, duplicate_login_policy)
select plans.webinar_id(i), 'webinar-' || i,
       case i when 3 then 'draft' else 'live' end,
       case i when 2 then 'guest_allowed' when 3 then 'auth' else 'invite_only' end,
       'ask'
  from generate_series(2, 500) i;
insert into eventlive.webinars (id, slug, status)
values ('0000000e-0000-4000-8000-000000000001', 'webinar-1', 'live');

-- The host of the large one, and the administrator.
insert into eventlive.registrations (webinar_id, user_id, role)
values ('0000000e-0000-4000-8000-000000000001', '0000000a-0000-4000-8000-00000f000001', 'host');
insert into eventlive.profiles (user_id, display_name, is_admin)
select plans.user_id(i), 'User ' || i, false
  from generate_series(1, 2000) i;
insert into eventlive.profiles (user_id, display_name, is_admin)
values ('0000000a-0000-4000-8000-00000f000002', 'Admin', true);

-- Each address on the lists of two webinars.
insert into eventlive.webinar_allowed_emails (webinar_id, email)
select plans.webinar_id(4 + (i + n * 7) % 400), 'user' || i || '@example.com'
  from generate_series(1, 2000) i
 cross join generate_series(0, 1) n;

insert into eventlive.event_access_logs (webinar_id, occurred_at, event, user_id)
select plans.webinar_id(1 + i % 20),
       timestamptz '2026-01-01 12:00+00' + i * interval '1 second', 'entered',
       plans.user_id(i)
  from generate_series(1, 20000) i;

-- Everybody has been somewhere else before: a look-up by user alone finds more than the session that is open.
insert into eventlive.webinar_user_sessions (
    webinar_id, session_id, user_id, entered_at, last_heartbeat_at, expires_at, exited_at, exit_reason, interval_s
)
select plans.webinar_id(4 + (i + n * 7) % 496),
       plans.session_id(100000000 + i * 4 + n),
       plans.user_id(i),
       '2025-12-01 12:00+00', '2025-12-01 13:00+00', '2025-12-01 13:10+00', '2025-12-01 13:00+00', 'left', 300
  from generate_series(1, 1000) i
 cross join generate_series(0, 3) n;

-- A guest in the webinar for guests.
insert into eventlive.webinar_user_sessions (
    webinar_id, session_id, user_id, entered_at, last_heartbeat_at, expires_at, interval_s, leave_token
)
values
    ('0000000e-0000-4000-8000-000000000002', '00000005-0000-4000-8000-00000f000001', null,
     '2026-01-01 12:00+00', '2026-01-01 12:00+00', '2100-01-01 00:00+00', 300, '00000007-0000-4000-8000-000000000001');

-- A conversation in the large webinar: of its 2,000 first messages viewer 500 wrote 40, and every tenth is hidden.
insert into eventlive.webinar_messages (
    webinar_id, message_id, user_id, client_message_id, body, hidden, created_at, change_id
)
select '0000000e-0000-4000-8000-000000000001', i,
       plans.user_id(case when i % 50 = 0 then 500 else 100000000 + i % 97 end),
       ('0000000c-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid,
       'Message ' || i, i % 10 = 7, timestamptz '2026-01-01 12:00+00' + i * interval '1 second', i
  from generate_series(1, 2000) i;
insert into eventlive.webinar_message_feeds (webinar_id, last_change_id)
select w.id, 100000000 from eventlive.webinars w where w.slug <> 'webinar-2';

-- Timelines: of the large webinar two thousand buckets, of the others a day's.
insert into eventlive.webinar_access_logs (
    webinar_id, time_bucket, sample_count, sum_participants, max_participants, last_participants, updated_at
)
select plans.webinar_id(n), timestamptz '2026-01-01 12:00+00' + i * interval '5 minutes', 5, 500, 110, 100, '2026-02-01'
  from generate_series(1, 100) n
 cross join generate_series(1, case n when 1 then 2000 else 50 end) i;

-- Webinar 500 is of long ago, as is all that belongs to it. Its sessions come before the cases about them: many that
-- have ended would change how those that are open are found.
update eventlive.webinars set created_at = '2019-01-01 12:00+00' where slug = 'webinar-500';
insert into eventlive.webinar_messages (
    webinar_id, message_id, user_id, client_message_id, body, created_at, change_id
)
select plans.webinar_id(500), i, plans.user_id(i), ('0000000d-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid,
       'Message ' || i, timestamptz '2019-01-01 12:00+00' + i * interval '1 second', i
  from generate_series(1, 1500) i;
insert into eventlive.webinar_access_logs (webinar_id, time_bucket, sample_count, updated_at)
select plans.webinar_id(500), timestamptz '2019-01-01 12:00+00' + i * interval '5 minutes', 5, '2019-02-01'
  from generate_series(1, 1500) i;
