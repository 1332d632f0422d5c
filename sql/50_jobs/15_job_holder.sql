create function eventlive.job_holder(_name text)
returns integer
language sql
stable
set search_path = pg_catalog, pg_temp
return (
    select l.pid
      from pg_locks l
     where l.locktype = 'advisory'
       and l.database = (select d.oid from pg_database d where d.datname = current_database())
       and l.classid = ((eventlive.job_lock_key(_name) >> 32) & 4294967295)::oid
       and l.objid = (eventlive.job_lock_key(_name) & 4294967295)::oid
       and l.objsubid = 1
       and l.granted
);

comment on function eventlive.job_holder(text) is 'The backend in which the job is running; null where it is not.';
revoke all on function eventlive.job_holder(text) from public, anon, authenticated, service_role;
