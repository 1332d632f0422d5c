-- Postgres rewrites a write to a view before it asks who may write: one over UNION ALL is refused with 55000, whoever
-- comes, which PostgREST answers with 500. With an INSTEAD OF trigger the privileges speak first: 42501, 403 or 401.

create function eventlive.refuse_view_write()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform eventlive.raise_error('not_allowed');
    return null;
end
$$;

comment on function eventlive.refuse_view_write() is
    'For views that nobody may write to. It is reached by those alone who were granted a write all the same.';
revoke all on function eventlive.refuse_view_write() from public, anon, authenticated, service_role;
