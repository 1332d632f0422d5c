create function eventlive.check_session_is_open(
    _user_id uuid, _session_user_id uuid, _expires_at timestamptz, _exited_at timestamptz, _exit_reason text, _replaced_by uuid
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if _session_user_id is distinct from _user_id then
        perform eventlive.raise_error('session_not_yours');
    elsif _exited_at is not null then
        perform eventlive.raise_error(
            case _exit_reason when 'webinar_ended' then 'webinar_ended' else 'session_' || _exit_reason end,
            jsonb_strip_nulls(jsonb_build_object('exited_at', _exited_at, 'replaced_by', _replaced_by)));
    elsif _expires_at <= clock_timestamp() then
        perform eventlive.raise_error('session_expired', jsonb_build_object('exited_at', _expires_at));
    end if;
end
$$;

comment on function eventlive.check_session_is_open(uuid, uuid, timestamptz, timestamptz, text, uuid) is
    'Refuses to enter again with the session of somebody else, or with one that is over.';
revoke all on function eventlive.check_session_is_open(uuid, uuid, timestamptz, timestamptz, text, uuid)
    from public, anon, authenticated, service_role;
