create function eventlive.check_email_is_listed(_webinar_id uuid, _verified_required boolean)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_email text := eventlive.current_email(_verified_required);
begin
    if v_email is null then
        perform eventlive.raise_error('email_not_verified');
    elsif not exists (
        select from eventlive.webinar_allowed_emails e where e.webinar_id = _webinar_id and e.email = v_email
    ) then
        perform eventlive.raise_error('not_invited');
    end if;
end
$$;

comment on function eventlive.check_email_is_listed(uuid, boolean) is
    'Passes a caller whose verified e-mail claim is on the list of the webinar.';
revoke all on function eventlive.check_email_is_listed(uuid, boolean) from public, anon, authenticated, service_role;
