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
