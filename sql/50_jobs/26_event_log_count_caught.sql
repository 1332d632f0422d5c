-- Read by its name, the default partition is all that is locked meanwhile. Where it has another one, the log is read: of
-- the time of a gap, it has nothing else.

create function eventlive.event_log_count_caught(_from timestamptz, _until timestamptz, _limit bigint)
returns bigint
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_default regclass := eventlive.event_log_default();
    v_count bigint := 0;
begin
    if v_default = to_regclass('eventlive.event_access_logs_default') then
        select count(*) into v_count
          from (
                select
                  from eventlive.event_access_logs_default d
                 where d.occurred_at >= _from and d.occurred_at < _until
                 limit _limit
               ) n;
    elsif v_default is not null then
        select count(*) into v_count
          from (
                select
                  from eventlive.event_access_logs l
                 where l.occurred_at >= _from and l.occurred_at < _until
                 limit _limit
               ) n;
    end if;
    return v_count;
end
$$;

comment on function eventlive.event_log_count_caught(timestamptz, timestamptz, bigint) is
    'How many events the default partition has of a time that no other one is for, counted until a limit where there is one.';
revoke all on function eventlive.event_log_count_caught(timestamptz, timestamptz, bigint) from public, anon, authenticated, service_role;
