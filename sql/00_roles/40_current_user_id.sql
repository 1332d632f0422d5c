-- Who is calling. The claims of the verified token are the only source of identity.
--
-- As its owner: policies call it as the client, who may not look up what it calls in turn.

create function eventlive.current_user_id()
returns uuid
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return eventlive.claimed_user_id();
end
$$;

comment on function eventlive.current_user_id() is
    'The sub of request.jwt.claims; null for a guest. Claims that are no JSON object or a sub that is no uuid: PT401 invalid_claims.';
revoke all on function eventlive.current_user_id() from public, anon, authenticated, service_role;
grant execute on function eventlive.current_user_id() to anon, authenticated, service_role;
