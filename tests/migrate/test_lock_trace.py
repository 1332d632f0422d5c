"""What a migration would lock and rewrite."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eventlive_db.migrate import Options, StatementError, upgrade
from eventlive_db.migrate.lock_trace import RelationTrace, trace_file, trace_locks
from eventlive_db.resources import migrations_dir
from tests.migrate.conftest import connected, run, whole_catalog


@pytest.fixture
def traced(make_database: Callable[..., str]) -> Callable[[str], dict[str, RelationTrace]]:
    """Trace a script on a database with a table ``a`` in it."""

    def trace(script: str) -> dict[str, RelationTrace]:
        dsn = make_database()
        run(dsn, "create table public.a (b int primary key)", "create table public.c (d int)")
        before = whole_catalog(dsn)
        with connected(dsn) as connection:
            connection.autocommit = False
            traces = trace_locks(connection, script)
        assert whole_catalog(dsn) == before
        return {found.relation: found for found in traces}

    return trace


Traced = Callable[[str], dict[str, RelationTrace]]


def test_a_plain_index_blocks_writers(traced: Traced) -> None:
    assert traced("create index on public.c (d);")["public.c"].lock == "ShareLock"


def test_a_constant_default_does_not_rewrite(traced: Traced) -> None:
    found = traced("alter table public.a add e int default 1;")["public.a"]
    assert found == RelationTrace("public.a", "AccessExclusiveLock", rewritten=False, dropped=False)


def test_a_volatile_default_rewrites_the_table_and_its_index(traced: Traced) -> None:
    found = traced("alter table public.a add e float default random();")
    assert found["public.a"].rewritten
    assert found["public.a_pkey"].rewritten


def test_a_foreign_key_locks_both_tables(traced: Traced) -> None:
    found = traced("alter table public.c add foreign key (d) references public.a;")
    assert {found["public.a"].lock, found["public.c"].lock} == {"ShareRowExclusiveLock"}


def test_a_dropped_table_is_told(traced: Traced) -> None:
    assert traced("drop table public.c;")["public.c"].dropped


def test_the_strongest_lock_comes_first(traced: Traced) -> None:
    script = "select 1 from public.a; create index on public.c (d);"
    assert next(iter(traced(script))) == "public.c"


def test_a_script_that_fails_is_told(traced: Traced) -> None:
    with pytest.raises(StatementError, match="42P01"):
        traced("select 1 from public.none;")


def test_the_views_lock_no_table_against_reading(empty_database: str) -> None:
    upgrade(Options(empty_database), "0004")
    (path,) = (migrations_dir() / "versions").glob("0005_*.up.sql")
    with connected(empty_database) as connection:
        connection.autocommit = False
        traces = trace_file(connection, path)
    assert {found.lock for found in traces} <= {"AccessShareLock", "RowExclusiveLock"}
