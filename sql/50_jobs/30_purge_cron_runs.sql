-- Runs as whoever runs the job, not as the owner: pg_cron shows to each user the runs of that user's jobs alone.

create function eventlive.purge_cron_runs(_limit bigint)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_days numeric := eventlive.setting_number('job_run_retention_days');
    v_deleted bigint;
begin
    -- Who may not look has no entries in pg_cron, and another runner.
    if not has_schema_privilege('cron', 'usage') then
        return 0;
    end if;
    -- The extension may not be there: then there is nothing that names its table.
    execute $cron$
        with batch as materialized (
            select d.runid
              from cron.job_run_details d
             where d.command like 'call eventlive.run\_job(%'
               and (coalesce(d.end_time, d.start_time) < clock_timestamp() - $1::double precision * interval '1 day'
                    -- Where it could not connect, pg_cron writes no time.
                    or d.end_time is null and d.start_time is null
                       and d.runid < (select max(m.runid) from cron.job_run_details m) - 10000)
             order by d.runid
             limit $2
        ), deleted as (
            delete from cron.job_run_details d using batch b where d.runid = b.runid returning 1
        )
        select count(*) from deleted
    $cron$ into v_deleted using v_days, _limit;
    return v_deleted;
end
$$;

comment on function eventlive.purge_cron_runs(bigint) is
    'Forgets so many records of pg_cron, at most, about runs of these jobs more than job_run_retention_days ago. How many.';
revoke all on function eventlive.purge_cron_runs(bigint) from public, anon, authenticated, service_role;
