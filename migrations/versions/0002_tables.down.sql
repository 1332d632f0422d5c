-- Released: never change this file. A change of the schema is a new migration.

set local lock_timeout = '5s';
set local search_path = pg_catalog, pg_temp;

set local role eventlive_owner;

-- Stepping back drops the tables. It refuses while they hold data, unless the session says that it may be lost.

lock table
    eventlive.webinars, eventlive.registrations, eventlive.webinar_user_sessions, eventlive.webinar_live_presence,
    eventlive.webinar_messages, eventlive.event_access_logs, eventlive.webinar_access_logs,
    eventlive.webinar_allowed_emails, eventlive.profiles, eventlive.job_runs, eventlive.settings
    in access exclusive mode;

do $$
declare
    v_table text;
    v_has_rows boolean;
    v_filled text[] := '{}';
begin
    if current_setting('eventlive.discard_data', true) = 'on' then
        return;
    end if;
    foreach v_table in array array[
        'webinars', 'registrations', 'webinar_user_sessions', 'webinar_live_presence', 'webinar_messages',
        'event_access_logs', 'webinar_access_logs', 'webinar_allowed_emails', 'profiles', 'job_runs'
    ] loop
        execute format('select exists (select from eventlive.%I)', v_table) into v_has_rows;
        if v_has_rows then
            v_filled := v_filled || v_table;
        end if;
    end loop;
    if exists (select from eventlive.settings s where s.value <> s.default_value) then
        v_filled := v_filled || 'settings'::text;
    end if;
    if v_filled <> '{}' then
        raise exception using
            errcode = 'object_not_in_prerequisite_state',
            message = 'this step drops tables that hold data: ' || array_to_string(v_filled, ', '),
            detail = 'data_present',
            hint = 'Back them up. Then repeat with migrate down --discard-data, or in psql after: '
                'set eventlive.discard_data = ''on''';
    end if;
end
$$;

drop table eventlive.job_runs;
drop table eventlive.jobs;
drop table eventlive.webinar_messages;
drop table eventlive.webinar_access_logs;
drop table eventlive.webinar_live;
drop table eventlive.event_access_logs;
drop table eventlive.webinar_user_sessions;
drop table eventlive.webinar_live_presence;
drop table eventlive.registrations;
drop table eventlive.webinar_allowed_emails;
drop table eventlive.webinars;
drop table eventlive.profiles;
drop table eventlive.settings;

reset role;

notify pgrst, 'reload schema';
