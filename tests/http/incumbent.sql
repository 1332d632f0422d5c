-- Planted over the real functions, for showing that the replay of the outage can fail: what the incumbent's server did.

-- A ping that looks for a registration and, after a while, makes one.
create or replace function eventlive.webinar_presence_ping(_webinar_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.current_user_id();
begin
    if not exists (
        select from eventlive.registrations r where r.webinar_id = _webinar_id and r.user_id = v_user_id
    ) then
        perform pg_sleep(0.02);  -- the way from the web function to the database and back
        insert into eventlive.registrations (webinar_id, user_id) values (_webinar_id, v_user_id);
    end if;
end
$$;

-- A heartbeat that asks for a column that does not exist.
create or replace function eventlive.webinar_session_heartbeat(_webinar_id uuid, _session_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id bigint;
begin
    select id into v_id from eventlive.registrations where webinar_id = _webinar_id;
    return to_jsonb(v_id);
end
$$;

-- A registration that gives up waiting.
create or replace function eventlive.webinar_register(_webinar_id uuid, _registered_via text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception using errcode = 'lock_not_available', message = 'canceling statement due to lock timeout';
end
$$;
