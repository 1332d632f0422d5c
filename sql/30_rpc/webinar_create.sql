create function eventlive.webinar_create(
    _slug text, _title text, _access_policy text, _entry_policy text, _duplicate_login_policy text,
    _starts_at timestamptz, _ends_at timestamptz, _settings jsonb, _host_id uuid
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.current_user_id();
    v_service boolean := eventlive.is_service();
    v_restored boolean := eventlive.restore_durability();
    v_host_id uuid;
    v_webinar eventlive.webinars;
    v_created boolean;
begin
    if not v_service then
        v_user_id := eventlive.require_user();
        if not exists (select from eventlive.profiles p where p.user_id = v_user_id and p.is_admin)
            and (
                not (select s.value::boolean from eventlive.settings s where s.key = 'anyone_may_create')
                or _host_id <> v_user_id
            )
        then
            perform eventlive.raise_error('not_allowed');
        end if;
    end if;
    v_host_id := coalesce(_host_id, v_user_id);
    perform eventlive.check_webinar_values(
        _slug, _title, 'draft', _access_policy, _entry_policy, _duplicate_login_policy, _starts_at, _ends_at, _settings);

    insert into eventlive.webinars as w (
        slug, title, access_policy, entry_policy, duplicate_login_policy, starts_at, ends_at, settings
    )
    values (
        _slug, _title, _access_policy, _entry_policy, _duplicate_login_policy, _starts_at, _ends_at, _settings
    )
    on conflict (slug) do nothing
    returning w.* into v_webinar;
    v_created := found;

    if v_created then
        if v_host_id is not null then
            insert into eventlive.registrations (webinar_id, user_id, role, registered_via)
            values (v_webinar.id, v_host_id, 'host', 'manual');
            insert into eventlive.event_access_logs (webinar_id, occurred_at, event, user_id, detail)
            values (v_webinar.id, clock_timestamp(), 'registered', v_host_id,
                    '{"registered_via": "manual", "role": "host"}');
        end if;
    else
        -- The same call again is the same webinar; anything else that wants its slug is refused.
        select w.* into v_webinar
          from eventlive.webinars w
         where w.slug = _slug
           and w.title is not distinct from _title
           and w.access_policy = _access_policy
           and w.entry_policy = _entry_policy
           and w.duplicate_login_policy = _duplicate_login_policy
           and w.starts_at is not distinct from _starts_at
           and w.ends_at is not distinct from _ends_at
           and w.settings = _settings
           and (
                v_host_id is null
                or exists (
                    select
                      from eventlive.registrations r
                     where r.webinar_id = w.id and r.user_id = v_host_id and r.role = 'host'
                )
           );
        if not found then
            perform eventlive.raise_error('webinar_exists', jsonb_build_object('slug', _slug));
        end if;
    end if;
    return eventlive.webinar_reply(v_webinar) || jsonb_build_object('created', v_created);
end
$$;

comment on function eventlive.webinar_create(text, text, text, text, text, timestamptz, timestamptz, jsonb, uuid) is
    'Body of eventlive_api.webinar_create.';
revoke all on function eventlive.webinar_create(text, text, text, text, text, timestamptz, timestamptz, jsonb, uuid)
    from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_create(text, text, text, text, text, timestamptz, timestamptz, jsonb, uuid)
    to authenticated, service_role;

create function eventlive_api.webinar_create(
    _slug text,
    _title text default null,
    _access_policy text default 'auth',
    _entry_policy text default 'auto_register',
    _duplicate_login_policy text default 'ask',
    _starts_at timestamptz default null,
    _ends_at timestamptz default null,
    _settings jsonb default '{}',
    _host_id uuid default null
)
returns jsonb
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_create(
        _slug, _title, _access_policy, _entry_policy, _duplicate_login_policy, _starts_at, _ends_at, _settings, _host_id);
end;

comment on function eventlive_api.webinar_create(text, text, text, text, text, timestamptz, timestamptz, jsonb, uuid) is
    'Creates a webinar as a draft, with a host: _host_id, else the caller. For administrators and service_role, and for everybody where the setting anyone_may_create is on. The same call again returns the same webinar; the slug with other properties is 409 webinar_exists.';
revoke all on function eventlive_api.webinar_create(text, text, text, text, text, timestamptz, timestamptz, jsonb, uuid)
    from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_create(text, text, text, text, text, timestamptz, timestamptz, jsonb, uuid)
    to authenticated, service_role;
