"""The pytest plugin in a stranger's project: what it judges, tells, writes and leaves."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from xml.etree import ElementTree as ET

import psycopg
import pytest

from eventlive_db.plans.store import SnapshotStore
from tests.plans.plugin_project import (
    EVERYTHING,
    EXAMPLE,
    PYTHON,
    SECOND,
    UPDATE_LINE,
    WITHOUT_INDEX,
    Project,
    mere_user,
)

pytestmark = pytest.mark.heavy

TEST = "test_taking_a_job_reads_one_row_by_its_index"


# Ten lines


@pytest.mark.parametrize(("names", "passed"), [(("plans.toml",), 2), (PYTHON, 1)])
def test_another_project_uses_it_in_ten_lines(project: Project, names: tuple[str, ...], passed: int) -> None:
    project.example(*names)
    assert all(len((EXAMPLE / f"{name}.txt").read_text().splitlines()) <= 10 for name in names)
    done = project.run("--plan-table")
    done.assert_outcomes(passed=passed)
    assert done.ret == 0
    done.stdout.re_match_lines([r"  \S.*: 1 statement, \d+ buffers, 2 rows read, \d+ WAL records"])
    done.stdout.fnmatch_lines(["plan guard: 1 case has no snapshot yet; --plan-update-new-only writes what is missing"])


def test_a_project_with_strict_markers_needs_no_xdist(project: Project) -> None:
    project.example(*EVERYTHING)
    done = project.run("--strict-markers", "-p", "no:xdist", "-p", "no:randomly")
    done.assert_outcomes(passed=3)


def test_what_does_not_hold_is_told_with_function_line_and_file_and_goes_to_junit_and_annotations(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.example(*EVERYTHING)
    project.write("schema.sql", WITHOUT_INDEX)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    done = project.run("--plan-table", "--junitxml", "junit.xml")
    done.assert_outcomes(failed=2, passed=1)
    assert done.ret == 1
    told = [
        "take a job: 2 things do not hold",
        "  budget.buffers: * shared blocks touched, 20 allowed",
        "  budget.rows_read: 19?? rows looked at, 2 allowed",
        f"    in shop.take_job line 5 (schema.sql:{UPDATE_LINE}): update shop.jobs set state = 'taken', *",
        "    likely: a condition is applied as a filter instead of by an index, or a limit is gone",
    ]
    done.stdout.fnmatch_lines(told)
    done.stdout.fnmatch_lines([f"E *PlanFailure: {TEST}: 2 things do not hold", "E * budget.rows_read: *"])
    assert "pytest_plugin/" not in done.stdout.str()  # no traceback through the plugin
    annotated = [line for line in done.outlines if line.startswith(f"::error file=schema.sql,line={UPDATE_LINE},")]
    assert len(annotated) == 4
    assert sum("title=budget.rows_read%3A take a job::" in line for line in annotated) == 1
    failures = ET.parse(project.path / "junit.xml").findall(".//testcase/failure")  # noqa: S314  # our own
    assert [f"in shop.take_job line 5 (schema.sql:{UPDATE_LINE})" in str(f.text) for f in failures] == [True, True]


FAULTY = """
create schema shop;
create table shop.jobs (id bigint generated always as identity primary key, note text, n int, touched int default 0);
insert into shop.jobs (note, n) select 'x', n % 7 from generate_series(1, 100) n;
create index jobs_touched_idx on shop.jobs (touched);
create table shop.log (job_id bigint references shop.jobs);
create function shop.helper(_n int) returns boolean stable
language plpgsql as $$
begin
    return _n > 3;
end
$$;
create function shop.everything() returns void
language plpgsql set work_mem = '64kB' as $$
begin
    for i in 1..3 loop
        insert into shop.log values (i);
    end loop;
    insert into shop.jobs (note) values ('new');
    perform from shop.jobs where shop.helper(n);
    perform * from shop.jobs a, shop.jobs b order by a.note || b.id;
    perform pg_catalog.pg_advisory_xact_lock(1);
    begin
        insert into shop.log values (-1);
    exception when foreign_key_violation then
        null;
    end;
    update shop.jobs set touched = touched + 1 where id = 5;
end
$$;
"""
INSERT, SORT, UPDATE = "insert into shop.log values (i)", "perform * from", "update shop.jobs"
HELPER, CAUGHT = "$$\nbegin\n    re", "insert into shop.log values (-1)"
FAULTS = {
    "budget.statements": ("0", "11 statements touch tables, 0 allowed", INSERT),
    "budget.repeats": ("1", "the same statement ran 3 times, 1 allowed", INSERT),
    "budget.rows_read": ("5", "rows looked at, 5 allowed", SORT),
    "budget.buffers": ("1", "shared blocks touched, 1 allowed", ""),
    "budget.temp_blocks": ("0", "blocks of temporary files, 0 allowed", SORT),
    "budget.wal_records": ("1", "WAL records written, 1 allowed", ""),
    "budget.wal_bytes": ("1", "bytes of WAL written, 1 allowed", ""),
    "budget.seq_scans": ("[]", "shop.jobs is read from end to end", SORT),
    "budget.locks": ('{ "shop.*" = "RowExclusive" }', "Exclusive is held on advisory at the end", ""),
    "budget.xids": ("0", "2 transaction ids assigned, 0 allowed", ""),
    "budget.sequences": ("0", "1 sequence values taken, 0 allowed (shop.jobs_id_seq 1)", ""),
    "budget.subtransactions": ("0", "1 subtransactions begun, 0 allowed", "begin\n        insert"),
    "budget.aborted_subtransactions": (
        "0",
        "1 subtransactions rolled back, 0 allowed",
        CAUGHT,
    ),
    "budget.function_calls": ("1", "shop.helper was called 101 times, 1 allowed", HELPER),
    "budget.only_touches": ('["log"]', "shop.jobs is touched; allowed: log", UPDATE),
    "budget.never_touches": ('["l*"]', "shop.log is touched, and must never be", INSERT),
    "budget.hot": ("0.9", "0 of 4 updates of shop.jobs were heap-only (0.0%), 90.0% at least", ""),
}


def test_each_budget_that_fails_shows_its_sentence_with_the_line_that_is_to_blame(project: Project) -> None:
    budgets = "\n".join(f"{token.partition('.')[2]} = {value}" for token, (value, _, _) in FAULTS.items())
    project.write(
        "plans.toml",
        "[database]\nschema = 'schema.sql'\n"
        "[[case]]\nname = 'missing'\ncall = 'select shop.nothing()'\n"
        f"[[case]]\nname = 'everything'\ncall = 'select shop.everything()'\nrepeat = 4\n[case.budget]\n{budgets}\n",
    )
    project.write("schema.sql", FAULTY)
    done = project.run()
    done.assert_outcomes(failed=2, passed=1)
    text = done.stdout.str()
    assert "call.failed: case 'missing': the call failed: function shop.nothing() does not exist" in text
    blocks = re.findall(r"^  (budget\.\w+): ((?:.+\n    )*.+)$", text, re.MULTILINE)
    assert {token for token, _ in blocks} == set(FAULTS)
    for token, (_, sentence, culprit) in FAULTS.items():
        told = "\n".join(block for name, block in blocks if name == token)
        assert sentence in told
        assert "likely: " in told
        if culprit:
            line = 1 + FAULTY[: FAULTY.index(culprit)].count("\n")
            assert re.search(rf"in shop\.(everything line \d+|helper) \(schema\.sql:{line}\)", told), (line, told)


# Ways to run


def test_workers_and_another_order_give_the_same_and_one_process_can_judge_a_suite(project: Project) -> None:
    project.example(*EVERYTHING)
    project.write("more.plans.toml", (project.path / "plans.toml").read_text().replace("buffers = 20", "buffers = 2"))
    for arguments in (("--dist", "loadfile", "-v", "-p", "no:randomly"), ("-p", "randomly")):
        done = project.run("-n", "2", "--plan-table", *arguments)
        done.assert_outcomes(passed=4, failed=1)
        done.stdout.fnmatch_lines(["more.plans.toml", "  take a job: 1 statement, *", "plans.toml", "test_jobs.py"])
        assert done.stdout.str().count("  budget.buffers: ") == 1
        if "loadfile" in arguments:
            workers = re.findall(r"\[(gw\d)\].* (?:PASSED|FAILED) plans\.toml::", done.stdout.str())
            assert len(workers) == 2
            assert len(set(workers)) == 1


@pytest.fixture
def only_pytest_and_psycopg(project: Project, monkeypatch: pytest.MonkeyPatch) -> str:
    """The plugin's option for a Python in which nothing else can be imported."""
    blocker = """
        import sys
        allowed = sys.stdlib_module_names | {"eventlive_db", "psycopg", "psycopg_binary", "psycopg_c", "pytest",
            "_pytest", "typing_extensions", "pluggy", "iniconfig", "packaging", "pygments", "only",
            "conftest", "test_jobs"}
        class Blocked:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] not in allowed and not name.startswith("_"):
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        sys.meta_path.insert(0, Blocked())
    """
    project.pytester.makepyfile(only=blocker)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(project.path))
    return "only"


def test_it_works_with_pytest_and_psycopg_alone(project: Project, only_pytest_and_psycopg: str) -> None:
    project.example(*EVERYTHING)
    done = project.run("-p", only_pytest_and_psycopg, "-p", "eventlive_db.plans.pytest_plugin", "--plan-table")
    done.assert_outcomes(passed=3)


def test_it_imports_nothing_before_it_is_used(project: Project) -> None:
    project.write(
        "test_other.py",
        "import sys\n\ndef test_modules():\n"
        "    assert 'eventlive_db.plans.pytest_plugin' in sys.modules\n"
        "    assert {'psycopg', 'typer', 'eventlive_db.server'}.isdisjoint(sys.modules)\n",
    )
    # No suite, though of the name.
    project.write("plans.toml", "[gold]\nprice = 20\n")
    project.run("--plan-complete", "--plan-table").assert_outcomes(passed=1)


# What goes wrong


def test_a_suite_that_cannot_be_meant_is_an_error_of_collection_that_says_what_to_do(project: Project) -> None:
    project.example("plans.toml")
    text = (project.path / "plans.toml").read_text()
    project.write("plans.toml", text.replace("rows_read", "rows_raed"))
    project.write("b.plans.toml", text.replace('"schema.sql"', '"nothing.sql"'))
    project.write("c.plans.toml", text + "[[case]\n")
    done = project.run()
    assert done.ret == pytest.ExitCode.INTERRUPTED
    done.assert_outcomes(errors=3)
    done.stdout.fnmatch_lines_random(
        [
            "*case 'take a job': there is no budget 'rows_raed'. Did you mean rows_read?",
            "no file matches schema = 'nothing.sql'. It is looked for from the suite's folder, *",
            "*c.plans.toml is not TOML: *",
        ]
    )
    assert "Traceback" not in done.stdout.str()


WRONG = """
BUDGET = {"statements": 1}

def test_typo(plan_guard):
    plan_guard.check("select 1", budget={"bufers": 1})

def test_twice(plan_guard):
    plan_guard.check("select 1", budget=BUDGET)
    plan_guard.check("select 2", budget=BUDGET)

def test_prepared(plan_guard):
    plan_guard.prepare("delete from nothing")
"""


def test_what_a_test_gets_wrong_is_told(project: Project) -> None:
    project.example(*PYTHON)
    project.write("test_wrong.py", WRONG)
    project.write("none/conftest.py", SECOND.replace("schema.sql", "nothing.sql"))
    project.write("none/test_none.py", "def test_none(plan_guard):\n    pass\n")
    project.write("failing/conftest.py", SECOND.replace("second/schema.sql", "failing/failing.sql"))
    project.write("failing/failing.sql", "create table t (id int);\nselect nothing;\n")
    project.write("failing/test_failing.py", (project.path / "test_jobs.py").read_text())
    suite = "[database]\nschema = 'failing.sql'\n[[case]]\nname = 'one'\ncall = 'select 1'\n"
    project.write("failing/plans.toml", suite)
    done = project.run()
    done.assert_outcomes(passed=2, failed=5, errors=1)
    done.stdout.fnmatch_lines_random(
        [
            "plan_guard_schema names */second/nothing.sql, which is no file. Its paths are absolute, or relative to *",
            "E  *there is no budget 'bufers'. Did you mean buffers?",
            "E  *SuiteError: 'test_twice' is checked twice in one test. Tell the calls apart: *",
            'E  *SuiteError: what the test prepares failed: relation "nothing" does not exist',
            'E  *SuiteError: failing.sql failed: column "nothing" does not exist',
            'failing.sql failed: column "nothing" does not exist',
        ]
    )


def test_without_a_schema_or_a_server_it_says_what_is_needed(project: Project) -> None:
    project.example("plans.toml", "test_jobs.py")
    done = project.run("--plan-dsn", "postgresql://postgres@127.0.0.1:1/postgres")
    done.assert_outcomes(failed=2, errors=1)
    done.stdout.fnmatch_lines(["the Postgres of the DSN cannot be reached: *", "Correct the DSN *"])
    done.stdout.fnmatch_lines(["plan_guard needs a schema: define in conftest.py a session fixture *"])
    assert "Traceback" not in done.stdout.str()


def test_a_role_that_is_no_superuser_is_told_so_once_a_case(project: Project) -> None:
    project.example("plans.toml")
    with mere_user(project.server) as dsn:
        done = project.run("--plan-dsn", dsn)
    done.assert_outcomes(failed=2)
    done.stdout.fnmatch_lines(["the role test_mere_user of the server's DSN is no superuser. Plans are judged in *"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_drops_its_databases_and_leaves_whole_snapshots(
    project: Project, number: signal.Signals
) -> None:
    project.example(*EVERYTHING)
    with (project.path / "plans.toml").open("a") as file:
        file.write("[[case]]\nname = 'sleep'\ncall = 'select pg_sleep(600)'\n")
    command = [sys.executable, "-m", "pytest", *project.arguments("--plan-update", "plans.toml")]
    with subprocess.Popen(command, cwd=project.path, stdout=subprocess.PIPE, text=True) as process:
        with psycopg.connect(project.server.admin_dsn, autocommit=True) as connection:
            while not connection.execute(
                "select from pg_stat_activity where datname ~ '^plans_' and query = 'select pg_sleep(600)'"
            ).fetchall():
                assert process.poll() is None
        process.send_signal(number)
        told, _ = process.communicate()
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    assert "KeyboardInterrupt" in told
    assert [path.name for path in project.path.glob("snapshots/*/*")] == [
        SnapshotStore(project.path, 0).path("take a job").name
    ]
