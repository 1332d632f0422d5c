-- The access and the entry policy, in one place for register and enter. Not the steady state: a registered attendee
-- comes here only where a list is asked at every entry, or in a draft.

create function eventlive.check_admission(
    _webinar_id uuid, _user_id uuid, _registered boolean, _status text, _access_policy text, _entry_policy text,
    _verified_required boolean
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if _status = 'ended' then
        perform eventlive.raise_error('webinar_ended');
    elsif exists (select from eventlive.profiles p where p.user_id = _user_id and p.is_admin) then
        return;
    elsif _status is null or _status = 'draft' then
        perform eventlive.raise_error('webinar_not_found');
    elsif _entry_policy = 'registered_only' and not _registered then
        perform eventlive.raise_error('not_registered');
    elsif _access_policy in ('invite_only', 'email_auth') then
        perform eventlive.check_email_is_listed(_webinar_id, _verified_required);
    end if;
end
$$;

comment on function eventlive.check_admission(uuid, uuid, boolean, text, text, text, boolean) is
    'Passes a signed-in user whom the webinar''s policies let in; otherwise raises what stands in the way. Administrators pass every policy. Registering is bound by no entry policy: null.';
revoke all on function eventlive.check_admission(uuid, uuid, boolean, text, text, text, boolean)
    from public, anon, authenticated, service_role;
