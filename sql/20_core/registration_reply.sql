create function eventlive.registration_reply(_registration eventlive.registrations)
returns jsonb
language sql
stable
return jsonb_build_object(
    'webinar_id', (_registration).webinar_id,
    'user_id', (_registration).user_id,
    'role', (_registration).role,
    'registered_via', (_registration).registered_via,
    'registered_at', (_registration).registered_at
);

comment on function eventlive.registration_reply(eventlive.registrations) is 'A registration as clients receive it.';
revoke all on function eventlive.registration_reply(eventlive.registrations) from public, anon, authenticated, service_role;
