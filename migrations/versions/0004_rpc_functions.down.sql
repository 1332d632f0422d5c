-- Released: never change this file. A change of the schema is a new migration.

set local lock_timeout = '5s';
set local search_path = pg_catalog, pg_temp;

set local role eventlive_owner;

drop function eventlive_api.webinar_set_status(uuid, text);
drop function eventlive.webinar_set_status(uuid, text);
drop function eventlive_api.webinar_session_heartbeat(uuid, uuid);
drop function eventlive.webinar_session_heartbeat(uuid, uuid);
drop function eventlive_api.webinar_register(uuid, text);
drop function eventlive.webinar_register(uuid, text);
drop function eventlive_api.webinar_presence_ping_many(uuid, uuid[]);
drop function eventlive.webinar_presence_ping_many(uuid, uuid[]);
drop function eventlive_api.webinar_presence_ping(uuid);
drop function eventlive.webinar_presence_ping(uuid);
drop function eventlive_api.webinar_leave(uuid, uuid, uuid);
drop function eventlive.webinar_leave(uuid, uuid, uuid);
drop function eventlive_api.webinar_grant_role(uuid, uuid, text);
drop function eventlive.webinar_grant_role(uuid, uuid, text);
drop function eventlive_api.webinar_enter(uuid, uuid, jsonb, boolean);
drop function eventlive.webinar_enter(uuid, uuid, jsonb, boolean);
drop function eventlive_api.webinar_eject(uuid, uuid, uuid);
drop function eventlive.webinar_eject(uuid, uuid, uuid);
drop function eventlive_api.webinar_create(text, text, text, text, text, timestamptz, timestamptz, jsonb, uuid);
drop function eventlive.webinar_create(text, text, text, text, text, timestamptz, timestamptz, jsonb, uuid);
drop function eventlive_api.webinar_configure(uuid, jsonb);
drop function eventlive.webinar_configure(uuid, jsonb);
drop function eventlive_api.webinar_client_settings(uuid);
drop function eventlive.webinar_client_settings(uuid);
drop function eventlive_api.webinar_allow_emails(uuid, text[], boolean);
drop function eventlive.webinar_allow_emails(uuid, text[], boolean);

reset role;

notify pgrst, 'reload schema';
