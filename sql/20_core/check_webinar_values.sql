-- The constraints of the table say the same; this says it in a way that a caller can act on.

create function eventlive.check_webinar_values(
    _slug text, _title text, _status text, _access_policy text, _entry_policy text, _duplicate_login_policy text,
    _starts_at timestamptz, _ends_at timestamptz, _settings jsonb
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_argument text;
    v_must_be text;
begin
    select c.argument, c.must_be
      into v_argument, v_must_be
      from (values
        (_slug ~ '^[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?$', '_slug', 'lower-case letters, digits and hyphens, 100 at most'),
        (_title is null or (char_length(_title) between 1 and 300 and _title !~ '[[:cntrl:]]'), '_title',
            '1 to 300 characters on one line'),
        (_status in ('draft', 'scheduled', 'live', 'ended'), '_status', 'draft, scheduled, live or ended'),
        (_access_policy in ('auth', 'guest_allowed', 'invite_only', 'email_auth'), '_access_policy',
            'auth, guest_allowed, invite_only or email_auth'),
        (_entry_policy in ('auto_register', 'registered_only'), '_entry_policy', 'auto_register or registered_only'),
        (_duplicate_login_policy in ('allow', 'ask', 'replace_oldest', 'reject'), '_duplicate_login_policy',
            'allow, ask, replace_oldest or reject'),
        (_starts_at is null or _ends_at is null or _ends_at > _starts_at, '_ends_at', 'later than _starts_at'),
        (jsonb_typeof(_settings) = 'object', '_settings', 'a JSON object of settings')
      ) as c (holds, argument, must_be)
     where c.holds is not true
     limit 1;
    if found then
        perform eventlive.raise_error('invalid_argument', jsonb_build_object('argument', v_argument, 'must_be', v_must_be));
    end if;
end
$$;

comment on function eventlive.check_webinar_values(text, text, text, text, text, text, timestamptz, timestamptz, jsonb) is
    'Refuses properties that a webinar cannot have; the payload names the argument. Settings are checked one by one where they are written.';
revoke all on function eventlive.check_webinar_values(text, text, text, text, text, text, timestamptz, timestamptz, jsonb)
    from public, anon, authenticated, service_role;
