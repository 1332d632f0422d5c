-- A sliding window, read from the messages themselves: the oldest of the last _limit decides. It reads _limit entries of
-- an index at most, however much was said.

create function eventlive.check_message_rate(_webinar_id uuid, _user_id uuid, _limit integer, _window_s numeric)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wait_s numeric;
begin
    select round(_window_s - extract(epoch from clock_timestamp() - m.created_at), 3)
      into v_wait_s
      from eventlive.webinar_messages m
     where m.webinar_id = _webinar_id and m.user_id = _user_id
     order by m.created_at desc
    offset _limit - 1
     limit 1;
    if v_wait_s > 0 then
        perform eventlive.raise_error('too_many_messages', jsonb_build_object('retry_after_s', v_wait_s));
    end if;
end
$$;

comment on function eventlive.check_message_rate(uuid, uuid, integer, numeric) is
    'Refuses a user who has posted as many messages within that many seconds.';
revoke all on function eventlive.check_message_rate(uuid, uuid, integer, numeric)
    from public, anon, authenticated, service_role;
