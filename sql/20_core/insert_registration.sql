create function eventlive.insert_registration(_webinar_id uuid, _user_id uuid, _registered_via text)
returns eventlive.registrations
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_registration eventlive.registrations;
begin
    with inserted as (
        insert into eventlive.registrations as r (webinar_id, user_id, registered_via)
        values (_webinar_id, _user_id, _registered_via)
        on conflict (webinar_id, user_id) do nothing
        returning r.*
    ), logged as (
        insert into eventlive.event_access_logs (webinar_id, occurred_at, event, user_id, detail)
        select i.webinar_id, i.registered_at, 'registered', i.user_id, jsonb_build_object('registered_via', i.registered_via)
          from inserted i
    )
    select i.* into v_registration from inserted i;
    return v_registration;
end
$$;

comment on function eventlive.insert_registration(uuid, uuid, text) is
    'Inserts and logs the registration of an attendee; all nulls where the user is registered already.';
revoke all on function eventlive.insert_registration(uuid, uuid, text) from public, anon, authenticated, service_role;
