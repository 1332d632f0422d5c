create function eventlive.close_event_log_table(_name text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format('alter table eventlive.%I enable row level security', _name);
    execute format('create policy %I on eventlive.%I for select to service_role using (true)', _name || '_service', _name);
    execute format('comment on policy %I on eventlive.%I is %L', _name || '_service', _name, 'service_role reads the whole log.');
    execute format('revoke all on eventlive.%I from public, anon, authenticated, service_role', _name);
end
$$;

comment on function eventlive.close_event_log_table(text) is 'Gives a new table of the visit log the privileges that all of them have: none for clients.';
revoke all on function eventlive.close_event_log_table(text) from public, anon, authenticated, service_role;
