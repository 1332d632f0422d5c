-- Every error a client can meet, in one place: status, token, message and advice.
--
-- DETAIL is the contract: a stable token, then, for some, a blank and a JSON object. The message is one line of
-- ASCII, because PostgREST makes it the HTTP reason phrase. SQLSTATE PTnnn becomes HTTP nnn.
--
-- An error whose payload says retry_after_s carries the header Retry-After too. PostgREST takes headers from an error of
-- SQLSTATE PGRST alone, whose message is the body and whose detail is status and headers; so that form is taken where
-- PostgREST is calling, which alone sets request.method. Its body has the same code, message, details and hint, and
-- every other caller gets PTnnn.

create function eventlive.raise_error(_token text, _payload jsonb default null)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_status integer;
    v_message text;
    v_hint text;
    v_detail text := case when _payload is null then _token else _token || ' ' || _payload::text end;
begin
    select e.status, e.message, e.hint
      into v_status, v_message, v_hint
      from (values
        ('invalid_argument', 400, 'Invalid argument',
            'The payload names the argument and what it must be.'),
        ('isolation_not_supported', 400, 'Isolation level not supported',
            'Call in a read committed transaction; look at default_transaction_isolation of the role and the database.'),
        ('unknown_setting', 400, 'Unknown setting',
            'The payload names the key; eventlive.settings lists the keys that exist.'),
        ('setting_out_of_range', 400, 'Setting out of range',
            'The payload gives the type and the bounds.'),
        ('unauthenticated', 401, 'Not signed in',
            'Send a token whose sub is the id of the user.'),
        ('invalid_claims', 401, 'Invalid claims',
            'request.jwt.claims must be a JSON object and its sub a uuid.'),
        ('token_expired', 401, 'Token expired',
            'Get a new token, then call again.'),
        ('token_not_accepted', 401, 'Token not accepted',
            'The payload names the claim that is missing or not what this service takes; get a token from its issuer.'),
        ('not_registered', 403, 'Not registered',
            'Register first; do not repeat this call before that.'),
        ('guests_not_allowed', 403, 'Guests are not allowed',
            'Sign in, then enter again.'),
        ('not_invited', 403, 'Not invited',
            'The e-mail address must be on the list of this webinar; ask its host.'),
        ('email_not_verified', 403, 'E-mail address not verified',
            'This webinar needs a token with a verified e-mail claim.'),
        ('ejected', 403, 'Ejected from this webinar',
            'Only a host can let this user in again.'),
        ('not_allowed', 403, 'Not allowed',
            'This needs a higher role in the webinar, an administrator or service_role.'),
        ('session_not_yours', 403, 'Not your session',
            'Make a new session id and enter with it.'),
        ('webinar_not_found', 404, 'No such webinar',
            'Check the id.'),
        ('session_not_found', 404, 'No such session',
            'Enter the webinar first; after entering, check the id and who is signed in.'),
        ('message_not_found', 404, 'No such message',
            'Check the id.'),
        ('duplicate_session', 409, 'Already watching in another session',
            'The payload lists the other sessions. Under the policy ask, enter again with _take_over true.'),
        ('webinar_exists', 409, 'A webinar with this slug exists',
            'Choose another slug, or change the existing one with webinar_configure.'),
        ('status_change_refused', 409, 'Status change refused',
            'The payload gives the present status and those that may follow it.'),
        ('last_host', 409, 'A webinar needs a host',
            'Make somebody else host first.'),
        ('webinar_ended', 410, 'The webinar has ended',
            'Stop calling for this webinar.'),
        ('session_replaced', 410, 'Session replaced by another one',
            'Make a new session id to enter again; the payload names the session that took over.'),
        ('session_ejected', 410, 'Session ejected',
            'Stop calling for this session.'),
        ('session_expired', 410, 'Session expired',
            'Make a new session id and enter again.'),
        ('session_left', 410, 'Session was left',
            'Make a new session id and enter again.'),
        ('too_many_sessions', 429, 'Too many open sessions',
            'Leave one first, or wait until one expires.'),
        ('too_many_messages', 429, 'Too many messages',
            'Wait as long as the payload says, then post again.'),
        ('fallback_disabled', 429, 'Polling for messages is switched off',
            'Wait as long as the payload says before polling again; posting and all else goes on.')
      ) as e (token, status, message, hint)
     where e.token = _token;

    if not found then
        raise exception using
            errcode = 'internal_error',
            message = format('raise_error does not know the token %s', _token);
    end if;

    if jsonb_typeof(_payload -> 'retry_after_s') = 'number' and current_setting('request.method', true) <> '' then
        raise exception using
            errcode = 'PGRST',
            message = jsonb_build_object(
                'code', 'PT' || v_status, 'message', v_message, 'details', v_detail, 'hint', v_hint),
            detail = jsonb_build_object(
                'status', v_status,
                'status_text', v_message,
                'headers', jsonb_build_object(
                    'Retry-After', greatest(ceil((_payload ->> 'retry_after_s')::numeric), 1)::text));
    end if;
    raise exception using
        errcode = 'PT' || v_status,
        message = v_message,
        detail = v_detail,
        hint = v_hint;
end
$$;

comment on function eventlive.raise_error(text, jsonb) is
    'Raises the error of that token: SQLSTATE PTnnn, the token (and the payload) in DETAIL, advice in HINT.';
revoke all on function eventlive.raise_error(text, jsonb) from public, anon, authenticated, service_role;
-- Policies call functions that raise as the client itself.
grant execute on function eventlive.raise_error(text, jsonb) to anon, authenticated, service_role;
