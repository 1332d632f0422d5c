create function eventlive.webinar_register(_webinar_id uuid, _registered_via text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.require_user();
    v_registration eventlive.registrations;
    v_webinar record;
    v_created boolean := false;
begin
    if _registered_via is null or _registered_via not in ('manual', 'email', 'invite') then
        perform eventlive.raise_error('invalid_argument', '{"argument": "_registered_via", "must_be": "manual, email or invite"}');
    elsif _webinar_id is null then
        perform eventlive.raise_error('invalid_argument', '{"argument": "_webinar_id", "must_be": "the id of a webinar"}');
    end if;

    -- A repeat is one read: no write, no WAL, no transaction id.
    select r.* into v_registration
      from eventlive.registrations r
     where r.webinar_id = _webinar_id and r.user_id = v_user_id;

    if not found then
        perform eventlive.require_read_committed();
        perform eventlive.restore_durability();
        select w.status, w.access_policy, (l.settings ->> 'email_verified_claim_required')::boolean as verified_required
          into v_webinar
          from eventlive.webinars w
          join eventlive.webinar_live l on l.webinar_id = w.id
         where w.id = _webinar_id;
        if not found then
            perform eventlive.raise_error('webinar_not_found');
        end if;
        perform eventlive.check_admission(
            _webinar_id, v_user_id, false, v_webinar.status, v_webinar.access_policy, null, v_webinar.verified_required);
        v_registration := eventlive.insert_registration(_webinar_id, v_user_id, _registered_via);
        v_created := v_registration.webinar_id is not null;
        if not v_created then
            -- Another call of the same user was faster; its row is committed and visible by now.
            return eventlive.webinar_register(_webinar_id, _registered_via);
        end if;
    end if;

    if v_registration.ejected_at is not null then
        perform eventlive.raise_error('ejected');
    end if;
    return eventlive.registration_reply(v_registration) || jsonb_build_object('created', v_created);
end
$$;

comment on function eventlive.webinar_register(uuid, text) is 'Body of eventlive_api.webinar_register.';
revoke all on function eventlive.webinar_register(uuid, text) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_register(uuid, text) to authenticated;

create function eventlive_api.webinar_register(_webinar_id uuid, _registered_via text default 'manual')
returns jsonb
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_register(_webinar_id, _registered_via);
end;

comment on function eventlive_api.webinar_register(uuid, text) is
    'Registers the signed-in caller, once: a repeat returns the same registration with created false and writes nothing. _registered_via: manual, email or invite.';
revoke all on function eventlive_api.webinar_register(uuid, text) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_register(uuid, text) to authenticated;
