-- For administrators of the database. Not a bare DELETE, which meets those who are inside in another order than they take
-- their locks in: one of the two would end with a deadlock, and who comes in meanwhile with a broken foreign key.

create function eventlive.delete_webinar(_webinar_id uuid)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_advisory_xact_lock(eventlive.webinar_lock_key(_webinar_id));
    perform from eventlive.webinars w where w.id = _webinar_id for update;
    if not found then
        return false;
    end if;
    perform from eventlive.registrations r
      where r.webinar_id = _webinar_id
      order by r.user_id
        for update;
    delete from eventlive.webinar_user_sessions s where s.webinar_id = _webinar_id;
    delete from eventlive.webinar_live_presence p where p.webinar_id = _webinar_id;
    delete from eventlive.webinars w where w.id = _webinar_id;
    return true;
end
$$;

comment on function eventlive.delete_webinar(uuid) is
    'Deletes a webinar with its registrations, sessions, presence and messages; the visit log stays. Waits for those who are coming in; who comes next finds no webinar. Whether there was one.';
revoke all on function eventlive.delete_webinar(uuid) from public, anon, authenticated, service_role;
