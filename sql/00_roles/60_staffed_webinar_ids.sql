-- For policies and views: as a scalar sub-select it is evaluated once a statement, never once a row.

create function eventlive.staffed_webinar_ids()
returns uuid[]
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.current_user_id();
begin
    if eventlive.is_service() or exists (select from eventlive.profiles p where p.user_id = v_user_id and p.is_admin) then
        return array(select w.id from eventlive.webinars w order by w.id);
    end if;
    return array(
        select r.webinar_id
          from eventlive.registrations r
         where r.user_id = v_user_id
           and r.role in ('host', 'moderator')
           and r.ejected_at is null
         order by r.webinar_id
    );
end
$$;

comment on function eventlive.staffed_webinar_ids() is
    'The webinars in which the caller is host or moderator; for administrators and service_role, all of them.';
revoke all on function eventlive.staffed_webinar_ids() from public, anon, authenticated, service_role;
grant execute on function eventlive.staffed_webinar_ids() to anon, authenticated, service_role;
