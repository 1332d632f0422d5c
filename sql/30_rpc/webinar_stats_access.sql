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
