create function eventlive.webinar_reply(_webinar eventlive.webinars)
returns jsonb
language sql
stable
return jsonb_build_object(
    'webinar_id', (_webinar).id,
    'slug', (_webinar).slug,
    'title', (_webinar).title,
    'status', (_webinar).status,
    'access_policy', (_webinar).access_policy,
    'entry_policy', (_webinar).entry_policy,
    'duplicate_login_policy', (_webinar).duplicate_login_policy,
    'starts_at', (_webinar).starts_at,
    'ends_at', (_webinar).ends_at,
    'settings', (_webinar).settings
);

comment on function eventlive.webinar_reply(eventlive.webinars) is 'A webinar as its staff receive it.';
revoke all on function eventlive.webinar_reply(eventlive.webinars) from public, anon, authenticated, service_role;
