create function eventlive.joined_webinar_ids()
returns uuid[]
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
    v_user_id uuid := eventlive.current_user_id();
    v_email text;
begin
    select eventlive.current_email(s.value::boolean)
      into v_email
      from eventlive.settings s
     where s.key = 'email_verified_claim_required';

    return array(
        select r.webinar_id
          from eventlive.registrations r
         where r.user_id = v_user_id
        union
        select e.webinar_id
          from eventlive.webinar_allowed_emails e
         where e.email = v_email
    );
end
$$;

comment on function eventlive.joined_webinar_ids() is
    'The webinars for which the caller is registered or whose e-mail list names the caller.';
revoke all on function eventlive.joined_webinar_ids() from public, anon, authenticated, service_role;
grant execute on function eventlive.joined_webinar_ids() to anon, authenticated, service_role;
