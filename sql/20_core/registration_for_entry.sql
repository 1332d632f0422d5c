create function eventlive.registration_for_entry(
    _webinar_id uuid, _user_id uuid, _status text, _access_policy text, _entry_policy text, _verified_required boolean
)
returns eventlive.registrations
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_registration eventlive.registrations;
    v_registered boolean;
begin
    select r.* into v_registration
      from eventlive.registrations r
     where r.webinar_id = _webinar_id and r.user_id = _user_id
       for no key update;
    v_registered := found;

    if v_registration.ejected_at is not null then
        perform eventlive.raise_error('ejected');
    end if;
    if v_registered and (v_registration.role <> 'attendee' or (_status <> 'draft' and _access_policy <> 'email_auth')) then
        return v_registration;
    end if;

    perform eventlive.check_admission(
        _webinar_id, _user_id, v_registered, _status, _access_policy, _entry_policy, _verified_required);
    if v_registered then
        return v_registration;
    end if;

    v_registration := eventlive.insert_registration(_webinar_id, _user_id, 'auto');
    if v_registration.webinar_id is null then
        -- Registered by another call in this very moment: take that row.
        return eventlive.registration_for_entry(
            _webinar_id, _user_id, _status, _access_policy, _entry_policy, _verified_required);
    end if;
    return v_registration;
end
$$;

comment on function eventlive.registration_for_entry(uuid, uuid, text, text, text, boolean) is
    'The registration of a signed-in user who enters, locked until the end of the transaction; made here under auto_register where the access policy allows.';
revoke all on function eventlive.registration_for_entry(uuid, uuid, text, text, text, boolean)
    from public, anon, authenticated, service_role;
