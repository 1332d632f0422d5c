-- Somebody may have detached a table and kept it, or made one: it stays what it is, and another name is taken. Of a
-- table, that of its index has to be free as well, and of its type, which may be alone.

create function eventlive.event_log_free_name(_schema regnamespace, _stem text, _suffix text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_name text := left(_stem, 58 - length(_suffix)) || _suffix;
    v_number integer := 1;
begin
    while exists (select from pg_class c where c.relnamespace = _schema and c.relname in (v_name, v_name || '_pkey'))
        or exists (select from pg_type t where t.typnamespace = _schema and t.typname = v_name)
    loop
        v_number := v_number + 1;
        v_name := left(_stem, 45 - length(_suffix)) || '_' || lpad(v_number::text, 12, '0') || _suffix;
    end loop;
    return v_name;
end
$$;

comment on function eventlive.event_log_free_name(regnamespace, text, text) is
    'The name made of both parts, or one with a number between them where that is taken.';
revoke all on function eventlive.event_log_free_name(regnamespace, text, text) from public, anon, authenticated, service_role;
