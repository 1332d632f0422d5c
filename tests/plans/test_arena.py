"""The databases a suite is judged in are the same each time, of every size, and gone at the end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from eventlive_db.plans.arena import Arena, Stage, build_arena, build_schema
from eventlive_db.plans.errors import SuiteError
from eventlive_db.plans.suite import Suite
from eventlive_db.server import Server
from tests.plans.plans_court import Court, case, court, tokens, write_suite

SCHEMA = """\
create schema app;
create table app.events (id int primary key, kind int not null, what text not null);
create index events_kind_idx on app.events (kind);
create table app.clicks (id int primary key, what int not null);
create table app.kinds (id int primary key);
create function app.of_kind(_kind int) returns bigint language plpgsql as $$
begin
    return (select sum(length(what)) from app.events where kind = _kind);
end $$;
create function app.click(_id int) returns int language plpgsql as $$
begin
    return (select what from app.clicks where id = _id);
end $$;
"""
SEED = "insert into app.kinds select generate_series(1, 3);"
FILL = """
insert into app.events
select n, n % 5, 'event ' || n
  from generate_series(current_setting('plans.rows_before')::int + 1, current_setting('plans.rows')::int) n;
insert into app.clicks
select n, n
  from generate_series(current_setting('plans.rows_before')::int + 1, current_setting('plans.rows')::int) n
 where n <= 200;
"""
SIZES = (200, 2000, 20_000)


def suite(folder: Path, **more: Any) -> Suite:
    settings: dict[str, Any] = {"seed": SEED, "fill": FILL, "sizes": SIZES, "real": 2000, "raised": ("app.clicks",)}
    return write_suite(folder, SCHEMA, **{**settings, **more})


@pytest.fixture(scope="module")
def app(pg_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    with court(pg_server, suite(tmp_path_factory.mktemp("arena"))) as built:
        yield built


def column(dsn: str, query: str) -> list[Any]:
    with psycopg.connect(dsn) as connection:
        return [row[0] if len(row) == 1 else row for row in connection.execute(query.encode())]


def databases(server: Server) -> set[str]:
    return set(column(server.admin_dsn, "select datname from pg_database"))


ROWS = "select relname, reltuples::int from pg_class where relnamespace = 'app'::regnamespace order by 1"
STATISTICS = (
    "select tablename, attname, null_frac, avg_width, n_distinct, most_common_vals::text, most_common_freqs::text,"
    " histogram_bounds::text, correlation from pg_stats where schemaname = 'app' order by 1, 2"
)


# --- Sizes ------------------------------------------------------------------------------------------------------------


def test_each_size_has_its_rows_really_or_in_the_eyes_of_the_planner(app: Court) -> None:
    count = "select (select count(*) from app.events), (select count(*) from app.clicks)"
    real = [column(stage.dsn, count) for stage in app.arena.stages]
    assert real == [[(200, 200)], [(2000, 200)], [(2000, 200)]]
    assert [stage.rows for stage in app.arena.stages] == list(SIZES)
    for stage in app.arena.stages:
        rows = dict(column(stage.dsn, ROWS))
        assert (rows["events"], rows["clicks"], rows["kinds"]) == (stage.rows, stage.rows, 3)
        for table in ("events", "clicks"):
            (plan,) = column(stage.dsn, f"explain (format json) select from app.{table}")
            assert plan[0]["Plan"]["Plan Rows"] == stage.rows


def test_what_is_only_told_to_the_planner_is_said(app: Court) -> None:
    assert [stage.raised for stage in app.arena.stages] == [(), ("app.clicks",), ("app.clicks", "app.events")]
    assert [stage.filled_rows["app.events"] for stage in app.arena.stages] == [200, 2000, 2000]
    assert {stage.analyzed_rows["app.events"] for stage in app.arena.stages} == {200}
    report = app.judge(case("select app.click(7)", scaled=True))
    assert report.notes == (
        "at 2,000 rows only the planner was told of: app.clicks",
        "at 20,000 rows only the planner was told of: app.clicks, app.events",
    )
    assert app.judge(case("select app.click(7)")).notes == ()


def test_a_plan_turns_where_the_planner_is_told_of_more_rows(app: Court) -> None:
    report = app.judge(case("select app.click(7)", scaled=True))
    scans = [(m.rows, m.runs["generic"].indexes) for m in report.measurements]
    assert scans == [(200, ()), (2000, ("clicks_pkey",)), (20_000, ("clicks_pkey",))]


def test_a_function_that_reads_a_range_that_grows_breaks_its_growth(app: Court) -> None:
    report = app.judge(case("select app.of_kind(3)", scaled=True, budget={"growth": 2}))
    assert tokens(report) == ["budget.growth"]
    assert report.violations[0].rows == 20_000
    assert str(report.violations[0].place) == "app.of_kind line 3"
    assert tokens(app.judge(case("select app.of_kind(3)", scaled=True, budget={"growth": 200}))) == []
    assert tokens(app.judge(case("select app.of_kind(3)", budget={"growth": 0}))) == [], "judged at one size only"


def test_all_rows_are_filled_where_no_limit_is_set(pg_server: Server, tmp_path: Path) -> None:
    with build_arena(pg_server, suite(tmp_path, real=None, raised=(), sizes=(200, 400))) as arena:
        assert [stage.raised for stage in arena.stages] == [(), ()]
        assert dict(column(arena.stages[1].dsn, ROWS))["events"] == 400
        assert column(arena.stages[1].dsn, "select count(*) from app.events") == [400]


def test_other_sizes_than_those_of_the_suite_can_be_built(pg_server: Server, tmp_path: Path) -> None:
    with build_arena(pg_server, suite(tmp_path), sizes=(300,)) as arena:
        assert [stage.rows for stage in arena.stages] == [300]
        assert column(arena.stages[0].dsn, "select count(*) from app.events") == [300]


def test_without_sizes_there_is_one_database_with_the_seed(pg_server: Server, tmp_path: Path) -> None:
    with build_arena(pg_server, write_suite(tmp_path, SCHEMA, seed=SEED)) as arena:
        (stage,) = arena.stages
        assert (stage.rows, stage.raised) == (0, ())
        assert stage.filled_rows["app.kinds"] == 3
        assert f"{arena.major}." in arena.version
        assert arena.major == pg_server.version_num // 10000


# --- The same each time -----------------------------------------------------------------------------------------------


def test_statistics_are_the_same_in_two_builds_and_at_each_size(pg_server: Server, app: Court) -> None:
    statistics = column(app.dsn, STATISTICS)
    assert len(statistics) == 6
    with build_arena(pg_server, app.suite, sizes=SIZES[:2]) as again:
        for stage in (*again.stages, *app.arena.stages):
            assert column(stage.dsn, STATISTICS) == statistics
        for one, other in zip(again.stages, app.arena.stages, strict=False):
            assert column(one.dsn, ROWS) == column(other.dsn, ROWS)


def test_what_one_case_does_before_its_call_is_nothing_to_another_whatever_the_order(app: Court) -> None:
    changing = case("select app.of_kind(3)", name="changing", before="truncate app.events; analyze app.events")
    reading = case("select app.of_kind(3)", name="reading")

    def rows_read(order: list[Any]) -> dict[str, int]:
        return {c.name: app.judge(c).measurements[0].runs["generic"].rows_read for c in order}

    assert rows_read([changing, reading]) == rows_read([reading, changing]) == {"changing": 0, "reading": 200}
    assert column(app.dsn, "select count(*) from app.events") == [200]


def test_a_copy_is_a_database_of_its_own_and_gone_after_an_error(pg_server: Server, app: Court) -> None:
    before = databases(pg_server)
    with app.arena.copy(app.arena.stages[0]) as dsn:
        assert column(dsn, "with w as (delete from app.kinds returning id) select count(*) from w") == [3]
        assert len(databases(pg_server)) == len(before) + 1
    with pytest.raises(psycopg.errors.DivisionByZero), app.arena.copy(app.arena.stages[0]) as dsn:
        column(dsn, "select 1 / 0")
    assert databases(pg_server) == before
    assert column(app.dsn, "select count(*) from app.kinds") == [3]


# --- The end ----------------------------------------------------------------------------------------------------------


def test_the_databases_are_dropped_at_the_end_and_after_an_error(pg_server: Server, tmp_path: Path) -> None:
    before = databases(pg_server)
    small = suite(tmp_path, sizes=(10, 20))
    with build_arena(pg_server, small) as arena:
        assert databases(pg_server) == before | {stage.name for stage in arena.stages}
    assert databases(pg_server) == before
    with pytest.raises(ZeroDivisionError), build_arena(pg_server, small):
        raise ZeroDivisionError
    assert databases(pg_server) == before
    failing = suite(tmp_path, sizes=(10, 20), fill="select 1 / (20 - current_setting('plans.rows')::int);")
    with pytest.raises(SuiteError), build_arena(pg_server, failing):
        pass
    assert databases(pg_server) == before


# --- What fails -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"schema": "create table t (id int); selec 1;"}, "schema.sql failed: syntax error"),
        ({"seed": "insert into missing values (1);"}, 'seed.sql failed: relation "missing" does not exist'),
        ({"fill": "select 1 / 0;"}, "fill.sql failed: division by zero"),
        (
            {
                "schema": "create table a (id int primary key);"
                " create table b (a int references a deferrable initially deferred);",
                "seed": "insert into b values (1);",
            },
            'seed.sql failed: insert or update on table "b" violates foreign key',
        ),
    ],
)
def test_sql_that_fails_is_an_error_that_names_the_file(
    pg_server: Server, tmp_path: Path, more: dict[str, Any], problem: str
) -> None:
    texts = {"schema": "select 1;", "fill": "select 1;", "seed": "select 1;", **more}
    broken = write_suite(tmp_path, texts.pop("schema"), sizes=(1,), **texts)
    with pytest.raises(SuiteError, match=problem) as caught, build_arena(pg_server, broken):
        pass
    assert caught.value.token == "schema_failed"


def test_a_file_that_has_gone_is_an_error_that_names_it(pg_server: Server, tmp_path: Path) -> None:
    gone = write_suite(tmp_path, "select 1;")
    gone.schema[0].unlink()
    with pytest.raises(SuiteError, match=r"^schema\.sql failed: ") as caught, build_arena(pg_server, gone):
        pass
    assert caught.value.token == "schema_failed"


def test_raised_rows_of_a_table_that_does_not_exist_are_an_error(pg_server: Server, tmp_path: Path) -> None:
    misspelt = suite(tmp_path, raised=("clicks",), sizes=(10, 20))
    problem = r"\[scale\] raise names 'clicks', and there is no such table"
    with pytest.raises(SuiteError, match=problem) as caught, build_arena(pg_server, misspelt):
        pass
    assert caught.value.token == "unknown_table"
    assert caught.value.advice == "Write it as schema.table"


def test_the_files_of_a_schema_are_one_transaction(empty_database: str, tmp_path: Path) -> None:
    made = write_suite(tmp_path, "set local search_path = pg_temp, public; create schema late;")
    second = tmp_path / "second.sql"
    second.write_text("do $$ begin assert current_setting('search_path') = 'pg_temp, public'; end $$;")
    build_schema(empty_database, replace(made, schema=(*made.schema, second)))
    second.write_text("select 1 / 0;")
    made.schema[0].write_text("create schema never;")
    with pytest.raises(SuiteError, match=r"^second\.sql failed: division by zero"):
        build_schema(empty_database, replace(made, schema=(*made.schema, second)))
    assert column(empty_database, "select nspname from pg_namespace where nspname in ('late', 'never')") == ["late"]


# --- Hooks ------------------------------------------------------------------------------------------------------------


def make_table(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("create table hooked (id int)")


@pytest.fixture
def hooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    text = (
        "import psycopg\n\n\nnumber = 7\n\n\ndef build(dsn):\n    with psycopg.connect(dsn) as connection:\n"
        "        connection.execute('create table hooked (id int)')\n\n\ndef fails(dsn):\n"
        "    raise LookupError('no migrations here')\n"
    )
    (tmp_path / "plans_test_hooks.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("plans_test_hooks", None)


@pytest.mark.parametrize("hook", ["plans_test_hooks:build", make_table])
def test_a_hook_builds_the_schema_before_the_files_do(
    hooks: None, empty_database: str, tmp_path: Path, hook: Any
) -> None:
    build_schema(empty_database, write_suite(tmp_path, "insert into hooked values (3);", hook=hook))
    assert column(empty_database, "select id from hooked") == [3]


@pytest.mark.parametrize(
    ("hook", "problem"),
    [
        ("plans_no_such_module:build", "hook 'plans_no_such_module:build' of .* cannot be imported: No module named"),
        ("plans_test_hooks:missing", "cannot be imported: module 'plans_test_hooks' has no attribute 'missing'"),
        ("plans_test_hooks", "hook 'plans_test_hooks' of .* cannot be imported"),
        ("plans_test_hooks:number", "cannot be imported: number is no function"),
        ("plans_test_hooks:fails", "hook fails failed: no migrations here"),
    ],
)
def test_a_hook_that_cannot_be_run_is_an_error(
    hooks: None, empty_database: str, tmp_path: Path, hook: str, problem: str
) -> None:
    with pytest.raises(SuiteError, match=problem):
        build_schema(empty_database, write_suite(tmp_path, hook=hook))


def test_a_version_is_told_as_postgres_tells_it(app: Court) -> None:
    arena = Arena(replace(app.arena.server, version_num=150018), (Stage("s", "dsn"),))
    assert (arena.major, arena.version) == (15, "15.18")
