-- A row that somebody holds is passed by, and counted a minute later. One that is held all the time must not look as if it
-- were counted. It is held for long if a run passed it by that long ago: after an outage nothing was counted for long,
-- and nothing needs to be held.

create function eventlive.check_passed_by(_name text, _webinar_ids uuid[])
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_late record;
    v_then timestamptz;
begin
    if _name <> 'rollup_live' or _webinar_ids = '{}' then
        return;
    end if;
    select max(r.started_at)
      into v_then
      from eventlive.jobs j
      join eventlive.job_runs r on r.job_name = j.name
     where j.name = _name
       and r.finished_at is not null
       and r.error is null
       and r.started_at < clock_timestamp() - j.max_age;
    select count(*) as webinars, min(l.as_of) as since, min(l.webinar_id::text) as first
      into v_late
      from eventlive.webinar_live l
      join eventlive.webinars w on w.id = l.webinar_id
     where l.webinar_id = any (_webinar_ids)
       and l.as_of < v_then
           - case when w.status = 'live' or l.participants + l.guests > 0 then 0
                 else (l.settings ->> 'rollup_idle_interval_s')::numeric::double precision end * interval '1 second';
    if v_late.webinars > 0 then
        raise exception using
            errcode = 'object_not_in_prerequisite_state',
            message = format('webinars that nobody could count, since %s: %s, such as %s',
                v_late.since, v_late.webinars, v_late.first),
            detail = 'passed_by',
            hint = 'A transaction holds their rows in webinars or webinar_live: end the oldest by xact_start in '
                'pg_stat_activity.';
    end if;
end
$$;

comment on function eventlive.check_passed_by(text, uuid[]) is
    'Fails where rollup_live has passed webinars by for longer than its max_age: they were not counted since before a good run of so long ago.';
revoke all on function eventlive.check_passed_by(text, uuid[]) from public, anon, authenticated, service_role;
