-- For a gateway that holds the connections of many viewers. One statement for the whole batch.
--
-- It waits for no row: one that is locked is being refreshed, created or removed by somebody else at this moment. So two
-- gateways with users in common cannot deadlock, in whatever order their plans visit the rows. Each row is found by its
-- whole key, once; what follows goes by its place. So one plan does for every size of batch and webinar, and is kept.

create function eventlive.webinar_presence_ping_many(_webinar_id uuid, _user_ids uuid[])
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
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
    ), looked as materialized (
        -- OFFSET 0 keeps it a look by the whole key: of a webinar that statistics do not know yet the planner would read all
        -- rows. The places hold while the snapshot does; a row that has moved since is being refreshed by somebody else.
        select a.user_id, p.place, p.is_due
          from asked a
          left join lateral (
                select p.ctid as place, p.last_seen_at <= v_now - p.throttle_s * interval '1 second' as is_due
                  from eventlive.webinar_live_presence p
                 where p.webinar_id = _webinar_id and p.user_id = a.user_id
                offset 0
               ) p on true
    ), due as (
        select p.ctid as place
          from looked l
          join eventlive.webinar_live_presence p on p.ctid = l.place
         where l.is_due
           for no key update of p skip locked
    ), refreshed as (
        update eventlive.webinar_live_presence p
           set last_seen_at = v_now,
               expires_at = greatest(p.expires_at, v_now + p.ttl_s * interval '1 second')
          from due d
         where p.ctid = d.place
        returning p.user_id
    ), missing as materialized (
        -- Whoever has a presence row is registered: only for the others are registrations read.
        select l.user_id, r.place
          from looked l
          left join lateral (
                select r.ctid as place
                  from eventlive.registrations r
                 where r.webinar_id = _webinar_id and r.user_id = l.user_id and r.ejected_at is null
                offset 0
               ) r on true
         where l.place is null
    ), absent as (
        -- Locked, or an ejection could slip in between and the row would stay; and exclusively, so that two batches never
        -- create the same row. Whoever is entering or being ejected at this moment is left to that call.
        select r.user_id
          from missing m
          join eventlive.registrations r on r.ctid = m.place
         where r.ejected_at is null
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
            (select jsonb_agg(m.user_id order by m.user_id) from missing m where m.place is null), '[]')
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
