-- The hottest call. In the steady state it is one UPDATE by key; a throttled one adds one look by the same key.

create function eventlive.webinar_presence_ping(_webinar_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.claimed_user_id();
    v_now timestamptz := clock_timestamp();
    v_alone boolean := pg_current_xact_id_if_assigned() is null;
begin
    update eventlive.webinar_live_presence p
       set last_seen_at = v_now,
           expires_at = greatest(p.expires_at, v_now + p.ttl_s * interval '1 second')
     where p.webinar_id = _webinar_id
       and p.user_id = v_user_id
       and p.last_seen_at <= v_now - p.throttle_s * interval '1 second';

    if not found then
        if exists (
            select
              from eventlive.webinar_live_presence p
             where p.webinar_id = _webinar_id and p.user_id = v_user_id
        ) then
            return;
        end if;
        perform eventlive.create_presence(_webinar_id, v_user_id);
    end if;

    -- Assigned, not performed: an assignment runs no statement of its own.
    if v_alone then
        v_alone := eventlive.relax_durability();
    end if;
end
$$;

comment on function eventlive.webinar_presence_ping(uuid) is 'Body of eventlive_api.webinar_presence_ping.';
revoke all on function eventlive.webinar_presence_ping(uuid) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_presence_ping(uuid) to authenticated;

create function eventlive_api.webinar_presence_ping(_webinar_id uuid)
returns void
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_presence_ping(_webinar_id);
end;

comment on function eventlive_api.webinar_presence_ping(uuid) is
    'Refreshes the presence of the signed-in, registered caller. Never registers: 403 not_registered. A ping inside the throttle writes nothing. Commits asynchronously when it is all the transaction does: call it last in a transaction of your own.';
revoke all on function eventlive_api.webinar_presence_ping(uuid) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_presence_ping(uuid) to authenticated;
