-- On the table, not in the functions, so that a change by hand obeys them too.

create function eventlive.check_webinar_settings()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_key text;
    v_value jsonb;
begin
    if jsonb_typeof(new.settings) <> 'object' then
        return new;  -- the table's own constraint refuses it
    end if;
    for v_key, v_value in select o.key, o.value from jsonb_each(new.settings) as o loop
        perform eventlive.check_setting(v_key, v_value, true);
    end loop;
    return new;
end
$$;

comment on function eventlive.check_webinar_settings() is 'Refuses an override that does not exist or is out of bounds.';
revoke all on function eventlive.check_webinar_settings() from public, anon, authenticated, service_role;

create function eventlive.refresh_changed_webinar()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform eventlive.refresh_webinar_live(new.id);
    return null;
end
$$;

comment on function eventlive.refresh_changed_webinar() is 'Keeps webinar_live true to the webinar.';
revoke all on function eventlive.refresh_changed_webinar() from public, anon, authenticated, service_role;

create trigger webinars_check_settings
    before insert or update of settings on eventlive.webinars
    for each row execute function eventlive.check_webinar_settings();
comment on trigger webinars_check_settings on eventlive.webinars is 'An override out of bounds is refused, whoever writes it.';

create trigger webinars_refresh_live
    after insert or update of status, settings on eventlive.webinars
    for each row execute function eventlive.refresh_changed_webinar();
comment on trigger webinars_refresh_live on eventlive.webinars is 'Every webinar has its row in webinar_live, and it is up to date.';
