create function eventlive.require_staff(_webinar_id uuid, _roles text[])
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid;
begin
    if _webinar_id is null then
        perform eventlive.raise_error('invalid_argument', '{"argument": "_webinar_id", "must_be": "the id of a webinar"}');
    end if;
    if not eventlive.is_service() then
        v_user_id := eventlive.require_user();
        -- A stranger gets the same answer for a webinar that exists and for one that does not.
        if not exists (select from eventlive.profiles p where p.user_id = v_user_id and p.is_admin)
            and not exists (
                select
                  from eventlive.registrations r
                 where r.webinar_id = _webinar_id
                   and r.user_id = v_user_id
                   and r.role = any (_roles)
                   and r.ejected_at is null
            )
        then
            perform eventlive.raise_error('not_allowed');
        end if;
    end if;
    if not exists (select from eventlive.webinars w where w.id = _webinar_id) then
        perform eventlive.raise_error('webinar_not_found');
    end if;
end
$$;

comment on function eventlive.require_staff(uuid, text[]) is
    'Passes service_role, administrators, and those registered for the webinar in one of the roles; PT403 not_allowed for all others.';
revoke all on function eventlive.require_staff(uuid, text[]) from public, anon, authenticated, service_role;
