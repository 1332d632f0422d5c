"""What the documents say is so: every command runs, every name exists, every table is complete."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from eventlive_db.migrate import Options, upgrade
from eventlive_db.plans.budget import Budget
from tests.support.database import EventliveDatabase

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str) -> list[pytest.param]:  # type: ignore[valid-type]
    """Fenced blocks of a language, in every document."""
    return [
        pytest.param(block, id=f"{path.name}-{number}")
        for path in DOCUMENTS
        for number, block in enumerate(re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.M | re.S))
    ]


def environment(**extra: str) -> dict[str, str]:
    """That of a person who has just set up: the commands of this installation first."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", **extra}


def run(command: list[str], **extra: str) -> str:
    """Run in the project's root; its output, or a failure that shows it."""
    done = subprocess.run(command, cwd=ROOT, env=environment(**extra), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def is_run_elsewhere(line: str) -> bool:
    """``make demo`` and ``make test`` are what CI runs; ``pip install`` is tried by the packaging tests."""
    return line.startswith(("make ", "pip install"))


@pytest.mark.parametrize("block", blocks("sh"))
def test_every_command_runs(block: str, make_database: object, tmp_path: Path) -> None:
    lines = [line for line in block.splitlines() if line.strip()]
    for line in filter(is_run_elsewhere, lines):
        if line.startswith("make "):
            run(["make", "--dry-run", *line.partition("#")[0].split()[1:]])
    script = "\n".join(line for line in lines if not is_run_elsewhere(line))
    if not script:
        return
    dsn = make_database()  # type: ignore[operator]
    if "migrate down" in script or "lint db" in script:
        upgrade(Options(dsn=dsn))
    script = script.replace("install.sql", str(tmp_path / "install.sql"))
    # In a few seconds instead of twenty.
    script = script.replace("demo --attendance", "demo --seconds 3 --attendance")
    # Fewer, for a shorter time, and however fast: the marks are those of another test.
    small = f"load s1 --viewers 10 --minutes 1 --speed 60 --history 1000 --via psycopg --out {tmp_path}/s1.json"
    script = re.sub(r"load s1 .*--html s1\.html", f"{small} --html {tmp_path}/s1.html || [ $? = 1 ]", script)
    own_server = any(word in script for word in ("server", "demo", "load s1"))
    without_dsn = {"EVENTLIVE_DSN": ""} if own_server else {"EVENTLIVE_DSN": dsn}
    run(["bash", "-eu", "-c", script], **without_dsn)


@pytest.mark.parametrize("block", blocks("python"))
def test_every_program_runs(block: str, db: EventliveDatabase) -> None:
    output = run([sys.executable, "-c", block], EVENTLIVE_DSN=db.dsn)
    promised = re.findall(r"# (.+)$", block, re.M)
    assert output.split("\n")[:-1] == promised


def test_the_ten_lines_of_the_plan_guard_are_those_that_are_tested() -> None:
    text = (ROOT / "docs" / "plans.md").read_text()
    shown = re.findall(r"^```(?:toml|py)\n(.*?)^```", text, re.M | re.S)
    example = ROOT / "tests" / "plans" / "example"
    assert shown == [(example / f"{name}.txt").read_text() for name in ("plans.toml", "conftest.py", "test_jobs.py")]
    assert all(len([line for line in block.splitlines() if line]) <= 10 for block in shown)


def test_the_plan_guard_lists_every_budget() -> None:
    rows = table(ROOT / "docs" / "plans.md", "Budgets")
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    assert listed == {field.name for field in dataclasses.fields(Budget)}


@pytest.mark.parametrize("block", blocks("js"))
def test_every_call_in_javascript_names_a_function_and_parameters_that_exist(block: str, db: EventliveDatabase) -> None:
    parameters = dict(
        db.rows("select proname, proargnames from pg_proc where pronamespace = 'eventlive_api'::regnamespace")
    )
    calls = re.findall(r"rpc(?:\('|/)(\w+)(?:'|`).*?\{ (_.*?)\}", block, re.S)
    assert calls or "rpc" not in block
    for function, arguments in calls:
        assert set(re.findall(r"(\w+):", arguments)) <= set(parameters[function])


def test_every_block_is_of_a_language_that_some_test_runs() -> None:
    """``sql`` and ``ini`` and all of the Supabase client are run by ``tests/http/test_documents.py``."""
    found = {language for path in DOCUMENTS for language in re.findall(r"^```(\w+)$", path.read_text(), re.M)}
    assert found == {"sh", "python", "js", "toml", "py", "text", "sql", "ini"}


def table(path: Path, heading: str) -> list[list[str]]:
    """The rows of the table under a heading, without its head."""
    section = path.read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in section.splitlines() if line[:1] == "|"]
    return rows[2:]


def test_the_readme_lists_every_function_and_its_parameters(db: EventliveDatabase) -> None:
    listed = dict(
        re.findall(
            r"`((?:webinar|pre)_\w+)\(([^)]*)\)`", "\n".join(" ".join(r) for r in table(DOCUMENTS[0], "The functions"))
        )
    )
    actual = dict(
        db.rows(
            "select proname, coalesce(array_to_string(proargnames, ', '), '') from pg_proc"
            " where pronamespace = 'eventlive_api'::regnamespace"
        )
    )
    assert set(listed) == set(actual)
    for function, parameters in listed.items():
        assert actual[function].startswith(parameters.removesuffix(", …")), function


def test_the_contract_lists_every_token_with_its_status_message_and_hint() -> None:
    source = (ROOT / "sql" / "00_roles" / "30_raise_error.sql").read_text()
    declared = re.findall(r"\('(\w+)', (\d{3}), '((?:[^']|'')*)',\s*'((?:[^']|'')*)'\)", source)
    listed = [
        (token.strip("`"), status, message, hint)
        for status, token, message, hint in table(ROOT / "docs/contract.md", "Errors")
    ]
    assert [tuple(part.replace("''", "'") for part in row) for row in declared] == listed


def test_the_contract_lists_every_setting_with_its_default_and_bounds(db: EventliveDatabase) -> None:
    declared = db.rows(
        "select '`' || key || '`', default_value::text, coalesce(min_value || ' to ' || max_value, ''),"
        " coalesce(unit, ''), case when per_webinar then 'yes' else 'no' end,"
        " case when client_visible then 'yes' else 'no' end, description from eventlive.settings order by key"
    )
    assert [list(row) for row in declared] == table(ROOT / "docs/contract.md", "Settings")
