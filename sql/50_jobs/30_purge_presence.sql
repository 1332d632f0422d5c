create function eventlive.purge_presence_work()
returns table (webinar_id uuid, ids uuid[], step text, amount bigint)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_before timestamptz := clock_timestamp() - eventlive.setting_number('presence_retention_s')::double precision * interval '1 second';
    v_limit integer := eventlive.setting_number('job_batch_size');
begin
    return query
    select o.webinar_id, array_agg(o.user_id order by o.user_id), 'delete', count(*)
      from (
            select p.webinar_id, p.user_id,
                   (row_number() over (partition by p.webinar_id order by p.user_id) - 1) / v_limit as batch
              from eventlive.webinar_live_presence p
              join eventlive.webinar_live l on l.webinar_id = p.webinar_id
             where p.expires_at <= v_before or l.closed_at is not null
           ) o
     group by o.webinar_id, o.batch
     order by o.webinar_id, o.batch;
end
$$;

comment on function eventlive.purge_presence_work() is
    'Presence that expired more than presence_retention_s ago, and that of webinars that have ended, in batches.';
revoke all on function eventlive.purge_presence_work() from public, anon, authenticated, service_role;

create function eventlive.purge_presence_step(_webinar_id uuid, _user_ids uuid[])
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
    v_before timestamptz := clock_timestamp() - eventlive.setting_number('presence_retention_s')::double precision * interval '1 second';
    v_ended boolean;
    v_batch uuid[];
    v_deleted bigint;
begin
    -- A change of status is under way: next time.
    if not pg_try_advisory_xact_lock_shared(eventlive.webinar_lock_key(_webinar_id)) then
        return 0;
    end if;
    select l.closed_at is not null into v_ended from eventlive.webinar_live l where l.webinar_id = _webinar_id;

    v_batch := array(
        select p.user_id
          from eventlive.webinar_live_presence p
         where p.webinar_id = _webinar_id
           and p.user_id = any (_user_ids)
           and (p.expires_at <= v_before or v_ended)
         order by p.user_id
           for update skip locked
    );
    delete from eventlive.webinar_live_presence p where p.webinar_id = _webinar_id and p.user_id = any (v_batch);
    get diagnostics v_deleted = row_count;
    return v_deleted;
end
$$;

comment on function eventlive.purge_presence_step(uuid, uuid[]) is
    'Deletes the presence of those of the users who are still long gone. How many.';
revoke all on function eventlive.purge_presence_step(uuid, uuid[]) from public, anon, authenticated, service_role;
