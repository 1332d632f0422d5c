create function eventlive.close_ended_webinar(
    _webinar_id uuid, _limit integer, out closed_sessions integer, out removed_presence integer, out remaining boolean
)
returns record
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_closed_at timestamptz;
    v_session_ids uuid[];
begin
    select l.closed_at into v_closed_at from eventlive.webinar_live l where l.webinar_id = _webinar_id;

    v_session_ids := array(
        select s.session_id
          from eventlive.webinar_user_sessions s
         where s.webinar_id = _webinar_id and s.exited_at is null
         order by s.session_id
         limit _limit
           for update
    );
    closed_sessions := eventlive.close_sessions(_webinar_id, v_session_ids, 'webinar_ended', v_closed_at);

    with batch as materialized (
        select p.user_id
          from eventlive.webinar_live_presence p
         where p.webinar_id = _webinar_id
         order by p.user_id
         limit _limit
           for update
    ), removed as (
        delete from eventlive.webinar_live_presence p
         using batch b
         where p.webinar_id = _webinar_id and p.user_id = b.user_id
        returning 1
    )
    select count(*) into removed_presence from removed;

    remaining := exists (
            select from eventlive.webinar_user_sessions s where s.webinar_id = _webinar_id and s.exited_at is null
        ) or exists (
            select from eventlive.webinar_live_presence p where p.webinar_id = _webinar_id
        );
end
$$;

comment on function eventlive.close_ended_webinar(uuid, integer) is
    'Closes up to that many sessions, and removes as many presence rows, of a webinar that has ended. Call again while some remain.';
revoke all on function eventlive.close_ended_webinar(uuid, integer) from public, anon, authenticated, service_role;
