-- Draft, written from sql/ by `python -m eventlive_db.migrate.freeze`; do not change it by hand.

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
