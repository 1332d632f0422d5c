"""Each guard refuses what makes a measurement worth nothing, and passes the same without it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from eventlive_db.plans.arena import build_arena
from eventlive_db.plans.capture import capture
from eventlive_db.plans.check import Options
from eventlive_db.plans.frames import Place
from eventlive_db.plans.guards import environment_violations, run_violations, slack, steady_run
from eventlive_db.plans.model import Run, Statement
from eventlive_db.plans.nodes import Node
from eventlive_db.plans.ties import find_ties, without_index
from eventlive_db.server import TEST_SETTINGS, Server, open_server
from tests.plans.plans_court import Court, case, court, line_of, tokens, write_suite

SCHEMA = """\
create schema app;
create table app.jobs (id int primary key, owner int not null, a int not null, b int not null, seen int default 0);
create index jobs_owner_a_idx on app.jobs (owner, a);
create index jobs_owner_b_idx on app.jobs (owner, b);
create table app.names (id int primary key, name text not null);
create index names_name_idx on app.names (name);
create table app.many (id int primary key, n int not null);
create unique index many_id_n_key on app.many (id, n);
insert into app.jobs select n, n % 50, n % 7, n % 7 from generate_series(1, 1000) n;
insert into app.names select n, 'n' || n from generate_series(1, 1000) n;
insert into app.many select n, n from generate_series(1, 301) n;
create sequence app.calls;

create function app.alternates() returns void language plpgsql as $$
begin
    if nextval('app.calls') % 2 = 0 then
        perform from app.jobs where id = 1;
    end if;
end $$;

create function app.tied() returns bigint language plpgsql as $$
begin
    return (select count(*) from app.jobs where owner = 3);
end $$;
"""


@pytest.fixture(scope="module")
def app(pg_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    with court(pg_server, write_suite(tmp_path_factory.mktemp("guards"), SCHEMA)) as built:
        yield built


@pytest.fixture(scope="module")
def busy(pg_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    """On a server with autovacuum and full-page images, as a developer's own has them."""
    if pg_server.kind == "dsn":
        pytest.skip("the settings of an existing server are its owner's")
    # The launcher never wakes up within the test: what is judged is that it may.
    settings = {**TEST_SETTINGS, "autovacuum": "on", "autovacuum_naptime": "1d", "full_page_writes": "on"}
    suite = write_suite(tmp_path_factory.mktemp("busy"), SCHEMA)
    with open_server(kind=pg_server.kind, settings=settings) as server, court(server, suite) as built:
        yield built


# --- The server -------------------------------------------------------------------------------------------------------


def test_autovacuum_is_refused_for_the_tables_that_a_call_touches(busy: Court) -> None:
    report = busy.judge(case("select from app.many m join app.jobs j using (id) where m.id = 1"))
    assert "guard.autovacuum" in tokens(report)
    violation = next(v for v in report.violations if v.token == "guard.autovacuum")
    assert violation.problem == ("autovacuum is on and may change the statistics of app.jobs, app.many at any moment")
    assert "autovacuum = off" in violation.cause
    assert "guard.autovacuum" not in tokens(busy.judge(case("select 1")))


def test_autovacuum_is_accepted_where_it_leaves_the_tables_alone(pg_server: Server, busy: Court) -> None:
    with psycopg.connect(busy.dsn) as connection:
        found = list(environment_violations(connection, "c", ["app.many", "app.jobs"], {}))
        assert [v.token for v in found] == ["guard.autovacuum"]
        for value in ("off", "0", "false"):
            connection.execute(f"alter table app.many set (autovacuum_enabled = {value})".encode())
            (violation,) = environment_violations(connection, "c", ["app.many", "app.jobs"], {})
            assert violation.problem.endswith("statistics of app.jobs at any moment")
        connection.execute("alter table app.jobs set (autovacuum_enabled = off)")
        assert list(environment_violations(connection, "c", ["app.many", "app.jobs"], {})) == []
        connection.execute("alter table app.jobs set (autovacuum_enabled = on)")
        assert len(list(environment_violations(connection, "c", ["app.many", "app.jobs"], {}))) == 1
        connection.rollback()


def test_autovacuum_that_is_off_is_accepted(app: Court) -> None:
    with psycopg.connect(app.dsn) as connection:
        assert list(environment_violations(connection, "c", ["app.jobs"], {})) == []


def test_full_page_images_are_refused_and_their_absence_is_not(busy: Court, app: Court) -> None:
    write = case("update app.jobs set seen = seen + 1 where id = 1", before="checkpoint")
    report = busy.judge(write)
    found = [v for v in report.violations if v.token == "guard.full_page_images"]
    assert [v.mode for v in found] == ["generic"]
    assert found[0].problem.endswith("full-page images were written")
    assert "full_page_writes = off" in found[0].cause
    assert "guard.full_page_images" not in tokens(app.judge(write))


# --- Statistics -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("targets", "rows", "limit"),
    [
        ("", 30_000, None),
        ("", 30_001, 30_000),
        ("set default_statistics_target = 1", 301, 300),
        ("set default_statistics_target = 1", 300, None),
        ("set default_statistics_target = 2", 600, None),
        # The highest target of any column decides, whatever the default is.
        ("set default_statistics_target = 1; alter table app.many alter n set statistics 2", 600, None),
        ("set default_statistics_target = 1; alter table app.many alter n set statistics 2", 601, 600),
        ("alter table app.many alter id set statistics 1, alter n set statistics 1", 301, 300),
        ("alter table app.many alter id set statistics 1, alter n set statistics 1", 300, None),
        ("alter table app.many alter id set statistics 1", 30_000, None),
        ("alter table app.many alter id set statistics 0, alter n set statistics 2", 601, 600),
    ],
)
def test_statistics_of_a_sample_are_refused_by_the_target_that_analyze_goes_by(
    app: Court, targets: str, rows: int, limit: int | None
) -> None:
    with psycopg.connect(app.dsn) as connection:
        connection.execute(targets.encode())
        found = list(environment_violations(connection, "c", ["app.many"], {"app.many": rows}))
        connection.rollback()
    assert [v.token for v in found] == (["guard.sampled_statistics"] if limit else [])
    if limit:
        assert found[0].problem == (
            f"app.many was analyzed with {rows:,} rows, and ANALYZE samples from {limit:,} on:"
            " two runs give two sets of statistics"
        )
        assert found[0].cause == f"fill fewer rows, or raise the statistics target to {limit // 300 + 1}"


@pytest.mark.parametrize(("rows", "read"), [(3000, 3000), (3001, 3000)])
def test_analyze_reads_three_hundred_rows_for_each_unit_of_the_highest_target_and_no_more(
    app: Court, rows: int, read: int
) -> None:
    # What the guard rests on, told by the server itself.
    with psycopg.connect(app.dsn) as connection:
        told: list[str] = []
        connection.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
        connection.execute("create table app.sampled as select n a, n b from generate_series(1, %s) n" % rows)  # noqa: UP031
        connection.execute("alter table app.sampled alter a set statistics 10, alter b set statistics 3")
        connection.execute("set local default_statistics_target = 5")
        connection.execute("analyze verbose app.sampled")
        connection.rollback()
    assert any(f"{read} rows in sample" in line for line in told)


def test_a_sampled_table_that_is_not_touched_is_no_matter(pg_server: Server, app: Court) -> None:
    with psycopg.connect(app.dsn) as connection:
        connection.execute("set default_statistics_target = 1")
        assert list(environment_violations(connection, "c", ["app.other"], {"app.many": 10**6})) == []
        assert list(environment_violations(connection, "c", [], {})) == []


def test_a_table_that_was_never_analyzed_has_no_sample(app: Court) -> None:
    with psycopg.connect(app.dsn) as connection:
        connection.execute("create table app.fresh (id int)")
        assert list(environment_violations(connection, "c", ["app.fresh"], {"app.fresh": 10**6})) == []
        connection.rollback()


# --- Runs -------------------------------------------------------------------------------------------------------------


def _run(buffers: int, *, rows: int = 1, wal_fpi: int = 0, statements: int = 1) -> Run:
    node = Node("Index Scan", relation="app.jobs", index="jobs_pkey", loops=1, rows=rows)
    return Run((Statement("q", (), node, {}, buffers=buffers, wal_fpi=wal_fpi),) * statements)


def test_a_first_call_that_is_not_warmed_up_is_refused_and_one_that_is_passes(app: Court) -> None:
    call = "select app.tied()"
    cold = app.judge(case(call, warmups=0, budget={"ties": ["jobs_owner_a_idx"]}))
    assert tokens(cold) == ["guard.cold"]
    assert "a connection's first calls also read the catalog; make two warm-up calls" in cold.violations[0].cause
    assert cold.violations[0].mode == "generic"
    assert tokens(app.judge(case(call, budget={"ties": ["jobs_owner_a_idx"]}))) == []


def test_a_function_that_does_something_else_each_time_is_refused(app: Court) -> None:
    report = app.judge(case("select app.alternates()"))
    assert tokens(report) == ["guard.unstable"]
    assert "3 runs did different work (" in report.violations[0].problem
    assert "1 statements, 1 rows" in report.violations[0].problem
    assert "0 statements, 0 rows" in report.violations[0].problem
    assert "put what resets it into before" in report.violations[0].cause


def test_what_before_resets_is_the_same_each_time(app: Court) -> None:
    assert tokens(app.judge(case("select app.alternates()", before="select setval('app.calls', 1)"))) == []


def test_runs_that_differ_by_what_postgres_tidies_now_and_then_pass_and_more_does_not() -> None:
    most = 100 + slack(_run(100))
    assert 100 < most < 130
    assert list(run_violations("c", "generic", (_run(100), _run(most), _run(100)))) == []
    (unstable,) = run_violations("c", "generic", (_run(100), _run(most + 1), _run(100)))
    assert unstable.token == "guard.unstable"
    (unstable,) = run_violations("c", "generic", (_run(100), _run(100, rows=2), _run(100)))
    assert unstable.token == "guard.unstable"
    (cold,) = run_violations("c", "custom", (_run(most + 1), _run(100), _run(101)))
    assert (cold.token, cold.mode) == ("guard.cold", "custom")
    assert cold.problem == f"the first measured call touched {most + 1} shared blocks and a later one 100"
    (images,) = run_violations("c", "generic", (_run(5), _run(5, wal_fpi=2), _run(5)))
    assert (images.token, images.problem) == ("guard.full_page_images", "2 full-page images were written")


def test_the_steady_run_is_the_cheapest() -> None:
    runs = (_run(7), _run(5), _run(6))
    assert steady_run(runs) is runs[1]


def test_heap_only_updates_of_calls_that_update_nothing_are_refused(app: Court) -> None:
    once = case("update app.jobs set seen = 1 where id = 1 and seen = 0", repeat=5, budget={"hot": 0})
    report = app.judge(once)
    assert tokens(report) == ["guard.idle"]
    assert report.violations[0].problem == (
        "5 calls were to show heap-only updates, and fewer updated a row (app.jobs 1)"
    )
    assert tokens(app.judge(case("select from app.jobs where id = 1", budget={"hot": 1}))) == ["guard.idle"]
    each = case(
        once.call,
        repeat=5,
        before="update app.jobs set seen = 0 where id = 1",
        budget={"hot": 0},
    )
    assert tokens(app.judge(each)) == []


# --- Ties -------------------------------------------------------------------------------------------------------------


def test_two_indexes_that_fit_equally_well_are_a_tie_told_with_both_costs(app: Court) -> None:
    report = app.judge(case("select app.tied()"))
    assert tokens(report) == ["guard.tie"]
    (violation,) = report.violations
    first, second = sorted(["jobs_owner_a_idx", "jobs_owner_b_idx"], key=violation.problem.index)
    assert violation.problem.startswith(f"{first} and {second} fit app.jobs equally well (cost ")
    assert violation.problem.endswith("): chance decides which one is used")
    assert f'ties = ["{first} = {second}"]' in violation.cause
    assert violation.place == Place("app.tied()", 3)
    assert violation.statement == "(select count(*) from app.jobs where owner = 3)"
    assert (violation.file, violation.file_line) == ("schema.sql", line_of(SCHEMA, "where owner = 3"))


@pytest.mark.parametrize(
    ("ties", "accepted"),
    [
        (["jobs_owner_a_idx"], True),
        (["jobs_owner_b_idx = jobs_owner_a_idx"], True),
        (["jobs_owner_a_idx=jobs_owner_b_idx"], True),
        (["jobs_pkey", "jobs_owner_b_idx"], True),
        (["jobs_owner_a_idx = jobs_pkey"], False),
        (["jobs_owner"], False),
        ([], False),
    ],
)
def test_a_tie_that_the_budget_knows_is_a_note_and_another_one_is_not(
    app: Court, ties: list[str], accepted: bool
) -> None:
    report = app.judge(case("select app.tied()", budget={"ties": ties}))
    assert tokens(report) == ([] if accepted else ["guard.tie"])
    note = "tie accepted on app.jobs: jobs_owner_a_idx = jobs_owner_b_idx"
    assert (note in report.notes) is accepted


def test_an_index_that_is_clearly_worse_is_no_tie(app: Court) -> None:
    # Without the first index the second one finds seven times the rows.
    call = case("select id from app.jobs where owner = 3 and a = 3")
    assert tokens(app.judge(call)) == []
    assert tokens(app.judge(call, Options(snapshots=False, margin=1000.0))) == ["guard.tie"]


def test_without_a_margin_nothing_is_a_tie(app: Court) -> None:
    tied = case("select app.tied()")
    assert tokens(app.judge(tied, Options(snapshots=False, margin=-1.0))) == []


def test_an_index_that_decides_a_conflict_is_not_taken_away(app: Court) -> None:
    call = "insert into app.many values (1, 1) on conflict (id) do update set n = excluded.n"
    assert tokens(app.judge(case(call))) == []
    assert tokens(app.judge(case("select from app.many where id = 1"))) == ["guard.tie"]


def test_a_tie_is_looked_for_where_what_comes_before_cannot_be_in_a_transaction(app: Court) -> None:
    assert tokens(app.judge(case("select app.tied()", before="vacuum app.jobs"))) == ["guard.tie"]


def test_an_index_is_back_after_it_was_done_without(app: Court) -> None:
    query = "select id from app.names where name = 'n5'"
    with psycopg.connect(app.dsn, autocommit=True) as connection:

        def indexes() -> tuple[str, ...]:
            with capture(connection) as statements:
                connection.execute(query)
            return statements[-1].indexes

        assert indexes() == ("names_name_idx",)
        with without_index(connection, "app.names_name_idx"):
            assert "names_name_idx" not in indexes()
        assert indexes() == ("names_name_idx",)
        with pytest.raises(ZeroDivisionError), without_index(connection, "app.names_name_idx"):
            raise ZeroDivisionError
        assert indexes() == ("names_name_idx",)


def test_a_call_that_reads_no_index_has_no_tie(app: Court, pg_server: Server) -> None:
    with build_arena(pg_server, app.suite) as arena:
        assert find_ties(arena.stages[0].dsn, case("select 1"), Run(())) == ()
