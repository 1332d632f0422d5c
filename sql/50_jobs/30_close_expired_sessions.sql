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
           and s.exit_reason is null  -- by the key, not by the index of open sessions
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
