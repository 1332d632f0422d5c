-- Why a poll never skips a message: the numbers of a webinar are committed in the order in which they are given out.
-- The row stays locked until the transaction ends, so the next number is given out only after this one can be seen by
-- everybody, or is taken back. A sequence would not do: of two posts the later number may commit first, and a poller
-- that has seen it never asks for the earlier one. Nor would waiting for pg_snapshot_xmin, which stands still behind any
-- long transaction of the whole server.
--
-- So posts of one webinar queue, each for the time of a commit; polls take no lock. It is the last lock in the order:
-- the webinar's advisory lock, the registration, sessions, presence, the message, this.

create function eventlive.next_change_id(_webinar_id uuid)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_change_id bigint;
begin
    insert into eventlive.webinar_message_feeds as f (webinar_id, last_change_id)
    values (_webinar_id, 1)
    on conflict (webinar_id) do update
       set last_change_id = f.last_change_id + 1
    returning f.last_change_id into v_change_id;
    return v_change_id;
end
$$;

comment on function eventlive.next_change_id(uuid) is
    'The number of the next change of a webinar''s messages. Until this transaction ends, whoever asks for one more waits.';
revoke all on function eventlive.next_change_id(uuid) from public, anon, authenticated, service_role;
