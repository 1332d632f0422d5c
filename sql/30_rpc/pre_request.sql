-- What PostgREST calls before each request (db-pre-request): a token that is not meant for this service ends here.
-- The signature was checked before; identity is checked again by every function.

create function eventlive.pre_request()
returns void
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := eventlive.current_user_id();  -- refuses malformed claims
    v_claims json := nullif(current_setting('request.jwt.claims', true), '')::json;
    v_role text := current_setting('role', true);
    v_now numeric := extract(epoch from clock_timestamp());
    v_is_service boolean := coalesce(v_role = 'service_role', false);
    v_issuer text;
    v_audience text;
    v_aud json;
begin
    -- A request without a token, or with the key that a page carries: nobody in particular.
    if v_role = 'anon' and v_user_id is null and (v_claims ->> 'exp') is null then
        return;
    end if;

    if v_user_id is null and not v_is_service and v_role is distinct from 'anon' then
        perform eventlive.raise_error('token_not_accepted', '{"claim": "sub"}');
    end if;

    -- A time, which may have a fraction and, as PostgREST passes that on, an exponent; within what numeric can hold.
    if json_typeof(v_claims -> 'exp') = 'number'
        and v_claims ->> 'exp' ~ '^-?\d{1,20}(\.\d{1,30})?([eE][+-]?\d{1,2})?$'
    then
        if (v_claims ->> 'exp')::numeric <= v_now then
            perform eventlive.raise_error('token_expired');
        end if;
    elsif v_user_id is not null or (v_claims ->> 'exp') is not null then
        perform eventlive.raise_error('token_not_accepted', '{"claim": "exp"}');
    end if;

    if v_user_id is null and not v_is_service then
        return;
    end if;

    select max(s.value #>> '{}') filter (where s.key = case when v_is_service then 'jwt_service_issuer' else 'jwt_issuer' end),
           max(s.value #>> '{}') filter (where s.key = 'jwt_audience' and not v_is_service)
      into v_issuer, v_audience
      from eventlive.settings s
     where s.key in ('jwt_issuer', 'jwt_audience', 'jwt_service_issuer');

    -- Null where the setting is gone, which lets nobody in.
    if v_issuer is distinct from '' and (v_issuer is null or (v_claims ->> 'iss') is distinct from v_issuer) then
        perform eventlive.raise_error('token_not_accepted', '{"claim": "iss"}');
    end if;
    if v_audience is distinct from '' and not v_is_service then
        v_aud := v_claims -> 'aud';
        if not coalesce(
            case json_typeof(v_aud)
                when 'string' then v_claims ->> 'aud' = v_audience
                when 'array' then v_audience = any (array(select json_array_elements_text(v_aud)))
            end,
            false
        ) then
            perform eventlive.raise_error('token_not_accepted', '{"claim": "aud"}');
        end if;
    end if;
end
$$;

comment on function eventlive.pre_request() is 'Body of eventlive_api.pre_request.';
revoke all on function eventlive.pre_request() from public, anon, authenticated, service_role;
grant execute on function eventlive.pre_request() to anon, authenticated, service_role;

create function eventlive_api.pre_request()
returns void
language sql
stable
security invoker
begin atomic
    select eventlive.pre_request();
end;

comment on function eventlive_api.pre_request() is
    'For db-pre-request of PostgREST: ends a request whose token has expired, was issued by or for somebody else, or has no uuid as sub, with 401. Issuer and audience are settings.';
revoke all on function eventlive_api.pre_request() from public, anon, authenticated, service_role;
grant execute on function eventlive_api.pre_request() to anon, authenticated, service_role;
