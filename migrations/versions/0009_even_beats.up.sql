-- Released: never change this file. A change of the schema is a new migration.

set local lock_timeout = '5s';
set local search_path = pg_catalog, pg_temp;

set local role eventlive_owner;

create or replace function eventlive.heartbeat_without_write(_webinar_id uuid, _session_id uuid, _user_id uuid, _now timestamptz)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_session record;
begin
    select s.user_id, s.exited_at, s.exit_reason, s.replaced_by, s.expires_at, l.closed_at, l.settings_version,
           s.interval_s, l.watch_credit_factor * s.interval_s as credited_s,
           extract(epoch from _now - s.last_heartbeat_at) as elapsed_s
      into v_session
      from eventlive.webinar_user_sessions s
      join eventlive.webinar_live l on l.webinar_id = s.webinar_id
     where s.webinar_id = _webinar_id and s.session_id = _session_id;

    if not found then
        if _webinar_id is null or _session_id is null then
            perform eventlive.raise_error('invalid_argument',
                '{"argument": "_webinar_id or _session_id", "must_be": "a uuid"}');
        end if;
        perform eventlive.raise_error('session_not_found');
    elsif v_session.user_id is distinct from _user_id then
        -- The same answer as for a session that does not exist.
        perform eventlive.raise_error('session_not_found');
    elsif v_session.exited_at is not null then
        return jsonb_strip_nulls(jsonb_build_object(
            'state', v_session.exit_reason,
            'exited_at', v_session.exited_at,
            'replaced_by', v_session.replaced_by,
            'server_time', _now,
            'settings_version', v_session.settings_version
        )) || '{"next_heartbeat_s": null}';
    elsif v_session.expires_at <= _now or v_session.closed_at is not null then
        return jsonb_build_object(
            'state', case when v_session.expires_at <= coalesce(v_session.closed_at, _now) then 'expired' else 'webinar_ended' end,
            'exited_at', least(v_session.expires_at, v_session.closed_at),
            'server_time', _now,
            'settings_version', v_session.settings_version,
            'next_heartbeat_s', null
        );
    end if;

    -- Not when it would have been due: a first heartbeat comes at a random moment, and who entered together would from
    -- then on beat together. As long as nothing is lost, the next one comes a whole interval after this one.
    return jsonb_build_object(
        'state', 'open',
        'next_heartbeat_s', greatest(
            round(least(v_session.interval_s::numeric, v_session.credited_s::numeric - v_session.elapsed_s), 3), 0.001),
        'server_time', _now,
        'settings_version', v_session.settings_version
    );
end
$$;

create or replace function eventlive.webinar_set_status(_webinar_id uuid, _status text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '5s'
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

    -- Waits for those who are coming in at this moment, and keeps out those who come next until this commits. Not for
    -- ever: somebody who enters and leaves the transaction open would keep out everybody.
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

create or replace function eventlive.webinar_configure(_webinar_id uuid, _changes jsonb)
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
    if not found then
        perform eventlive.raise_error('webinar_not_found');  -- deleted since
    end if;
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

create function eventlive.delete_webinar(_webinar_id uuid)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_advisory_xact_lock(eventlive.webinar_lock_key(_webinar_id));
    perform from eventlive.webinars w where w.id = _webinar_id for update;
    if not found then
        return false;
    end if;
    perform from eventlive.registrations r
      where r.webinar_id = _webinar_id
      order by r.user_id
        for update;
    delete from eventlive.webinar_user_sessions s where s.webinar_id = _webinar_id;
    delete from eventlive.webinar_live_presence p where p.webinar_id = _webinar_id;
    delete from eventlive.webinars w where w.id = _webinar_id;
    return true;
end
$$;

comment on function eventlive.delete_webinar(uuid) is
    'Deletes a webinar with its registrations, sessions, presence and messages; the visit log stays. Waits for those who are coming in; who comes next finds no webinar. Whether there was one.';
revoke all on function eventlive.delete_webinar(uuid) from public, anon, authenticated, service_role;

reset role;
notify pgrst, 'reload schema';
