create function eventlive.rename_event_log_table(_from text, _to text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format('alter table eventlive.%I rename to %I', _from, _to);
    execute format('alter index eventlive.%I rename to %I', _from || '_pkey', _to || '_pkey');
    execute format('alter policy %I on eventlive.%I rename to %I', _from || '_service', _to, _to || '_service');
end
$$;

comment on function eventlive.rename_event_log_table(text, text) is
    'Renames a table of the visit log, with its index and its policy.';
revoke all on function eventlive.rename_event_log_table(text, text) from public, anon, authenticated, service_role;
