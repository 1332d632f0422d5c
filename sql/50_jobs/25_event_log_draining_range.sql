create function eventlive.event_log_draining_range()
returns tstzrange
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_table oid := to_regclass('eventlive.event_access_logs_draining');
    v_comment text := obj_description(v_table, 'pg_class');
begin
    if v_table is not null and v_comment is null then
        raise exception using
            errcode = 'object_not_in_prerequisite_state',
            message = 'event_access_logs_draining holds events of the visit log, and its comment, which says of what time, is gone',
            detail = 'rotation_unfinished',
            hint = 'Say it again, from its first event to after its last one: comment on table eventlive.event_access_logs_draining is ''["2026-01-01 00:00:00+00","2026-02-01 00:00:00+00")''';
    end if;
    return v_comment::tstzrange;
end
$$;

comment on function eventlive.event_log_draining_range() is
    'The time that event_access_logs_draining stands for; null where there is no such table.';
revoke all on function eventlive.event_log_draining_range() from public, anon, authenticated, service_role;
