"""Snapshots in a stranger's project: when they are written, compared, missed and removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plans.plugin_project import EVERYTHING, PYTHON, RENAMED, SECOND, UPDATE_LINE, Project

pytestmark = pytest.mark.heavy


def test_snapshots_are_written_compared_rewritten_and_removed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.example(*EVERYTHING)
    monkeypatch.setenv("CI", "1")
    missing = project.run()
    missing.assert_outcomes(failed=2, passed=1)
    assert missing.stdout.str().count("snapshot.missing: there is no snapshot for Postgres") == 2
    assert "(pytest --plan-update-new-only), review it and commit it" in missing.stdout.str()
    assert project.snapshots() == {}

    written = project.run("--plan-update-new-only")
    written.assert_outcomes(passed=3)
    first = project.snapshots()
    assert [path.parent.name for path in map(Path, sorted(first))] == ["test_jobs", "snapshots"]
    names = (Path(path).name for path in first)
    written.stdout.fnmatch_lines_random([f"plan guard: *: snapshot written: *snapshots/*/{name}" for name in names])
    assert "no snapshot" not in written.stdout.str()
    assert all("-> Index Scan using jobs_waiting_idx on shop.jobs as j" in text for text in first.values())

    project.write("schema.sql", RENAMED)
    changed = project.run("--plan-update-new-only")
    changed.assert_outcomes(failed=2, passed=1)
    sentence = "shop.take_job: shop.jobs (j) is read by the index jobs_queue_idx, before by the index jobs_waiting_idx"
    assert changed.stdout.str().count(f"snapshot.other_index: {sentence}") == 2
    assert f"in shop.take_job (schema.sql:{UPDATE_LINE - 4}): update shop.jobs" in changed.stdout.str()
    assert project.snapshots() == first

    project.snapshot("snapshots", "old")
    project.snapshot("plan_snapshots/test_jobs", "old")
    [torn] = project.path.glob("plan_snapshots/*/*/test-*.plan")
    torn.write_text("torn")
    updated = project.run("--plan-update")
    updated.assert_outcomes(passed=3)
    updated.stdout.fnmatch_lines_random(
        [
            f"plan guard: take a job: changed: {sentence}",
            "plan guard: snapshots: removed old.plan, which belongs to no case",
            "plan guard: removed plan_snapshots/test_jobs/*/old.plan, which belongs to no test",
        ]
    )
    second = project.snapshots()
    assert second == {name: text.replace("jobs_waiting_idx", "jobs_queue_idx") for name, text in first.items()}

    project.snapshot("snapshots", "old")
    unused = project.run()
    unused.assert_outcomes(passed=2, failed=1)
    unused.stdout.fnmatch_lines(["*snapshot.unused: snapshots/*/old.plan belongs to no case"])


def test_an_unused_snapshot_of_the_fixture_fails_a_whole_run_only(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.example(*PYTHON)
    with (project.path / "test_jobs.py").open("a") as file:
        file.write("\n\ndef test_other():\n    import os\n    assert 'BREAK' not in os.environ\n")
    project.run("--plan-update-new-only").assert_outcomes(passed=2)
    project.snapshot("plan_snapshots/test_jobs", "old")
    project.snapshot("plan_snapshots/test_gone", "old")
    (project.path / "plan_snapshots/test_jobs/9").mkdir()
    (project.path / "plan_snapshots/test_jobs/9/other-version.plan").write_text("")
    monkeypatch.setenv("CI", "1")
    told = [f"plan guard: snapshot.unused: plan_snapshots/{name}/*/old.plan*" for name in ("test_gone", "test_jobs")]
    whole = project.run("-n", "2")
    assert whole.ret == 1
    whole.assert_outcomes(passed=2)
    whole.stdout.fnmatch_lines(told)
    assert "other-version" not in whole.stdout.str()
    monkeypatch.setenv("BREAK", "1")
    assert "snapshot.unused" not in project.run("-x").stdout.str()
    monkeypatch.delenv("BREAK")
    for arguments in (("--lf",), ("-k", "index"), ("test_jobs.py::test_other",)):
        done = project.run(*arguments)
        assert done.ret == 0
        assert "snapshot.unused" not in done.stdout.str()


def test_plans_that_two_fresh_databases_do_not_agree_on_are_not_written(project: Project) -> None:
    project.example(*PYTHON)
    project.write(
        "conftest.py",
        """
import itertools, pathlib, psycopg, pytest

builds = itertools.count()

@pytest.fixture(scope="session")
def plan_guard_schema():
    def build(dsn):
        with psycopg.connect(dsn) as connection:
            connection.execute(pathlib.Path("schema.sql").read_text())
            if next(builds) == 1:
                connection.execute("alter index shop.jobs_waiting_idx rename to another_idx")
    return build
""",
    )
    done = project.run("--plan-update")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        ["E  *snapshot.unstable: the plans in a first and in a second fresh database differ; * was not written"]
    )
    assert project.snapshots() == {}


# Names

NAMED = """
import pytest

BUDGET = {"statements": 1, "seq_scans": []}

def test_a_call(plan_guard):
    plan_guard.check("select * from shop.jobs where id = 1", budget=BUDGET)

class TestTwo:
    @pytest.mark.parametrize("column", ["id", "id/ä"])
    def test_a_call(self, plan_guard, column):
        plan_guard.check(f"select {column[:2]} from shop.jobs where id = 1", budget=BUDGET)

def test_what_is_prepared_is_there(plan_guard):
    plan_guard.prepare("delete from shop.jobs where id > 2")
    plan_guard.prepare(lambda dsn: None)
    report = plan_guard.check("select count(*) from shop.jobs", budget={"rows_read": 2})
    assert report.passed
"""


def test_each_case_has_its_own_snapshot_whatever_it_is_called(project: Project) -> None:
    project.example(*EVERYTHING)
    text = (project.path / "plans.toml").read_text()
    (project.path / "plans.toml").unlink()
    project.write("second/plans.toml", text.replace("take a job", "größe/a::b [c]"))
    project.write("second/conftest.py", SECOND)
    project.write("second/schema.sql", RENAMED)
    project.write("test_named.py", NAMED)
    project.write("second/test_second.py", (project.path / "test_jobs.py").read_text())
    project.run("--plan-update-new-only").assert_outcomes(passed=8)
    snapshots = project.snapshots()
    assert len(snapshots) == 7
    assert all(name.isascii() for name in snapshots)
    # Each folder has a schema of its own.
    assert {("jobs_queue_idx" in text) == name.startswith("second/") for name, text in snapshots.items()} == {True}
