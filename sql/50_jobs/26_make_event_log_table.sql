-- Beside the log; made as a partition at once it would shut out everybody.

create function eventlive.make_event_log_table(_name text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format('create table eventlive.%I (like eventlive.event_access_logs including defaults '
        'including constraints including indexes including storage)', _name);
    perform eventlive.close_event_log_table(_name);
end
$$;

comment on function eventlive.make_event_log_table(text) is 'Makes an empty table that can become a partition of the visit log.';
revoke all on function eventlive.make_event_log_table(text) from public, anon, authenticated, service_role;
