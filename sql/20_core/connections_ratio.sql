create function eventlive.connections_ratio()
returns numeric
language sql
stable
set search_path = pg_catalog, pg_temp
return (
    select round(sum(d.numbackends)::numeric
        / greatest(current_setting('max_connections')::integer
            - current_setting('superuser_reserved_connections')::integer, 1), 3)
      from pg_stat_database d
);

comment on function eventlive.connections_ratio() is 'Part of the server''s connections that is in use.';
revoke all on function eventlive.connections_ratio() from public, anon, authenticated, service_role;
