create function eventlive.check_setting(_key text, _value jsonb, _for_webinar boolean)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_setting eventlive.settings;
    v_number numeric;
begin
    select s.* into v_setting from eventlive.settings s where s.key = _key;
    if not found or (_for_webinar and not v_setting.per_webinar) then
        perform eventlive.raise_error('unknown_setting', jsonb_build_object('key', left(_key, 100)));
    end if;

    if jsonb_typeof(_value) = 'number' then
        v_number := _value::numeric;
    end if;
    if coalesce(
        case v_setting.value_type
            when 'boolean' then jsonb_typeof(_value) = 'boolean'
            when 'text' then
                jsonb_typeof(_value) = 'string'
                and char_length(_value #>> '{}') between v_setting.min_value and v_setting.max_value
            when 'integer' then
                v_number = trunc(v_number) and v_number between v_setting.min_value and v_setting.max_value
            else v_number = round(v_number, 6) and v_number between v_setting.min_value and v_setting.max_value
        end,
        false
    ) then
        return;
    end if;
    perform eventlive.raise_error('setting_out_of_range', jsonb_strip_nulls(jsonb_build_object(
        'key', _key,
        'type', v_setting.value_type,
        'min', v_setting.min_value,
        'max', v_setting.max_value,
        'unit', v_setting.unit
    )));
end
$$;

comment on function eventlive.check_setting(text, jsonb, boolean) is
    'Refuses a key that does not exist (or, for a webinar, may not be overridden) and a value of the wrong type or out of bounds.';
revoke all on function eventlive.check_setting(text, jsonb, boolean) from public, anon, authenticated, service_role;
