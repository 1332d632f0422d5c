"""``eventlive-db plans``: exit statuses, what goes where, and what is written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import psycopg
import pytest
from typer.testing import CliRunner

from eventlive_db.cli.plans import app
from eventlive_db.plans.coverage import COVERAGE_SETTINGS
from eventlive_db.server import Server
from tests.plans.plugin_project import EXAMPLE, SCHEMA, UPDATE_LINE, VARIABLES, WITHOUT_INDEX, databases, mere_user
from tests.support.database import EventliveDatabase

pytestmark = pytest.mark.heavy

GENEROUS = "buffers = 20"
TIGHT = "buffers = 2"


@dataclass(frozen=True, slots=True)
class Told:
    """What a command said."""

    exit_code: int
    stdout: str
    stderr: str


Plans = Callable[..., Told]


@pytest.fixture
def plans(pg_server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Plans]:
    """Run the command in a folder with the example; whatever happens, no database and no temporary file stays."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PLAN_GUARD_DSN", pg_server.admin_dsn)
    monkeypatch.chdir(tmp_path)
    Path("schema.sql").write_text(SCHEMA)
    Path("plans.toml").write_text((EXAMPLE / "plans.toml.txt").read_text())
    before = databases(pg_server)

    def call(*arguments: str) -> Told:
        result = CliRunner().invoke(app, arguments)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Told(result.exit_code, result.stdout, result.stderr)

    yield call
    assert databases(pg_server) == before
    assert list(tmp_path.rglob(".*.tmp")) == []


def change(name: str, old: str, new: str) -> None:
    """Edit a file."""
    text = Path(name).read_text()
    assert old in text
    Path(name).write_text(text.replace(old, new))


def cases(told: str) -> dict[str, bool]:
    """Cases of a JSON report, and whether they passed."""
    return {case["name"]: case["passed"] for case in json.loads(told)["cases"]}


# check


def test_check_finds_the_only_suite_and_prints_a_table(plans: Plans) -> None:
    done = plans("check")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "take a job" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("plans on Postgres ")
    assert done.stdout.splitlines()[-1].endswith(": 1 case, all ok")


def test_check_writes_each_form_and_ends_with_1_where_a_budget_is_broken(
    plans: Plans, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("schema.sql").write_text(WITHOUT_INDEX)
    Path("junit.xml").write_text("old")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    done = plans("check", "--json", "--junit", "junit.xml", "--html", "page.html")
    assert done.exit_code == 1
    assert cases(done.stdout) == {"take a job": False}
    first, *_ = done.stderr.splitlines()
    assert first.startswith(f"::error file=schema.sql,line={UPDATE_LINE},title=budget.buffers%3A take a job::")
    failure = ET.parse("junit.xml").find(".//failure")  # noqa: S314  # our own
    assert failure is not None
    assert f"in shop.take_job line 5 (schema.sql:{UPDATE_LINE})" in str(failure.text)
    assert "<h1>Plans of plans</h1>" in Path("page.html").read_text()
    plain = plans("check", "--no-annotate")
    assert "::error" not in plain.stdout + plain.stderr
    assert "budget.rows_read: 19" in plain.stdout


def test_check_in_ci_demands_snapshots_as_the_variable_says_when_it_is_called(
    plans: Plans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    done = plans("check")
    assert done.exit_code == 1
    assert "snapshot.missing: there is no snapshot for Postgres" in done.stdout
    assert plans("check", "--incomplete").exit_code == 0
    assert plans("check", "--no-snapshots").exit_code == 0
    monkeypatch.setenv("CI", "false")
    assert plans("check").exit_code == 0


def test_rounds_are_counted_and_json_stays_one_object(plans: Plans) -> None:
    done = plans("check", "--repeat", "3", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["rounds"] == {"made": 3, "held": 3}
    assert done.stderr.splitlines()[-1] == "3 of 3 rounds hold"
    change("plans.toml", GENEROUS, TIGHT)
    broken = plans("check", "--repeat", "2", "--json")
    assert broken.exit_code == 1
    assert json.loads(broken.stdout)["rounds"] == {"made": 2, "held": 0}
    assert broken.stderr.splitlines() == ["round 1 of 2: BROKEN", "round 2 of 2: BROKEN", "0 of 2 rounds hold"]


SIZES = """
[scale]
sizes = [100, 200, 1_000]
fill = "fill.sql"
real = 200
[[case]]
name = "read a job"
call = "select from shop.jobs where id = 7"
scaled = true
"""
FILL = """
insert into shop.jobs (queue)
select 'more' from generate_series(current_setting('plans.rows_before')::int + 1, current_setting('plans.rows')::int)
"""


def test_cases_are_chosen_by_name_and_sizes_filled_as_far_as_said(plans: Plans) -> None:
    Path("plans.toml").write_text(Path("plans.toml").read_text() + SIZES)
    Path("fill.sql").write_text(FILL)
    raised = plans("check", "--case", "read a", "--json")
    assert cases(raised.stdout) == {"read a job": True}
    assert "only the planner was told of: shop.jobs" in raised.stdout
    real = plans("check", "--case", "read a", "--real", "1000", "--json")
    assert "only the planner" not in real.stdout
    wrong = plans("check", "--case", "raed a job")
    assert wrong.exit_code == 2
    assert "there is no case 'raed a job'. Did you mean 'read a job'?" in wrong.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing.toml",), "the suite nothing.toml cannot be read: "),
        (("--junit", "no/where.xml"), "no/where.xml cannot be written: there is no folder no; make it first"),
        (("--html", "."), ". is a folder, and a file is to be written"),
        (("--dsn", "postgresql://postgres@127.0.0.1:1/postgres"), "the Postgres of the DSN cannot be reached: "),
        (("--dsn", "postgresql://x", "--kind", "embedded"), "contradict each other; pass one of the two"),
        (("empty.toml",), "empty.toml has no case. Write [[case]] with a name, a call and a budget"),
        (("typo.toml",), "there is no key 'cases'. Did you mean 'case'?"),
        (("failing.toml",), "failing.toml failed: syntax error"),
    ],
)
def test_what_cannot_be_judged_ends_with_2_and_says_what_to_do(
    plans: Plans, arguments: tuple[str, ...], message: str
) -> None:
    Path("empty.toml").write_text("[suite]\nname = 'empty'\n")
    Path("typo.toml").write_text("[[cases]]\n")
    Path("failing.toml").write_text(Path("plans.toml").read_text().replace("schema.sql", "failing.toml"))
    done = plans("check", *arguments, "--json")
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_of_several_suites_one_has_to_be_named(plans: Plans) -> None:
    for folder in ("b", ".venv/lib", "node_modules/x"):
        Path(folder).mkdir(parents=True)
        Path(folder, "plans.toml").write_text("")
    done = plans("check")
    assert done.exit_code == 2
    assert "there is not exactly one (b/plans.toml, plans.toml)" in done.stderr


def test_a_role_that_is_no_superuser_is_told_so(plans: Plans, pg_server: Server) -> None:
    with mere_user(pg_server) as dsn:
        done = plans("check", "--dsn", dsn)
        explained = plans("explain", "select 1", "--dsn", dsn)
    assert done.exit_code == 2
    assert "the role test_mere_user of the server's DSN is no superuser" in done.stderr
    assert explained.exit_code == 2
    assert "loading and setting it takes a superuser" in explained.stderr


# update, report


def test_update_writes_what_is_missing_then_what_changed_and_removes_what_is_unused(plans: Plans) -> None:
    done = plans("update", "--new-only")
    [written] = Path("snapshots").glob("*/*")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == f"take a job: snapshot written: {written}\n"
    assert plans("check", "--complete").exit_code == 0
    first = written.read_text()
    change("schema.sql", "jobs_waiting_idx", "jobs_queue_idx")
    (written.parent / "old.plan").write_text("")
    only_new = plans("update", "--new-only")
    assert only_new.exit_code == 1
    assert "take a job: snapshot.other_index: shop.take_job: shop.jobs (j) is read by the index " in only_new.stderr
    assert "some snapshots belong to no case; plans update without options removes them" in only_new.stderr
    assert written.read_text() == first
    unused = plans("check", "--complete", "--json")
    assert [v["token"] for v in json.loads(unused.stdout)["violations"]] == ["snapshot.unused", "snapshot.other_index"]
    everything = plans("update")
    assert everything.exit_code == 0
    assert everything.stdout.splitlines()[1:] == [
        f"take a job: snapshot written: {written}",
        "removed old.plan, which belongs to no case",
    ]
    assert written.read_text() == first.replace("jobs_waiting_idx", "jobs_queue_idx")


def test_update_writes_nothing_where_a_budget_is_broken(plans: Plans) -> None:
    change("plans.toml", GENEROUS, TIGHT)
    done = plans("update")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "take a job: budget.buffers: " in done.stderr
    assert list(Path().rglob("*.plan")) == []


def test_report_writes_the_page_whether_all_holds_or_not(plans: Plans) -> None:
    change("plans.toml", GENEROUS, TIGHT)
    done = plans("report", "--html", "page.html")
    assert done.exit_code == 1
    assert "budget.buffers" in Path("page.html").read_text()
    assert plans("report", "--html", "nothing/page.html").exit_code == 2
    assert plans("report").exit_code == 2


# explain


VIEWER = '{"sub": "0000000a-0000-4000-8000-00000459adb4", "role": "authenticated"}'
PING = "select eventlive_api.webinar_presence_ping('0000000e-0000-4000-8000-000000000001')"
ROWS = Path(__file__).parents[1] / "plans" / "eventlive"


def test_explain_shows_the_nested_statement_with_place_and_plan_of_any_function(
    plans: Plans, make_database: Callable[..., str]
) -> None:
    dsn = make_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SCHEMA.encode())
        connection.execute("analyze")
        before = connection.execute("select * from shop.jobs order by id").fetchall()
        done = plans("explain", "select shop.take_job('queue 7')", "--dsn", dsn)
        assert (done.exit_code, done.stderr) == (0, "")
        lines = [line.strip() for line in done.stdout.splitlines()]
        assert any(line.startswith("shop.take_job") and "line 5" in line for line in lines)
        assert "update shop.jobs" in lines
        assert any("Index Scan using jobs_waiting_idx" in line for line in lines)
        assert "subtransactions: none" in lines
        generic = plans("explain", "select shop.take_job('queue 7')", "--dsn", dsn, "--generic", "--json")
        [sent] = json.loads(generic.stdout)["statements"]
        assert [(s["function"], s["line"]) for s in sent["statements"]] == [("shop.take_job(text)", 5)]
        assert connection.execute("select * from shop.jobs order by id").fetchall() == before
        assert plans("explain", "lock table shop.jobs", "--dsn", dsn).exit_code == 0
        assert plans("explain", "lock table shop.jobs", "--dsn", dsn, "--json").exit_code == 0


def test_explain_makes_the_call_as_a_role_with_claims(plans: Plans, db: EventliveDatabase) -> None:
    with psycopg.connect(db.dsn, autocommit=True) as connection:
        connection.execute("set plans.rows = 600; set plans.rows_before = 0")
        for name in ("seed.sql", "fill.sql"):
            with connection.transaction():
                connection.execute((ROWS / name).read_bytes())
        connection.execute("vacuum analyze")
        presence = "select * from eventlive.webinar_live_presence order by user_id, webinar_id"
        before = connection.execute(presence).fetchall()
        done = plans("explain", PING, "--as", "authenticated", "--claims", VIEWER, "--dsn", db.dsn)
        assert (done.exit_code, done.stderr) == (0, "")
        lines = [line.strip() for line in done.stdout.splitlines()]
        assert any(line.startswith("eventlive") and " line " in line for line in lines)
        assert "update eventlive.webinar_live_presence" in " ".join(lines)
        assert any("Index Scan using webinar_live_presence_pkey" in line for line in lines)
        assert any(line.startswith("locks: ") and "webinar_live_presence" in line for line in lines), done.stdout
        assert connection.execute(presence).fetchall() == before
    refused = plans("explain", "select eventlive.presence_sweep()", "--as", "anon", "--dsn", db.dsn)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("eventlive-db: the call failed: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("select 1", "--claims", "{"), "--claims is not JSON: "),
        (("select 1", "--claims", "[1]"), '--claims must be a JSON object, such as {"sub": "..."}'),
        (("select 1", "--set", "x"), "--set 'x' must be NAME=VALUE"),
        (("select nothing()",), "eventlive-db: the call failed: function nothing() does not exist"),
        (("select 1", "--as", "nobody_at_all"), 'role cannot be set: role "nobody_at_all" does not exist'),
        (("select 1", "--before", "selct"), 'what comes before the call failed: syntax error at or near "selct"'),
        (("select 1", "--dsn", "postgresql://postgres@127.0.0.1:1/postgres"), "onnection refused"),
        ((" ",), 'there is no call: give one statement, such as "select app.take_job()"'),
    ],
)
def test_explain_says_what_is_wrong_and_ends_with_2(
    plans: Plans, pg_server: Server, arguments: tuple[str, ...], message: str
) -> None:
    done = plans("explain", "--dsn", pg_server.admin_dsn, *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr


def test_a_reader_who_leaves_early_sees_no_traceback(plans: Plans, pg_server: Server) -> None:
    command = [sys.executable, "-m", "eventlive_db", "plans", "explain", "select * from pg_class", "--json"]
    env = {**os.environ, "EVENTLIVE_DSN": pg_server.admin_dsn}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


# mutate, coverage, clean


def test_mutate_names_what_no_budget_rejects(plans: Plans) -> None:
    done = plans("mutate", "--json", "--fail-under", "0")
    assert done.exit_code == 0
    report = json.loads(done.stdout)
    assert 0 < report["score"] < 100
    assert plans("mutate").exit_code == 1


def test_coverage_prints_its_settings_and_says_what_it_needs(plans: Plans) -> None:
    settings = plans("coverage", "--settings")
    assert settings.stdout.splitlines() == [f"{name} = '{value}'" for name, value in COVERAGE_SETTINGS.items()]
    without = plans("coverage")
    assert without.exit_code == 2
    assert "name the logs of the test run" in without.stderr
    missing = plans("coverage", "nothing.log", "--json")
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert "nothing.log" in missing.stderr


UNTESTED = """
create function shop.forget_job(_id bigint) returns void
language plpgsql
as $$
begin
    delete from shop.jobs where id = _id;
end
$$;
"""


def test_coverage_names_the_statement_that_no_test_ran(
    plans: Plans, pg_server: Server, make_database: Callable[..., str]
) -> None:
    if pg_server.log is None:
        pytest.skip("this server's log is not on this machine")
    schema = SCHEMA + UNTESTED
    Path("schema.sql").write_text(schema)
    begin = pg_server.log.stat().st_size
    with psycopg.connect(make_database(), autocommit=True) as connection:
        connection.execute(schema.encode())
        connection.execute("load 'auto_explain'")
        for name, value in COVERAGE_SETTINGS.items():
            if name != "session_preload_libraries":  # takes a new session
                connection.execute("select set_config(%s, %s, false)", [name, value])
        connection.execute("select shop.take_job('queue 7')")
    Path("server.log").write_bytes(pg_server.log.read_bytes()[begin:])
    done = plans("coverage", "server.log", "--schema", "shop", "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, done.stderr, told["percent"]) == (0, "", 50.0)
    [missed] = told["uncovered"]
    line = 1 + schema[: schema.index("    delete from")].count("\n")
    assert (Path(missed["file"]).name, missed["line"]) == ("schema.sql", line)
    failed = plans("coverage", "server.log", "--schema", "shop", "--fail-under", "51")
    assert failed.exit_code == 1
    assert f"schema.sql:{line}" in failed.stdout


ASLEEP = "from pg_stat_activity where datname ~ '^plans_' and query = 'select pg_sleep(600)'"


@contextmanager
def sleeping_run(server: Server) -> Iterator[subprocess.Popen[bytes]]:
    """A run in a process of its own, in the middle of a call."""
    change("plans.toml", "select shop.take_job('queue 7')", "select pg_sleep(600)")
    command = [sys.executable, "-m", "eventlive_db", "plans", "check"]
    with (
        subprocess.Popen(command, stderr=subprocess.DEVNULL) as process,
        psycopg.connect(server.admin_dsn, autocommit=True) as connection,
    ):
        while not connection.execute(f"select {ASLEEP}").fetchall():
            assert process.poll() is None
        yield process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_a_signal_ends_drops_its_databases(plans: Plans, pg_server: Server, number: signal.Signals) -> None:
    before = databases(pg_server)
    with sleeping_run(pg_server) as process:
        assert len(databases(pg_server) - before) == 2
        process.send_signal(number)
        assert process.wait() == 128 + number
        assert databases(pg_server) == before


def test_clean_drops_what_a_killed_run_left_and_nothing_while_one_is_under_way(plans: Plans, pg_server: Server) -> None:
    before = databases(pg_server)
    with (
        sleeping_run(pg_server) as process,
        psycopg.connect(pg_server.admin_dsn, autocommit=True) as connection,
    ):
        busy = plans("clean")
        assert busy.exit_code == 2
        assert "a run of the plan guard is under way on this server (process " in busy.stderr
        process.kill()
        process.wait()
        left = databases(pg_server) - before
        assert len(left) == 2
        guard = "from pg_stat_activity where application_name = 'plan guard'"
        connection.execute(f"select pg_terminate_backend(pid) {guard}")
        while connection.execute(f"select {guard}").fetchall():
            pass
        with ExitStack() as users:
            for name in left:
                users.enter_context(psycopg.connect(pg_server.dsn(name)))
            busy = plans("clean")
        assert (busy.exit_code, busy.stdout) == (0, "")
        assert all(f"left {name}: process " in busy.stderr for name in left)
        connection.execute(f"select pg_terminate_backend(pid) {ASLEEP}")
        while connection.execute(
            "select from pg_stat_activity where application_name = 'plan guard' or datname ~ '^plans_'"
        ).fetchall():
            pass
    done = plans("clean")
    assert done.exit_code == 0
    assert set(done.stdout.splitlines()) == {f"dropped {name}" for name in left}
