-- No index on exited_at: each session would pay for it, for the sake of a nightly job. A webinar younger than the
-- retention has nothing to delete, and of an old one nearly all sessions go at once.

create function eventlive.purge_sessions_work()
returns table (webinar_id uuid, ids uuid[], step text, amount bigint)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_days numeric := eventlive.setting_number('session_retention_days');
    v_limit integer := eventlive.setting_number('job_batch_size');
begin
    return query
    select w.id, array[min(o.session_id::text collate "C")::uuid, max(o.session_id::text collate "C")::uuid], 'delete', count(*)
      from (
            select w.id, w.created_at,
                   v_now - coalesce((w.settings -> 'session_retention_days')::numeric, v_days)::double precision
                       * interval '1 day' as before
              from eventlive.webinars w
           ) w
     cross join lateral (
            select s.session_id, (row_number() over (order by s.session_id) - 1) / v_limit as batch
              from eventlive.webinar_user_sessions s
             where s.webinar_id = w.id and s.exited_at < w.before
           ) o
     where w.created_at < w.before
     group by w.id, o.batch
     order by w.id, o.batch;
end
$$;

comment on function eventlive.purge_sessions_work() is
    'Sessions that ended more than session_retention_days ago, in batches: ids are the first and the last of each.';
revoke all on function eventlive.purge_sessions_work() from public, anon, authenticated, service_role;

create function eventlive.purge_sessions_step(_webinar_id uuid, _bounds uuid[])
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    v_limit bigint := eventlive.setting_number('job_batch_size');
    v_before timestamptz;
    v_batch uuid[];
    v_deleted bigint;
begin
    select eventlive.retention_end('session_retention_days', w.settings)
      into v_before
      from eventlive.webinars w
     where w.id = _webinar_id;
    v_batch := array(
        select s.session_id
          from eventlive.webinar_user_sessions s
         where s.webinar_id = _webinar_id
           and s.session_id between _bounds[1] and _bounds[2]
           and s.exited_at < v_before
         order by s.session_id
         limit v_limit
           for update skip locked
    );
    delete from eventlive.webinar_user_sessions s where s.webinar_id = _webinar_id and s.session_id = any (v_batch);
    get diagnostics v_deleted = row_count;
    return v_deleted;
end
$$;

comment on function eventlive.purge_sessions_step(uuid, uuid[]) is
    'Deletes the sessions between the two ids that ended long ago, job_batch_size of them at most: more may have come of age since they were listed. How many.';
revoke all on function eventlive.purge_sessions_step(uuid, uuid[]) from public, anon, authenticated, service_role;
