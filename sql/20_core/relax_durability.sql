create function eventlive.relax_durability()
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_ignored text;
begin
    if current_setting('synchronous_commit') = 'off' then
        return false;
    end if;
    v_ignored := set_config('eventlive.synchronous_commit', current_setting('synchronous_commit'), true);
    v_ignored := set_config('synchronous_commit', 'off', true);
    return true;
end
$$;

comment on function eventlive.relax_durability() is
    'Commits this transaction asynchronously; false where it would anyway. Only for one that had written nothing before the ping or heartbeat in it.';
revoke all on function eventlive.relax_durability() from public, anon, authenticated, service_role;
