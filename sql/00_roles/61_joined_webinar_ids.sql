create function eventlive.joined_webinar_ids()
returns uuid[]
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
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
          join eventlive.webinars w on w.id = r.webinar_id
         where r.user_id = v_user_id and (w.status <> 'draft' or (r.role <> 'attendee' and r.ejected_at is null))
        union
        select e.webinar_id
          from eventlive.webinar_allowed_emails e
          join eventlive.webinars w on w.id = e.webinar_id
         where e.email = v_email and w.status <> 'draft'
    );
end
$$;

comment on function eventlive.joined_webinar_ids() is
    'The webinars for which the caller is registered or whose e-mail list names the caller; drafts only for those who are more than attendees.';
revoke all on function eventlive.joined_webinar_ids() from public, anon, authenticated, service_role;
grant execute on function eventlive.joined_webinar_ids() to anon, authenticated, service_role;
