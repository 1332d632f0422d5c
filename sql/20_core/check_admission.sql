-- Who may become a registered participant by his own doing: the access policy, in one place for register and enter.

create function eventlive.check_admission(_webinar_id uuid, _user_id uuid)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
    v_status text;
    v_access_policy text;
    v_verified_required boolean;
    v_is_admin boolean;
begin
    select w.status, w.access_policy, (l.settings ->> 'email_verified_claim_required')::boolean,
           exists (select from eventlive.profiles p where p.user_id = _user_id and p.is_admin)
      into v_status, v_access_policy, v_verified_required, v_is_admin
      from eventlive.webinars w
      join eventlive.webinar_live l on l.webinar_id = w.id
     where w.id = _webinar_id;

    if v_status is null or (v_status = 'draft' and not v_is_admin) then
        perform eventlive.raise_error('webinar_not_found');
    elsif v_status = 'ended' then
        perform eventlive.raise_error('webinar_ended');
    elsif v_access_policy in ('invite_only', 'email_auth') and not v_is_admin then
        perform eventlive.check_email_is_listed(_webinar_id, v_verified_required);
    end if;
end
$$;

comment on function eventlive.check_admission(uuid, uuid) is
    'Passes a user whom the webinar''s access policy lets register; otherwise raises what stands in the way. Administrators pass every policy.';
revoke all on function eventlive.check_admission(uuid, uuid) from public, anon, authenticated, service_role;
