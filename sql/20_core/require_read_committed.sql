-- Locks are taken first and the tables read after them: that holds only where each statement sees what was committed
-- before it began. At a higher level a call would act on a snapshot older than its locks, or end in 40001, which
-- PostgREST before 16 repeats for ever.

create function eventlive.require_read_committed()
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        perform eventlive.raise_error('isolation_not_supported');
    end if;
    return true;
end
$$;

comment on function eventlive.require_read_committed() is 'Refuses a transaction at another isolation level than read committed.';
revoke all on function eventlive.require_read_committed() from public, anon, authenticated, service_role;
