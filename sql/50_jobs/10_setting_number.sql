create function eventlive.setting_number(_key text)
returns numeric
language sql
stable
set search_path = pg_catalog, pg_temp
return (select s.value::numeric from eventlive.settings s where s.key = _key);

comment on function eventlive.setting_number(text) is 'A setting that is a number, as it is for all webinars.';
revoke all on function eventlive.setting_number(text) from public, anon, authenticated, service_role;
