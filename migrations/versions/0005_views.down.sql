-- Released: never change this file. A change of the schema is a new migration.

set local lock_timeout = '5s';
set local search_path = pg_catalog, pg_temp;

set local role eventlive_owner;

drop view eventlive_api.webinars;
drop view eventlive_api.webinar_user_sessions;
drop view eventlive_api.webinar_live_presence;
drop view eventlive_api.webinar_allowed_emails;
drop view eventlive_api.registrations;
drop view eventlive_api.profiles;
drop view eventlive_api.event_access_logs;

reset role;

notify pgrst, 'reload schema';
