create function eventlive.webinar_client_settings(_webinar_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.current_user_id();  -- refuses malformed claims
    v_settings jsonb;
    v_status text;
begin
    if _webinar_id is null then
        perform eventlive.raise_error('invalid_argument', '{"argument": "_webinar_id", "must_be": "the id of a webinar"}');
    end if;
    select l.client_settings, w.status
      into v_settings, v_status
      from eventlive.webinars w
      join eventlive.webinar_live l on l.webinar_id = w.id
     where w.id = _webinar_id;
    if not found
        or (v_status = 'draft' and _webinar_id <> all (eventlive.staffed_webinar_ids() || eventlive.joined_webinar_ids()))
    then
        perform eventlive.raise_error('webinar_not_found');
    end if;
    return v_settings;
end
$$;

comment on function eventlive.webinar_client_settings(uuid) is 'Body of eventlive_api.webinar_client_settings.';
revoke all on function eventlive.webinar_client_settings(uuid) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_client_settings(uuid) to anon, authenticated, service_role;

create function eventlive_api.webinar_client_settings(_webinar_id uuid)
returns jsonb
language sql
stable
security invoker
begin atomic
    select eventlive.webinar_client_settings(_webinar_id);
end;

comment on function eventlive_api.webinar_client_settings(uuid) is
    'Intervals and limits that a client of this webinar must keep, paced to the size of the audience, and settings_version. Seconds.';
revoke all on function eventlive_api.webinar_client_settings(uuid) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_client_settings(uuid) to anon, authenticated, service_role;
