create function eventlive.event_log_stated_range(_comment text)
returns tstzrange
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
    v_range tstzrange;
begin
    if _comment ~ '^[[(]("?-infinity"?|"?\d{4,6}-\d\d-\d\d[ \d:.+-]*( BC)?"?),"?\d{4,6}-\d\d-\d\d[ \d:.+-]*( BC)?"?[])]$' then
        v_range := _comment::tstzrange;
    end if;
    return case when lower(v_range) < upper(v_range) then v_range end;
exception
    -- A day that no month has, a zone that is none, an end before its beginning.
    when data_exception then
        return null;
end
$$;

comment on function eventlive.event_log_stated_range(text) is
    'The time that a comment says in figures, such as ["2026-01-01 00:00:00+00","2026-02-01 00:00:00+00"); null where it says none.';
revoke all on function eventlive.event_log_stated_range(text) from public, anon, authenticated, service_role;
