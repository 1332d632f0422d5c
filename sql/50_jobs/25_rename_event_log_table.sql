create function eventlive.rename_event_log_table(_relation regclass, _to text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_index regclass;
    v_policy text;
begin
    select x.indexrelid, p.polname
      into v_index, v_policy
      from pg_class c
      left join pg_index x on x.indrelid = c.oid and x.indisprimary
      left join pg_policy p on p.polrelid = c.oid and p.polname = c.relname || '_service'
     where c.oid = _relation;
    execute format('alter table %s rename to %I', _relation, _to);
    if v_index is not null then
        execute format('alter index %s rename to %I', v_index, eventlive.event_log_free_name('eventlive', _to, '_pkey'));
    end if;
    if v_policy is not null then
        execute format('alter policy %I on %s rename to %I', v_policy, _relation, _to || '_service');
    end if;
end
$$;

comment on function eventlive.rename_event_log_table(regclass, text) is
    'Renames a table of the visit log, with its index and its policy.';
revoke all on function eventlive.rename_event_log_table(regclass, text) from public, anon, authenticated, service_role;
