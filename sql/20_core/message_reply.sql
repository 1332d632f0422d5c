create function eventlive.message_reply(_message eventlive.webinar_messages, _user_id uuid, _staff boolean)
returns jsonb
language sql
stable
return jsonb_build_object(
    'message_id', (_message).message_id,
    'user_id', (_message).user_id,
    'kind', (_message).kind,
    'body', case when _staff or not (_message).hidden then (_message).body end,
    'hidden', (_message).hidden,
    'created_at', (_message).created_at,
    'client_message_id', case when (_message).user_id = _user_id then (_message).client_message_id end
);

comment on function eventlive.message_reply(eventlive.webinar_messages, uuid, boolean) is
    'A message as that user receives it: the body of a hidden one goes to staff alone, client_message_id to its author.';
revoke all on function eventlive.message_reply(eventlive.webinar_messages, uuid, boolean)
    from public, anon, authenticated, service_role;
