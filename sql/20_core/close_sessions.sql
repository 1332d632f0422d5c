-- The one way a session ends. One that had expired before ends as expired, at the time it expired, and one that was open
-- when its webinar ended ends with it: when a job, or somebody who leaves, gets round to it makes no difference to what
-- is recorded.
--
-- Planned anew for each call, and asked for exit_reason where exited_at says the same: else the planner, not knowing that
-- this webinar is a large one, would read all of its open sessions, where the ones that are named are found by their key.

create function eventlive.close_sessions(
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
           and s.exit_reason is null
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
