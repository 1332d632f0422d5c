create function eventlive.require_user()
returns uuid
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.current_user_id();
begin
    if v_user_id is null then
        perform eventlive.raise_error('unauthenticated');
    end if;
    return v_user_id;
end
$$;

comment on function eventlive.require_user() is 'The id of the signed-in caller; PT401 unauthenticated for a guest.';
revoke all on function eventlive.require_user() from public, anon, authenticated, service_role;
