-- Released: never change this file. A change of the schema is a new migration.

set local lock_timeout = '5s';
set local search_path = pg_catalog, pg_temp;

set local role eventlive_owner;

-- sql/30_rpc/webinar_allow_emails.sql

create function eventlive.webinar_allow_emails(_webinar_id uuid, _emails text[], _remove boolean)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_restored boolean := eventlive.restore_durability();
    v_position bigint;
    v_changed integer;
begin
    perform eventlive.require_staff(_webinar_id, array['host']);
    if _emails is null or _remove is null or cardinality(_emails) > 10000 then
        perform eventlive.raise_error('invalid_argument',
            '{"argument": "_emails or _remove", "must_be": "an array of at most 10000 addresses; a boolean"}');
    end if;
    -- All or nothing, and the error says which one without repeating it: error texts end up in logs.
    select e.position
      into v_position
      from unnest(_emails) with ordinality as e (email, position)
     where (
            char_length(btrim(e.email)) between 3 and 320
            and btrim(e.email) collate "C" ~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+$'
           ) is not true
     order by e.position
     limit 1;
    if found then
        perform eventlive.raise_error('invalid_argument', jsonb_build_object(
            'argument', '_emails', 'must_be', 'e-mail addresses', 'position', v_position));
    end if;

    if _remove then
        delete from eventlive.webinar_allowed_emails a
         where a.webinar_id = _webinar_id
           and a.email in (select lower(btrim(e.email) collate "C") from unnest(_emails) as e (email));
    else
        insert into eventlive.webinar_allowed_emails (webinar_id, email)
        select distinct _webinar_id, lower(btrim(e.email) collate "C") as email
          from unnest(_emails) as e (email)
         order by email
            on conflict (webinar_id, email) do nothing;
    end if;
    get diagnostics v_changed = row_count;
    return jsonb_build_object(
        'webinar_id', _webinar_id,
        'added', case when _remove then 0 else v_changed end,
        'removed', case when _remove then v_changed else 0 end);
end
$$;

comment on function eventlive.webinar_allow_emails(uuid, text[], boolean) is 'Body of eventlive_api.webinar_allow_emails.';
revoke all on function eventlive.webinar_allow_emails(uuid, text[], boolean) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_allow_emails(uuid, text[], boolean) to authenticated, service_role;

create function eventlive_api.webinar_allow_emails(_webinar_id uuid, _emails text[], _remove boolean default false)
returns jsonb
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_allow_emails(_webinar_id, _emails, _remove);
end;

comment on function eventlive_api.webinar_allow_emails(uuid, text[], boolean) is
    'Puts addresses on the list of those who may come in under invite_only and email_auth, or takes them off. All or none; a repeat changes nothing. For hosts, administrators and service_role.';
revoke all on function eventlive_api.webinar_allow_emails(uuid, text[], boolean) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_allow_emails(uuid, text[], boolean) to authenticated, service_role;

-- sql/30_rpc/webinar_client_settings.sql

create function eventlive.webinar_client_settings(_webinar_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.current_user_id();  -- refuses malformed claims
    v_settings jsonb;
    v_status text;
begin
    if _webinar_id is null then
        perform eventlive.raise_error('invalid_argument', '{"argument": "_webinar_id", "must_be": "the id of a webinar"}');
    end if;
    select l.client_settings, w.status
      into v_settings, v_status
      from eventlive.webinars w
      join eventlive.webinar_live l on l.webinar_id = w.id
     where w.id = _webinar_id;
    if not found
        or (v_status = 'draft' and _webinar_id <> all (eventlive.staffed_webinar_ids() || eventlive.joined_webinar_ids()))
    then
        perform eventlive.raise_error('webinar_not_found');
    end if;
    return v_settings;
end
$$;

comment on function eventlive.webinar_client_settings(uuid) is 'Body of eventlive_api.webinar_client_settings.';
revoke all on function eventlive.webinar_client_settings(uuid) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_client_settings(uuid) to anon, authenticated, service_role;

create function eventlive_api.webinar_client_settings(_webinar_id uuid)
returns jsonb
language sql
stable
security invoker
begin atomic
    select eventlive.webinar_client_settings(_webinar_id);
end;

comment on function eventlive_api.webinar_client_settings(uuid) is
    'Intervals and limits that a client of this webinar must keep, paced to the size of the audience, and settings_version. Seconds.';
revoke all on function eventlive_api.webinar_client_settings(uuid) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_client_settings(uuid) to anon, authenticated, service_role;

-- sql/30_rpc/webinar_configure.sql

create function eventlive.webinar_configure(_webinar_id uuid, _changes jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_restored boolean := eventlive.restore_durability();
    v_webinar eventlive.webinars;
    v_key text;
begin
    perform eventlive.require_staff(_webinar_id, array['host']);
    if jsonb_typeof(_changes) is distinct from 'object' then
        perform eventlive.raise_error('invalid_argument', '{"argument": "_changes", "must_be": "a JSON object"}');
    end if;
    for v_key in select k.key from jsonb_object_keys(_changes) as k (key) loop
        if v_key not in (
            'title', 'access_policy', 'entry_policy', 'duplicate_login_policy', 'starts_at', 'ends_at', 'settings'
        ) then
            perform eventlive.raise_error('invalid_argument', jsonb_build_object(
                'argument', '_changes',
                'must_be', 'an object of title, access_policy, entry_policy, duplicate_login_policy, starts_at, ends_at, settings',
                'unknown_key', left(v_key, 100)));
        end if;
    end loop;

    select w.* into v_webinar from eventlive.webinars w where w.id = _webinar_id for no key update;
    if not (case when _changes ? 'settings' then jsonb_typeof(_changes -> 'settings') = 'object' else true end) then
        perform eventlive.raise_error('invalid_argument', '{"argument": "settings", "must_be": "a JSON object of settings"}');
    end if;
    if exists (
        select from jsonb_each(_changes - 'settings') as c where jsonb_typeof(c.value) not in ('string', 'null')
    ) then
        perform eventlive.raise_error('invalid_argument', '{"argument": "_changes", "must_be": "strings or null, but for settings"}');
    end if;
    begin
        v_webinar := jsonb_populate_record(v_webinar, _changes - 'settings');
    exception
        when data_exception then  -- of the columns, only the times have a form to miss
            perform eventlive.raise_error('invalid_argument', '{"argument": "starts_at or ends_at", "must_be": "a time"}');
    end;
    -- A setting that is set to null goes back to what holds for all webinars.
    v_webinar.settings := jsonb_strip_nulls(v_webinar.settings || coalesce(_changes -> 'settings', '{}'));
    perform eventlive.check_webinar_values(
        v_webinar.slug, v_webinar.title, v_webinar.status, v_webinar.access_policy, v_webinar.entry_policy,
        v_webinar.duplicate_login_policy, v_webinar.starts_at, v_webinar.ends_at, v_webinar.settings);

    update eventlive.webinars w
       set title = v_webinar.title,
           access_policy = v_webinar.access_policy,
           entry_policy = v_webinar.entry_policy,
           duplicate_login_policy = v_webinar.duplicate_login_policy,
           starts_at = v_webinar.starts_at,
           ends_at = v_webinar.ends_at,
           settings = v_webinar.settings,
           updated_at = clock_timestamp()
     where w.id = _webinar_id
    returning w.* into v_webinar;
    return eventlive.webinar_reply(v_webinar);
end
$$;

comment on function eventlive.webinar_configure(uuid, jsonb) is 'Body of eventlive_api.webinar_configure.';
revoke all on function eventlive.webinar_configure(uuid, jsonb) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_configure(uuid, jsonb) to authenticated, service_role;

create function eventlive_api.webinar_configure(_webinar_id uuid, _changes jsonb)
returns jsonb
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_configure(_webinar_id, _changes);
end;

comment on function eventlive_api.webinar_configure(uuid, jsonb) is
    'Changes title, policies, times and settings of a webinar; keys left out stay. A setting given as null goes back to the common value. For hosts, administrators and service_role.';
revoke all on function eventlive_api.webinar_configure(uuid, jsonb) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_configure(uuid, jsonb) to authenticated, service_role;

-- sql/30_rpc/webinar_create.sql

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

-- sql/30_rpc/webinar_eject.sql

create function eventlive.webinar_eject(_webinar_id uuid, _user_id uuid, _session_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_restored boolean := eventlive.restore_durability();
    v_read_committed boolean := eventlive.require_read_committed();
    v_now timestamptz;
    v_role text;
    v_session_ids uuid[];
    v_closed integer;
    v_newly_ejected boolean := false;
begin
    perform eventlive.require_staff(_webinar_id, array['host', 'moderator']);
    if (_user_id is null) = (_session_id is null) then
        perform eventlive.raise_error('invalid_argument',
            '{"argument": "_user_id or _session_id", "must_be": "one of them: the user, or the session of a guest"}');
    end if;
    perform pg_advisory_xact_lock_shared(eventlive.webinar_lock_key(_webinar_id));

    if _session_id is not null then
        if not exists (
            select
              from eventlive.webinar_user_sessions s
             where s.webinar_id = _webinar_id and s.session_id = _session_id and s.user_id is null
        ) then
            perform eventlive.raise_error('session_not_found');
        end if;
        v_session_ids := array[_session_id];
    else
        select r.role into v_role
          from eventlive.registrations r
         where r.webinar_id = _webinar_id and r.user_id = _user_id
           for no key update;
        if not found then
            perform eventlive.raise_error('invalid_argument', '{"argument": "_user_id", "must_be": "a registered user"}');
        elsif v_role = 'host' then
            perform eventlive.raise_error('not_allowed', '{"reason": "a host must be made something else first"}');
        end if;
        update eventlive.registrations r
           set ejected_at = clock_timestamp()
         where r.webinar_id = _webinar_id and r.user_id = _user_id and r.ejected_at is null;
        v_newly_ejected := found;
        v_session_ids := array(
            select s.session_id
              from eventlive.webinar_user_sessions s
             where s.webinar_id = _webinar_id and s.user_id = _user_id and s.exited_at is null
             order by s.session_id
               for update
        );
    end if;

    v_now := clock_timestamp();
    v_closed := eventlive.close_sessions(_webinar_id, v_session_ids, 'ejected', v_now);
    if v_closed = 0 and v_newly_ejected then
        insert into eventlive.event_access_logs (webinar_id, occurred_at, event, user_id)
        values (_webinar_id, v_now, 'ejected', _user_id);
    end if;
    delete from eventlive.webinar_live_presence p where p.webinar_id = _webinar_id and p.user_id = _user_id;
    return jsonb_build_object('webinar_id', _webinar_id, 'closed_sessions', v_closed);
end
$$;

comment on function eventlive.webinar_eject(uuid, uuid, uuid) is 'Body of eventlive_api.webinar_eject.';
revoke all on function eventlive.webinar_eject(uuid, uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_eject(uuid, uuid, uuid) to authenticated, service_role;

create function eventlive_api.webinar_eject(_webinar_id uuid, _user_id uuid default null, _session_id uuid default null)
returns jsonb
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_eject(_webinar_id, _user_id, _session_id);
end;

comment on function eventlive_api.webinar_eject(uuid, uuid, uuid) is
    'Throws a user out of a webinar until webinar_grant_role lets them in again, or ends the session of a guest. The session learns it at its next heartbeat. For hosts, moderators, administrators and service_role; a host cannot be ejected.';
revoke all on function eventlive_api.webinar_eject(uuid, uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_eject(uuid, uuid, uuid) to authenticated, service_role;

-- sql/30_rpc/webinar_enter.sql

-- The one call on entry: policies, registration, duplicate logins, session, presence, log.
--
-- Locks are taken in one order everywhere: the webinar's advisory lock, the registration, sessions, presence. The
-- registration row is what two entries of one user queue at, so that a duplicate login has exactly one winner.

create function eventlive.webinar_enter(_webinar_id uuid, _session_id uuid, _client jsonb, _take_over boolean)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.current_user_id();
    v_now timestamptz;
    v_restored boolean := eventlive.restore_durability();
    v_read_committed boolean := eventlive.require_read_committed();
    v_webinar record;
    v_registration eventlive.registrations;
    v_row record;
    v_entered_at timestamptz;
    v_leave_token uuid;
    v_created boolean := false;
    v_replaced integer := 0;
    v_state text;
    v_other_ids uuid[] := '{}';
    v_expired_ids uuid[] := '{}';
    v_others jsonb := '[]';
begin
    if _webinar_id is null or _session_id is null or _take_over is null or jsonb_typeof(_client) is distinct from 'object' then
        perform eventlive.raise_error('invalid_argument', jsonb_build_object(
            'argument', '_webinar_id, _session_id, _client or _take_over',
            'must_be', 'a uuid, a uuid, a JSON object, a boolean; none of them null'));
    end if;

    perform pg_advisory_xact_lock_shared(eventlive.webinar_lock_key(_webinar_id));
    select w.status, w.access_policy, w.entry_policy, w.duplicate_login_policy,
           l.presence_ping_interval_s, l.session_heartbeat_interval_s, l.throttle_factor, l.expiry_factor,
           l.settings, l.client_settings
      into v_webinar
      from eventlive.webinars w
      join eventlive.webinar_live l on l.webinar_id = w.id
     where w.id = _webinar_id;
    if not found or (v_webinar.status = 'draft' and v_user_id is null) then
        perform eventlive.raise_error('webinar_not_found');
    elsif v_webinar.status = 'ended' then
        perform eventlive.raise_error('webinar_ended');
    elsif pg_column_size(_client) > (v_webinar.settings ->> 'client_info_max_bytes')::numeric::integer then
        perform eventlive.raise_error('invalid_argument', jsonb_build_object(
            'argument', '_client',
            'must_be', format('at most %s bytes', v_webinar.settings ->> 'client_info_max_bytes')));
    end if;

    if v_user_id is not null then
        v_registration := eventlive.registration_for_entry(
            _webinar_id, v_user_id, v_webinar.status, v_webinar.access_policy, v_webinar.entry_policy,
            (v_webinar.settings ->> 'email_verified_claim_required')::boolean);
    elsif v_webinar.access_policy <> 'guest_allowed' then
        perform eventlive.raise_error('guests_not_allowed');
    elsif v_webinar.entry_policy = 'registered_only' then
        perform eventlive.raise_error('not_registered');
    end if;

    -- This session, if the call is a retry, and the other open ones of the user. Read while the registration is
    -- locked, so that nobody else is entering as this user.
    v_now := clock_timestamp();
    for v_row in
        select s.session_id, s.user_id, s.entered_at, s.last_heartbeat_at, s.expires_at, s.exited_at, s.exit_reason,
               s.replaced_by, s.leave_token
          from eventlive.webinar_user_sessions s
         where s.webinar_id = _webinar_id and s.session_id = _session_id
        union all
        select o.session_id, o.user_id, o.entered_at, o.last_heartbeat_at, o.expires_at, null, null, null, null
          from (
                -- Locked, the expired ones too: a heartbeat made just before its session expired may be under way.
                select s.session_id, s.user_id, s.entered_at, s.last_heartbeat_at, s.expires_at
                  from eventlive.webinar_user_sessions s
                 where s.webinar_id = _webinar_id
                   and s.user_id = v_user_id
                   and s.exited_at is null
                   and s.session_id <> _session_id
                   for no key update
               ) o
         order by entered_at, session_id
    loop
        if v_row.session_id = _session_id then
            perform eventlive.check_session_is_open(
                v_user_id, v_row.user_id, v_row.expires_at, v_row.exited_at, v_row.exit_reason, v_row.replaced_by);
            v_entered_at := v_row.entered_at;
            v_leave_token := v_row.leave_token;
        elsif v_row.expires_at <= v_now then
            v_expired_ids := v_expired_ids || v_row.session_id;
        else
            v_other_ids := v_other_ids || v_row.session_id;
            v_others := v_others || jsonb_build_object(
                'session_id', v_row.session_id,
                'entered_at', v_row.entered_at,
                'last_heartbeat_at', v_row.last_heartbeat_at);
        end if;
    end loop;

    if v_leave_token is not null then
        v_state := eventlive.webinar_session_heartbeat(_webinar_id, _session_id) ->> 'state';
        if v_state <> 'open' then
            -- Over since the look, which only a guest's can be: nothing locks it but the heartbeat.
            perform eventlive.raise_error(
                case v_state when 'webinar_ended' then 'webinar_ended' else 'session_' || v_state end);
        end if;
    else
        if v_other_ids = '{}' then
            null;
        elsif v_webinar.duplicate_login_policy = 'reject'
            or (v_webinar.duplicate_login_policy = 'ask' and not _take_over)
        then
            perform eventlive.raise_error('duplicate_session', jsonb_build_object('sessions', v_others));
        elsif v_webinar.duplicate_login_policy <> 'allow' or _take_over then
            v_replaced := eventlive.close_sessions(_webinar_id, v_other_ids, 'replaced', v_now, _session_id);
            v_others := '[]';
        elsif cardinality(v_other_ids) >= (v_webinar.settings ->> 'max_open_sessions_per_user')::numeric::integer then
            perform eventlive.raise_error('too_many_sessions', jsonb_build_object('sessions', v_others));
        end if;

        if v_expired_ids <> '{}' then
            -- Closed, so that such a heartbeat cannot bring them back beside this one.
            perform eventlive.close_sessions(_webinar_id, v_expired_ids, 'expired', v_now);
        end if;
        v_entered_at := v_now;
        v_leave_token := eventlive.insert_session(
            _webinar_id, _session_id, v_user_id, v_now, v_webinar.session_heartbeat_interval_s,
            v_webinar.expiry_factor, _client);
        if v_leave_token is null then
            -- Another call made this session in this very moment: now it is a retry.
            return eventlive.webinar_enter(_webinar_id, _session_id, _client, _take_over);
        end if;
        v_created := true;
    end if;

    if v_user_id is not null then
        insert into eventlive.webinar_live_presence as p (
            webinar_id, user_id, joined_at, last_seen_at, expires_at, throttle_s, ttl_s
        )
        values (
            _webinar_id, v_user_id, v_now, v_now,
            v_now + v_webinar.expiry_factor * v_webinar.session_heartbeat_interval_s * interval '1 second',
            v_webinar.throttle_factor * v_webinar.presence_ping_interval_s,
            v_webinar.expiry_factor * v_webinar.presence_ping_interval_s
        )
        on conflict (webinar_id, user_id) do update
           set joined_at = case when p.expires_at < excluded.joined_at then excluded.joined_at else p.joined_at end,
               last_seen_at = greatest(p.last_seen_at, excluded.last_seen_at),
               expires_at = greatest(p.expires_at, excluded.expires_at),
               throttle_s = excluded.throttle_s,
               ttl_s = excluded.ttl_s;
    end if;

    return jsonb_build_object(
        'session', jsonb_build_object(
            'webinar_id', _webinar_id, 'session_id', _session_id, 'state', 'open', 'entered_at', v_entered_at),
        'created', v_created,
        'registration', case when v_user_id is not null then eventlive.registration_reply(v_registration) end,
        'status', v_webinar.status,
        'settings', v_webinar.client_settings,
        'next_heartbeat_s', round(v_webinar.session_heartbeat_interval_s::numeric, 3),
        'first_heartbeat_s', round((v_webinar.session_heartbeat_interval_s * random())::numeric, 3),
        'leave_token', v_leave_token,
        'other_sessions', v_others,
        'replaced_sessions', v_replaced,
        'server_time', v_now
    );
end
$$;

comment on function eventlive.webinar_enter(uuid, uuid, jsonb, boolean) is 'Body of eventlive_api.webinar_enter.';
revoke all on function eventlive.webinar_enter(uuid, uuid, jsonb, boolean) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_enter(uuid, uuid, jsonb, boolean) to anon, authenticated;

create function eventlive_api.webinar_enter(
    _webinar_id uuid, _session_id uuid, _client jsonb default '{}', _take_over boolean default false
)
returns jsonb
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_enter(_webinar_id, _session_id, _client, _take_over);
end;

comment on function eventlive_api.webinar_enter(uuid, uuid, jsonb, boolean) is
    'Enters a webinar with a session id that the client made. A retry with the same id is the same session. Under the duplicate-login policy ask a second login gets 409 duplicate_session with the other sessions, and may enter again with _take_over true.';
revoke all on function eventlive_api.webinar_enter(uuid, uuid, jsonb, boolean) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_enter(uuid, uuid, jsonb, boolean) to anon, authenticated;

-- sql/30_rpc/webinar_grant_role.sql

create function eventlive.webinar_grant_role(_webinar_id uuid, _user_id uuid, _role text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_restored boolean := eventlive.restore_durability();
    v_registration eventlive.registrations;
    v_other_hosts integer;
begin
    perform eventlive.require_staff(_webinar_id, array['host']);
    if _user_id is null or _role is null or _role not in ('attendee', 'speaker', 'moderator', 'host') then
        perform eventlive.raise_error('invalid_argument',
            '{"argument": "_user_id or _role", "must_be": "a uuid; attendee, speaker, moderator or host"}');
    end if;

    if _role <> 'host' then
        -- Two hosts who demote each other queue here; the second one finds himself the last.
        perform from eventlive.registrations r
          where r.webinar_id = _webinar_id and r.role = 'host'
          order by r.user_id
            for no key update;
        select count(*) filter (where r.user_id <> _user_id)
          into v_other_hosts
          from eventlive.registrations r
         where r.webinar_id = _webinar_id and r.role = 'host' and r.ejected_at is null
        having bool_or(r.user_id = _user_id);
        if v_other_hosts = 0 then
            perform eventlive.raise_error('last_host');
        end if;
    end if;

    with granted as (
        insert into eventlive.registrations as r (webinar_id, user_id, role, registered_via)
        values (_webinar_id, _user_id, _role, 'invite')
        on conflict (webinar_id, user_id) do update
           set role = excluded.role, ejected_at = null
        returning r.*, r.xmax = 0 as inserted
    ), logged as (
        insert into eventlive.event_access_logs (webinar_id, occurred_at, event, user_id, detail)
        select g.webinar_id, clock_timestamp(), 'registered', g.user_id,
               jsonb_build_object('registered_via', 'invite', 'role', g.role)
          from granted g
         where g.inserted
    )
    select g.webinar_id, g.user_id, g.role, g.registered_via, g.nickname, g.registered_at, g.ejected_at
      into v_registration
      from granted g;
    return eventlive.registration_reply(v_registration);
end
$$;

comment on function eventlive.webinar_grant_role(uuid, uuid, text) is 'Body of eventlive_api.webinar_grant_role.';
revoke all on function eventlive.webinar_grant_role(uuid, uuid, text) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_grant_role(uuid, uuid, text) to authenticated, service_role;

create function eventlive_api.webinar_grant_role(_webinar_id uuid, _user_id uuid, _role text)
returns jsonb
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_grant_role(_webinar_id, _user_id, _role);
end;

comment on function eventlive_api.webinar_grant_role(uuid, uuid, text) is
    'Makes a user attendee, speaker, moderator or host of a webinar, registering them where need be, and lets an ejected one in again. The last host stays host. For hosts, administrators and service_role.';
revoke all on function eventlive_api.webinar_grant_role(uuid, uuid, text) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_grant_role(uuid, uuid, text) to authenticated, service_role;

-- sql/30_rpc/webinar_leave.sql

create function eventlive.webinar_leave(_webinar_id uuid, _session_id uuid, _leave_token uuid)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_session record;
    v_now timestamptz;
    v_restored boolean := eventlive.restore_durability();
begin
    if _webinar_id is null or _session_id is null or _leave_token is null then
        perform eventlive.raise_error('invalid_argument',
            '{"argument": "_webinar_id, _session_id or _leave_token", "must_be": "a uuid"}');
    end if;

    -- The token stands for the session, whoever is signed in: sendBeacon carries no Authorization.
    select s.user_id, s.exited_at
      into v_session
      from eventlive.webinar_user_sessions s
     where s.webinar_id = _webinar_id and s.session_id = _session_id and s.leave_token = _leave_token;
    if not found then
        perform eventlive.raise_error('session_not_found');
    elsif v_session.exited_at is not null then
        return;
    end if;

    -- Two tabs that leave at once queue here; else each would see the other's session open and leave the presence.
    if v_session.user_id is not null then
        perform from eventlive.registrations r
          where r.webinar_id = _webinar_id and r.user_id = v_session.user_id
            for no key update;
    end if;

    v_now := clock_timestamp();
    if eventlive.close_sessions(_webinar_id, array[_session_id], 'left', v_now) > 0 and v_session.user_id is not null then
        delete from eventlive.webinar_live_presence p
         where p.webinar_id = _webinar_id
           and p.user_id = v_session.user_id
           and not exists (
                select
                  from eventlive.webinar_user_sessions s
                 where s.webinar_id = _webinar_id
                   and s.user_id = p.user_id
                   and s.exited_at is null
                   and s.expires_at > v_now
           );
    end if;
end
$$;

comment on function eventlive.webinar_leave(uuid, uuid, uuid) is 'Body of eventlive_api.webinar_leave.';
revoke all on function eventlive.webinar_leave(uuid, uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_leave(uuid, uuid, uuid) to anon, authenticated;

create function eventlive_api.webinar_leave(_webinar_id uuid, _session_id uuid, _leave_token uuid)
returns void
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_leave(_webinar_id, _session_id, _leave_token);
end;

comment on function eventlive_api.webinar_leave(uuid, uuid, uuid) is
    'Ends a session, with the leave token that webinar_enter gave, signed in or not. The presence goes with the user''s last session. Leaving twice is leaving once.';
revoke all on function eventlive_api.webinar_leave(uuid, uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_leave(uuid, uuid, uuid) to anon, authenticated;

-- sql/30_rpc/webinar_presence_ping.sql

-- The hottest call. In the steady state it is one UPDATE by key; a throttled one adds one look by the same key.

create function eventlive.webinar_presence_ping(_webinar_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.current_user_id();
    v_now timestamptz := clock_timestamp();
    v_alone boolean := pg_current_xact_id_if_assigned() is null;
begin
    update eventlive.webinar_live_presence p
       set last_seen_at = v_now,
           expires_at = greatest(p.expires_at, v_now + p.ttl_s * interval '1 second')
     where p.webinar_id = _webinar_id
       and p.user_id = v_user_id
       and p.last_seen_at <= v_now - p.throttle_s * interval '1 second';

    if not found then
        if exists (
            select
              from eventlive.webinar_live_presence p
             where p.webinar_id = _webinar_id and p.user_id = v_user_id
        ) then
            return;
        end if;
        perform eventlive.create_presence(_webinar_id, v_user_id);
    end if;

    -- Assigned, not performed: an assignment runs no statement of its own.
    if v_alone then
        v_alone := eventlive.relax_durability();
    end if;
end
$$;

comment on function eventlive.webinar_presence_ping(uuid) is 'Body of eventlive_api.webinar_presence_ping.';
revoke all on function eventlive.webinar_presence_ping(uuid) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_presence_ping(uuid) to authenticated;

create function eventlive_api.webinar_presence_ping(_webinar_id uuid)
returns void
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_presence_ping(_webinar_id);
end;

comment on function eventlive_api.webinar_presence_ping(uuid) is
    'Refreshes the presence of the signed-in, registered caller. Never registers: 403 not_registered. A ping inside the throttle writes nothing. Commits asynchronously when it is all the transaction does: call it last in a transaction of your own.';
revoke all on function eventlive_api.webinar_presence_ping(uuid) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_presence_ping(uuid) to authenticated;

-- sql/30_rpc/webinar_presence_ping_many.sql

-- For a gateway that holds the connections of many viewers. One statement for the whole batch.
--
-- It waits for no row: one that is locked is being refreshed, created or removed by somebody else at this moment. So two
-- gateways with users in common cannot deadlock, in whatever order their plans visit the rows. The planner settings
-- keep every size of batch on the primary key.

create function eventlive.webinar_presence_ping_many(_webinar_id uuid, _user_ids uuid[])
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_seqscan = off
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_alone boolean := pg_current_xact_id_if_assigned() is null;
    v_read_committed boolean := eventlive.require_read_committed();
    v_live eventlive.webinar_live;
    v_reply jsonb;
begin
    if _webinar_id is null or _user_ids is null
        or (case when array_ndims(_user_ids) > 1 then true else array_position(_user_ids, null) is not null end)
    then
        perform eventlive.raise_error('invalid_argument',
            '{"argument": "_webinar_id or _user_ids", "must_be": "a uuid; an array of uuids without null"}');
    end if;
    -- Before the look: one that waited here while the webinar ended must see that it has.
    perform pg_advisory_xact_lock_shared(eventlive.webinar_lock_key(_webinar_id));
    select l.* into v_live from eventlive.webinar_live l where l.webinar_id = _webinar_id;
    if not found then
        perform eventlive.raise_error('webinar_not_found');
    elsif v_live.closed_at is not null then
        perform eventlive.raise_error('webinar_ended');
    elsif cardinality(_user_ids) > (v_live.settings ->> 'ping_batch_max')::numeric::integer then
        perform eventlive.raise_error('invalid_argument', jsonb_build_object(
            'argument', '_user_ids', 'must_be', format('at most %s ids', v_live.settings ->> 'ping_batch_max')));
    end if;

    with asked as materialized (
        select distinct a.user_id from unnest(_user_ids) as a (user_id) order by a.user_id
    ), due as (
        select p.user_id
          from asked a
          join eventlive.webinar_live_presence p on p.webinar_id = _webinar_id and p.user_id = a.user_id
         where p.last_seen_at <= v_now - p.throttle_s * interval '1 second'
           for no key update of p skip locked
    ), refreshed as (
        update eventlive.webinar_live_presence p
           set last_seen_at = v_now,
               expires_at = greatest(p.expires_at, v_now + p.ttl_s * interval '1 second')
          from due d
         where p.webinar_id = _webinar_id and p.user_id = d.user_id
        returning p.user_id
    ), registered as (
        select r.user_id
          from asked a
          join eventlive.registrations r on r.webinar_id = _webinar_id and r.user_id = a.user_id
         where r.ejected_at is null
    ), absent as (
        -- Locked, or an ejection could slip in between and the row would stay; and exclusively, so that two batches never
        -- create the same row. Whoever is entering or being ejected at this moment is left to that call.
        select r.user_id
          from asked a
          join eventlive.registrations r on r.webinar_id = _webinar_id and r.user_id = a.user_id
         where r.ejected_at is null
           and not exists (
                select
                  from eventlive.webinar_live_presence p
                 where p.webinar_id = _webinar_id and p.user_id = r.user_id
               )
           for no key update of r skip locked
    ), created as (
        insert into eventlive.webinar_live_presence (
            webinar_id, user_id, joined_at, last_seen_at, expires_at, throttle_s, ttl_s
        )
        select _webinar_id, a.user_id, v_now, v_now,
               v_now + v_live.expiry_factor * v_live.presence_ping_interval_s * interval '1 second',
               v_live.throttle_factor * v_live.presence_ping_interval_s,
               v_live.expiry_factor * v_live.presence_ping_interval_s
          from absent a
         order by a.user_id
            on conflict (webinar_id, user_id) do nothing
        returning user_id
    )
    select jsonb_build_object(
        'refreshed', (select count(*) from refreshed) + (select count(*) from created),
        'not_registered', coalesce(
            (
                select jsonb_agg(a.user_id order by a.user_id)
                  from asked a
                 where not exists (select from registered r where r.user_id = a.user_id)
            ),
            '[]'
        )
    ) into v_reply;

    if v_alone then
        v_alone := eventlive.relax_durability();
    end if;
    return v_reply;
end
$$;

comment on function eventlive.webinar_presence_ping_many(uuid, uuid[]) is 'Body of eventlive_api.webinar_presence_ping_many.';
revoke all on function eventlive.webinar_presence_ping_many(uuid, uuid[]) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_presence_ping_many(uuid, uuid[]) to service_role;

create function eventlive_api.webinar_presence_ping_many(_webinar_id uuid, _user_ids uuid[])
returns jsonb
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_presence_ping_many(_webinar_id, _user_ids);
end;

comment on function eventlive_api.webinar_presence_ping_many(uuid, uuid[]) is
    'Refreshes the presence of many users in one statement, for a gateway. Registers nobody: not_registered lists the ids that are not registered or were ejected; refreshed counts the rows written, without those inside the throttle.';
revoke all on function eventlive_api.webinar_presence_ping_many(uuid, uuid[]) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_presence_ping_many(uuid, uuid[]) to service_role;

-- sql/30_rpc/webinar_register.sql

create function eventlive.webinar_register(_webinar_id uuid, _registered_via text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.require_user();
    v_registration eventlive.registrations;
    v_webinar record;
    v_created boolean := false;
begin
    if _registered_via is null or _registered_via not in ('manual', 'email', 'invite') then
        perform eventlive.raise_error('invalid_argument', '{"argument": "_registered_via", "must_be": "manual, email or invite"}');
    elsif _webinar_id is null then
        perform eventlive.raise_error('invalid_argument', '{"argument": "_webinar_id", "must_be": "the id of a webinar"}');
    end if;

    -- A repeat is one read: no write, no WAL, no transaction id.
    select r.* into v_registration
      from eventlive.registrations r
     where r.webinar_id = _webinar_id and r.user_id = v_user_id;

    if not found then
        perform eventlive.require_read_committed();
        perform eventlive.restore_durability();
        select w.status, w.access_policy, (l.settings ->> 'email_verified_claim_required')::boolean as verified_required
          into v_webinar
          from eventlive.webinars w
          join eventlive.webinar_live l on l.webinar_id = w.id
         where w.id = _webinar_id;
        if not found then
            perform eventlive.raise_error('webinar_not_found');
        end if;
        perform eventlive.check_admission(
            _webinar_id, v_user_id, false, v_webinar.status, v_webinar.access_policy, null, v_webinar.verified_required);
        v_registration := eventlive.insert_registration(_webinar_id, v_user_id, _registered_via);
        v_created := v_registration.webinar_id is not null;
        if not v_created then
            -- Another call of the same user was faster; its row is committed and visible by now.
            return eventlive.webinar_register(_webinar_id, _registered_via);
        end if;
    end if;

    if v_registration.ejected_at is not null then
        perform eventlive.raise_error('ejected');
    end if;
    return eventlive.registration_reply(v_registration) || jsonb_build_object('created', v_created);
end
$$;

comment on function eventlive.webinar_register(uuid, text) is 'Body of eventlive_api.webinar_register.';
revoke all on function eventlive.webinar_register(uuid, text) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_register(uuid, text) to authenticated;

create function eventlive_api.webinar_register(_webinar_id uuid, _registered_via text default 'manual')
returns jsonb
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_register(_webinar_id, _registered_via);
end;

comment on function eventlive_api.webinar_register(uuid, text) is
    'Registers the signed-in caller, once: a repeat returns the same registration with created false and writes nothing. _registered_via: manual, email or invite.';
revoke all on function eventlive_api.webinar_register(uuid, text) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_register(uuid, text) to authenticated;

-- sql/30_rpc/webinar_session_heartbeat.sql

-- One call keeps the session and the presence alive. Two statements when it writes, and no more than two otherwise.

create function eventlive.webinar_session_heartbeat(_webinar_id uuid, _session_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.current_user_id();
    v_now timestamptz := clock_timestamp();
    v_alone boolean := pg_current_xact_id_if_assigned() is null;
    v_beat record;
begin
    update eventlive.webinar_user_sessions s
       set last_heartbeat_at = v_now,
           watched_seconds = s.watched_seconds
               + eventlive.watch_credit(s.last_heartbeat_at, v_now, l.watch_credit_factor * s.interval_s),
           interval_s = n.interval_s,
           expires_at = v_now + l.expiry_factor * n.interval_s * interval '1 second'
      from eventlive.webinar_live l
     cross join lateral (
            select (l.session_heartbeat_interval_s * (1 + l.pacing_jitter * (2 * random() - 1)))::real as interval_s
           ) n
     where s.webinar_id = _webinar_id
       and s.session_id = _session_id
       and s.user_id is not distinct from v_user_id
       and s.exited_at is null
       and s.expires_at > v_now
       and s.last_heartbeat_at <= v_now - l.throttle_factor * s.interval_s * interval '1 second'
       and l.webinar_id = _webinar_id
       and l.closed_at is null
    returning s.interval_s, l.settings_version,
              l.expiry_factor * s.interval_s as session_ttl_s,
              l.throttle_factor * l.presence_ping_interval_s as throttle_s,
              l.expiry_factor * l.presence_ping_interval_s as ttl_s
         into v_beat;

    if not found then
        return eventlive.heartbeat_without_write(_webinar_id, _session_id, v_user_id, v_now);
    end if;

    if v_user_id is not null then
        update eventlive.webinar_live_presence p
           set last_seen_at = greatest(p.last_seen_at, v_now),
               expires_at = greatest(p.expires_at, v_now + v_beat.session_ttl_s * interval '1 second'),
               throttle_s = v_beat.throttle_s,
               ttl_s = v_beat.ttl_s
         where p.webinar_id = _webinar_id and p.user_id = v_user_id;
        if not found then
            perform eventlive.recreate_presence(_webinar_id, v_user_id, v_now, v_beat.session_ttl_s, v_beat.throttle_s, v_beat.ttl_s);
        end if;
    end if;

    if v_alone then
        v_alone := eventlive.relax_durability();
    end if;
    return jsonb_build_object(
        'state', 'open',
        'next_heartbeat_s', round(v_beat.interval_s::numeric, 3),
        'server_time', v_now,
        'settings_version', v_beat.settings_version
    );
end
$$;

comment on function eventlive.webinar_session_heartbeat(uuid, uuid) is 'Body of eventlive_api.webinar_session_heartbeat.';
revoke all on function eventlive.webinar_session_heartbeat(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_session_heartbeat(uuid, uuid) to anon, authenticated;

create function eventlive_api.webinar_session_heartbeat(_webinar_id uuid, _session_id uuid)
returns jsonb
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_session_heartbeat(_webinar_id, _session_id);
end;

comment on function eventlive_api.webinar_session_heartbeat(uuid, uuid) is
    'Keeps a session and its presence alive and credits watch time. state is open, or why the session is over: left, expired, replaced (with replaced_by and exited_at), ejected, webinar_ended; then stop. next_heartbeat_s says when to call again. Inside the throttle it writes nothing.';
revoke all on function eventlive_api.webinar_session_heartbeat(uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_session_heartbeat(uuid, uuid) to anon, authenticated;

-- sql/30_rpc/webinar_set_status.sql

create function eventlive.webinar_set_status(_webinar_id uuid, _status text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_restored boolean := eventlive.restore_durability();
    v_read_committed boolean := eventlive.require_read_committed();
    v_present text;
    v_allowed text[];
    v_closed record;
begin
    perform eventlive.require_staff(_webinar_id, array['host']);
    if _status is null or _status not in ('draft', 'scheduled', 'live', 'ended') then
        perform eventlive.raise_error('invalid_argument', '{"argument": "_status", "must_be": "draft, scheduled, live or ended"}');
    end if;

    -- Waits for those who are coming in at this moment, and keeps out those who come next until this commits.
    perform pg_advisory_xact_lock(eventlive.webinar_lock_key(_webinar_id));
    select w.status into v_present from eventlive.webinars w where w.id = _webinar_id for no key update;

    v_allowed := case v_present
        when 'draft' then array['draft', 'scheduled', 'live']
        when 'scheduled' then array['scheduled', 'draft', 'live', 'ended']
        when 'live' then array['live', 'ended']
        else array['ended', 'live']
    end;
    if _status <> all (v_allowed) then
        perform eventlive.raise_error('status_change_refused', jsonb_build_object('status', v_present, 'may_become', v_allowed));
    end if;

    if _status <> v_present then
        update eventlive.webinars w set status = _status, updated_at = clock_timestamp() where w.id = _webinar_id;
    end if;
    if _status = 'ended' then
        select c.closed_sessions, c.removed_presence, c.remaining
          into v_closed
          from eventlive.webinar_live l,
               eventlive.close_ended_webinar(_webinar_id, (l.settings ->> 'close_batch_size')::numeric::integer) c
         where l.webinar_id = _webinar_id;
        perform eventlive.refresh_webinar_live(_webinar_id);
        return jsonb_build_object(
            'webinar_id', _webinar_id, 'status', _status, 'changed', _status <> v_present,
            'closed_sessions', v_closed.closed_sessions, 'remaining', v_closed.remaining);
    end if;
    return jsonb_build_object(
        'webinar_id', _webinar_id, 'status', _status, 'changed', _status <> v_present,
        'closed_sessions', 0, 'remaining', false);
end
$$;

comment on function eventlive.webinar_set_status(uuid, text) is 'Body of eventlive_api.webinar_set_status.';
revoke all on function eventlive.webinar_set_status(uuid, text) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_set_status(uuid, text) to authenticated, service_role;

create function eventlive_api.webinar_set_status(_webinar_id uuid, _status text)
returns jsonb
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_set_status(_webinar_id, _status);
end;

comment on function eventlive_api.webinar_set_status(uuid, text) is
    'Makes a webinar draft, scheduled, live or ended. Once it has ended no session is renewed; the rows are closed in batches: call again while remaining is true (sessions not closed by then go on if it is made live again). For hosts, administrators and service_role.';
revoke all on function eventlive_api.webinar_set_status(uuid, text) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_set_status(uuid, text) to authenticated, service_role;

reset role;

notify pgrst, 'reload schema';
