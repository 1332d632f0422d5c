create function eventlive.webinar_message_hide(_webinar_id uuid, _message_id bigint, _hidden boolean)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_restored boolean := eventlive.restore_durability();
    v_read_committed boolean := eventlive.require_read_committed();
    v_hidden boolean;
    v_change_id bigint;
begin
    perform eventlive.require_staff(_webinar_id, array['host', 'moderator']);
    if _message_id is null or _hidden is null then
        perform eventlive.raise_error('invalid_argument',
            '{"argument": "_message_id or _hidden", "must_be": "the id of a message; a boolean"}');
    end if;

    -- Looked at before it is locked: a repeat takes no lock and writes nothing.
    select m.hidden into v_hidden
      from eventlive.webinar_messages m
     where m.webinar_id = _webinar_id and m.message_id = _message_id;
    if v_hidden <> _hidden then
        select m.hidden into v_hidden
          from eventlive.webinar_messages m
         where m.webinar_id = _webinar_id and m.message_id = _message_id
           for no key update;
    end if;
    if v_hidden is null then
        perform eventlive.raise_error('message_not_found');
    elsif v_hidden <> _hidden then
        -- With a new number, those who have the message already hear of it at their next poll.
        v_change_id := eventlive.next_change_id(_webinar_id);
        update eventlive.webinar_messages m
           set hidden = _hidden, change_id = v_change_id
         where m.webinar_id = _webinar_id and m.message_id = _message_id;
    end if;
    return jsonb_build_object(
        'webinar_id', _webinar_id, 'message_id', _message_id, 'hidden', _hidden, 'changed', v_hidden <> _hidden);
end
$$;

comment on function eventlive.webinar_message_hide(uuid, bigint, boolean) is 'Body of eventlive_api.webinar_message_hide.';
revoke all on function eventlive.webinar_message_hide(uuid, bigint, boolean) from public, anon, authenticated, service_role;
grant execute on function eventlive.webinar_message_hide(uuid, bigint, boolean) to authenticated, service_role;

create function eventlive_api.webinar_message_hide(_webinar_id uuid, _message_id bigint, _hidden boolean default true)
returns jsonb
language sql
volatile
security invoker
begin atomic
    select eventlive.webinar_message_hide(_webinar_id, _message_id, _hidden);
end;

comment on function eventlive_api.webinar_message_hide(uuid, bigint, boolean) is
    'Hides a message, or with _hidden false shows it again; those who have it learn it at their next poll. A repeat changes nothing. For hosts, moderators, administrators and service_role.';
revoke all on function eventlive_api.webinar_message_hide(uuid, bigint, boolean) from public, anon, authenticated, service_role;
grant execute on function eventlive_api.webinar_message_hide(uuid, bigint, boolean) to authenticated, service_role;
