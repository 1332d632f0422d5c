create function eventlive.webinar_set_status(_webinar_id uuid, _status text)
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
