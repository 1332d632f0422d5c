create function eventlive.purge_timelines_work()
returns table (webinar_id uuid, ids uuid[], step text, amount bigint)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_days numeric := eventlive.setting_number('timeline_retention_days');
    v_limit bigint := eventlive.setting_number('job_batch_size');
begin
    return query
    select o.id, null::uuid[], 'delete', least(v_limit, o.old - b.done)
      from (
            select w.id, count(*) as old
              from (
                    select w.id, w.created_at,
                           v_now - coalesce((w.settings -> 'timeline_retention_days')::numeric, v_days)::double precision
                               * interval '1 day' as before
                      from eventlive.webinars w
                   ) w
              join eventlive.webinar_access_logs t on t.webinar_id = w.id and t.time_bucket < w.before
             where w.created_at < w.before
             group by w.id
           ) o
     cross join lateral generate_series(0, o.old - 1, v_limit) as b (done)
     order by o.id, b.done;
end
$$;

comment on function eventlive.purge_timelines_work() is 'Buckets of the timeline that began more than timeline_retention_days ago, in batches.';
revoke all on function eventlive.purge_timelines_work() from public, anon, authenticated, service_role;

create function eventlive.purge_timelines_step(_webinar_id uuid, _limit bigint)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    v_before timestamptz;
    v_batch timestamptz[];
    v_deleted bigint;
begin
    select eventlive.retention_end('timeline_retention_days', w.settings)
      into v_before
      from eventlive.webinars w
     where w.id = _webinar_id;
    v_batch := array(
        select t.time_bucket
          from eventlive.webinar_access_logs t
         where t.webinar_id = _webinar_id and t.time_bucket < v_before
         order by t.time_bucket
         limit _limit
           for update skip locked
    );
    delete from eventlive.webinar_access_logs t where t.webinar_id = _webinar_id and t.time_bucket = any (v_batch);
    get diagnostics v_deleted = row_count;
    return v_deleted;
end
$$;

comment on function eventlive.purge_timelines_step(uuid, bigint) is
    'Deletes the oldest buckets of a webinar''s timeline that began long ago, so many at most. How many.';
revoke all on function eventlive.purge_timelines_step(uuid, bigint) from public, anon, authenticated, service_role;
