create function eventlive.purge_job_runs_work()
returns table (webinar_id uuid, ids uuid[], step text, amount bigint)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit bigint := eventlive.setting_number('job_batch_size');
begin
    return query
    select null::uuid, null::uuid[], 'delete', least(v_limit, o.old - b.done)
      from (select count(*) as old from eventlive.old_job_runs()) o
     cross join lateral generate_series(0, o.old - 1, v_limit) as b (done)
     order by b.done;

    -- Looked up in the catalog: by its name it is found only by who may use the schema, which the owner need not.
    if exists (
        select
          from pg_class c
          join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = 'cron' and c.relname = 'job_run_details'
    ) then
        return query select null::uuid, null::uuid[], 'cron', 0::bigint;
    end if;
end
$$;

comment on function eventlive.purge_job_runs_work() is
    'Runs that began more than job_run_retention_days ago, in batches; and, where pg_cron is, its records of the same.';
revoke all on function eventlive.purge_job_runs_work() from public, anon, authenticated, service_role;

create function eventlive.purge_job_runs_step(_limit bigint)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_deleted bigint;
begin
    with batch as materialized (
        select o.job_name, o.run_id from eventlive.old_job_runs() o order by o.job_name, o.run_id limit _limit
    ), deleted as (
        delete from eventlive.job_runs r
         using batch b
         where r.job_name = b.job_name and r.run_id = b.run_id
        returning 1
    )
    select count(*) into v_deleted from deleted;
    return v_deleted;
end
$$;

comment on function eventlive.purge_job_runs_step(bigint) is 'Forgets so many runs of long ago, at most. How many.';
revoke all on function eventlive.purge_job_runs_step(bigint) from public, anon, authenticated, service_role;
