"""What the database is asked. Names of objects that may be missing are looked up in the catalog first."""

from __future__ import annotations

from typing import LiteralString

SELF: LiteralString = """
select
    current_user::text,
    pg_catalog.pg_has_role('pg_read_all_stats', 'usage'),
    pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint,
    coalesce((
        select pg_catalog.has_schema_privilege(n.oid, 'usage') and pg_catalog.has_table_privilege(c.oid, 'select')
        from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'eventlive' and c.relname = 'settings'
    ), false),
    coalesce((
        select pg_catalog.row_security_active(c.oid)
        from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'eventlive' and c.relname = 'settings'
    ), false),
    coalesce((
        select pg_catalog.has_schema_privilege(n.oid, 'usage') and pg_catalog.has_function_privilege(p.oid, 'execute')
        from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
        where n.nspname = 'eventlive' and p.proname = 'job_health' and p.pronargs = 0
    ), false)
"""

# Walsenders have slots of their own, and background workers, too. What is reserved is not for those who get refused.
CONNECTIONS: LiteralString = """
select
    count(*) filter (where backend_type = 'client backend'),
    pg_catalog.current_setting('max_connections')::bigint
        - pg_catalog.current_setting('superuser_reserved_connections')::bigint
        - coalesce(nullif(pg_catalog.current_setting('reserved_connections', true), ''), '0')::bigint,
    count(*) filter (where wait_event_type = 'Lock' and datname = pg_catalog.current_database())
from pg_catalog.pg_stat_activity
"""

# Backends of other databases hold nothing back here, and a vacuum holds nothing back at all. A walsender that passes a
# standby's snapshot on is of no database. catalog_xmin holds back rows of the catalogs alone, which bloat as well.
HOLDERS: LiteralString = """
select holders.what, holders.age_s, holders.age_xids from (
    select
        'backend ' || a.pid || coalesce(' (' || nullif(a.application_name, '') || ')', ''),
        extract(epoch from pg_catalog.clock_timestamp() - a.xact_start)::float8,
        greatest(pg_catalog.age(a.backend_xmin), pg_catalog.age(a.backend_xid))::bigint
    from pg_catalog.pg_stat_activity a
    where (a.backend_xmin is not null or a.backend_xid is not null)
        and (a.datname = pg_catalog.current_database() or a.datname is null)
        and a.pid <> pg_catalog.pg_backend_pid()
        and a.backend_type is distinct from 'autovacuum worker'
        and not exists (select from pg_catalog.pg_stat_progress_vacuum v where v.pid = a.pid)
    union all
    select
        'prepared transaction ' || p.gid,
        extract(epoch from pg_catalog.clock_timestamp() - p.prepared)::float8,
        pg_catalog.age(p.transaction)::bigint
    from pg_catalog.pg_prepared_xacts p
    where p.database = pg_catalog.current_database()
    union all
    select 'replication slot ' || s.slot_name, null, greatest(pg_catalog.age(s.xmin), pg_catalog.age(s.catalog_xmin))
    from pg_catalog.pg_replication_slots s
    where s.xmin is not null or s.catalog_xmin is not null
) as holders (what, age_s, age_xids)
order by age_s desc nulls last, age_xids desc
limit 100
"""

TABLES: LiteralString = """
select relname::text, n_live_tup, n_dead_tup, n_tup_upd, n_tup_hot_upd
from pg_catalog.pg_stat_user_tables where schemaname = 'eventlive' order by relname limit 1000
"""

JOBS: LiteralString = """
select name, state, detail, extract(epoch from pg_catalog.clock_timestamp() - last_success_at)::float8, schedule
from eventlive.job_health() order by name
"""

SETTINGS: LiteralString = r"select key, value from eventlive.settings where key like 'alert\_%'"
