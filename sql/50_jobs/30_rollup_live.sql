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
