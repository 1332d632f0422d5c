-- Released: never change this file. A change of the schema is a new migration.

set local lock_timeout = '5s';
set local search_path = pg_catalog, pg_temp;

set local role eventlive_owner;

drop trigger webinars_refresh_live on eventlive.webinars;
drop trigger webinars_check_settings on eventlive.webinars;
drop function eventlive.refresh_changed_webinar();
drop function eventlive.check_webinar_settings();
drop function eventlive.webinar_reply(eventlive.webinars);
drop function eventlive.webinar_lock_key(uuid);
drop function eventlive.watch_credit(timestamptz, timestamptz, double precision);
drop function eventlive.settings_lock_key();
drop function eventlive.set_setting(text, jsonb);
drop function eventlive.restore_durability();
drop function eventlive.require_user();
drop function eventlive.require_staff(uuid, text[]);
drop function eventlive.require_read_committed();
drop function eventlive.relax_durability();
drop function eventlive.registration_reply(eventlive.registrations);
drop function eventlive.registration_for_entry(uuid, uuid, text, text, text, boolean);
drop function eventlive.refresh_webinar_live(uuid);
drop function eventlive.recreate_presence(uuid, uuid, timestamptz, double precision, double precision, double precision);
drop function eventlive.paced_interval_s(real, real, real, integer);
drop function eventlive.insert_session(uuid, uuid, uuid, timestamptz, real, real, jsonb);
drop function eventlive.insert_registration(uuid, uuid, text);
drop function eventlive.heartbeat_without_write(uuid, uuid, uuid, timestamptz);
drop function eventlive.create_presence(uuid, uuid);
drop function eventlive.close_sessions(uuid, uuid[], text, timestamptz, uuid);
drop function eventlive.close_ended_webinar(uuid, integer);
drop function eventlive.check_webinar_values(text, text, text, text, text, text, timestamptz, timestamptz, jsonb);
drop function eventlive.check_setting(text, jsonb, boolean);
drop function eventlive.check_session_is_open(uuid, uuid, timestamptz, timestamptz, text, uuid);
drop function eventlive.check_email_is_listed(uuid, boolean);
drop function eventlive.check_admission(uuid, uuid, boolean, text, text, text, boolean);

reset role;

notify pgrst, 'reload schema';
