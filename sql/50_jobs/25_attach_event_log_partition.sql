-- Everybody reads and writes the log meanwhile. Only where the default partition may be taking events of this very time
-- must those who write wait: what is on its way there when the partition comes would be refused.

create function eventlive.attach_event_log_partition(_name text, _lower timestamptz, _upper timestamptz)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
    v_default regclass;
begin
    if _lower is null then
        execute format('alter table eventlive.event_access_logs attach partition eventlive.%I default', _name);
        execute format('comment on table eventlive.%I is %L', _name, 'Events outside every other partition.');
        return;
    end if;
    if _lower < clock_timestamp() + interval '1 hour' then
        perform eventlive.lock_event_log(false);
    end if;
    v_default := eventlive.event_log_default();
    if v_default is not null then
        execute format('lock table only %s in access exclusive mode', v_default);
        -- Somebody may have copied from one into the other: what is in both is one event.
        execute format($move$
            with caught as (
                delete from %s d where d.occurred_at >= $1 and d.occurred_at < $2
                returning d.webinar_id, d.occurred_at, d.event_id, d.event, d.user_id, d.session_id, d.detail
            )
            insert into eventlive.%I (webinar_id, occurred_at, event_id, event, user_id, session_id, detail)
            overriding system value
            select c.webinar_id, c.occurred_at, c.event_id, c.event, c.user_id, c.session_id, c.detail from caught c
                on conflict do nothing
        $move$, v_default, _name) using _lower, _upper;
    end if;
    execute format('alter table eventlive.event_access_logs attach partition eventlive.%I for values from (%L) to (%s)',
        _name, _lower, case when _upper = 'infinity' then 'maxvalue' else quote_literal(_upper) end);
    execute format('comment on table eventlive.%I is %L', _name,
        case when _lower = '-infinity' then format('Events until %s.', _upper)
            else format('Events from %s until %s.', _lower, _upper) end);
end
$$;

comment on function eventlive.attach_event_log_partition(text, timestamptz, timestamptz) is
    'Makes a table a partition of the visit log, with what the default one has caught for it; the default one itself where no time is given.';
revoke all on function eventlive.attach_event_log_partition(text, timestamptz, timestamptz) from public, anon, authenticated, service_role;
