-- A ping commits asynchronously: losing the last fraction of a second of presence in a crash harms nobody. What must
-- survive a crash calls this first, in case a ping came before it in the same transaction.

create function eventlive.restore_durability()
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_saved text := nullif(current_setting('eventlive.synchronous_commit', true), '');
begin
    if v_saved is null then
        return false;
    end if;
    v_saved := set_config('synchronous_commit', v_saved, true);
    v_saved := set_config('eventlive.synchronous_commit', '', true);
    return true;
end
$$;

comment on function eventlive.restore_durability() is
    'Undoes what relax_durability did earlier in this transaction, so that its commit is waited for again; false where nothing was to undo.';
revoke all on function eventlive.restore_durability() from public, anon, authenticated, service_role;
