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
