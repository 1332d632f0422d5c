-- Changing a setting and working one into a webinar exclude each other: exclusive in set_setting, shared in
-- refresh_webinar_live. Both lock webinars first.

create function eventlive.settings_lock_key()
returns bigint
language sql
immutable
parallel safe
return 7461932;

comment on function eventlive.settings_lock_key() is 'Key of the advisory lock on the settings: shared to read all of them, exclusive to change one.';
revoke all on function eventlive.settings_lock_key() from public, anon, authenticated, service_role;
