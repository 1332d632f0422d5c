"""``eventlive-db lint sql``: what it prints, writes and ends with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from eventlive_db.cli.app import app
from eventlive_db.lint.sql import RULES
from tests.lint.sql_bench import ONLY_NAMES, SHOP, project

FAULTY = "select 1;\nselect o.id from shop.orders o;\n"
FILES = {
    "lint.toml": ONLY_NAMES,
    "sql/1.sql": SHOP,
    "sql/2.sql": FAULTY,
    "app/main.py": 'Q = "select x from shop.orders"\n',
}


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project(tmp_path, FILES)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["lint", "sql", *arguments])


def test_each_finding_is_a_line_that_an_editor_can_follow() -> None:
    done = run()
    assert done.exit_code == 1
    first, second, last = done.stdout.splitlines()
    assert first.startswith("app/main.py:1:13: resolve.column: shop.orders has no column x; it has order_id,")
    assert second.startswith("sql/2.sql:2:10: resolve.column: shop.orders has no column id; it has order_id,")
    assert last.startswith("2 findings in ")
    assert last.endswith(" statements of 3 files")


def test_nothing_found_ends_with_zero() -> None:
    Path("sql/2.sql").unlink()
    Path("app/main.py").unlink()
    done = run()
    assert (done.exit_code, done.stdout.splitlines()[0][:10]) == (0, "no finding")


def test_a_path_narrows_what_is_told_and_not_what_is_known() -> None:
    done = run("app")
    assert done.exit_code == 1
    assert [line.partition(":")[0] for line in done.stdout.splitlines()[:-1]] == ["app/main.py"]
    assert run("sql/1.sql").exit_code == 0


def test_a_path_that_the_configuration_does_not_name_is_linted_too(tmp_path: Path) -> None:
    project(tmp_path, {"more/3.sql": "select c.id from shop.customers c;\n"})
    done = run("more")
    assert "more/3.sql:1:10: resolve.column: shop.customers has no column id" in done.stdout


def test_json_is_one_object() -> None:
    done = run("--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert told["files"] == 3
    assert told["findings"][1] == {
        "file": "sql/2.sql",
        "line": 2,
        "column": 10,
        "end_column": 12,
        "rule": "resolve.column",
        "message": "shop.orders has no column id; it has order_id, customer_id, state, total, placed_at",
        "advice": "",
        "object": "",
    }


def sarif(path: str = "out.sarif") -> dict[str, Any]:
    log: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return log


def test_sarif_has_rules_and_regions() -> None:
    assert run("--sarif", "out.sarif").exit_code == 1
    log = sarif()
    assert log["version"] == "2.1.0"
    (ran,) = log["runs"]
    rules = ran["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(RULES)
    assert all(rule["shortDescription"]["text"] for rule in rules)
    for result in ran["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == "resolve.column"
        (location,) = result["locations"]
        region = location["physicalLocation"]["region"]
        assert 1 <= region["startColumn"] < region["endColumn"]
    assert ran["results"][1]["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "sql/2.sql"},
        "region": {"startLine": 2, "startColumn": 10, "endColumn": 12},
    }


def test_sarif_is_written_where_nothing_is_found_too() -> None:
    assert run("--sarif", "out.sarif", "sql/1.sql").exit_code == 0
    assert sarif()["runs"][0]["results"] == []


def test_locks_prints_a_table(tmp_path: Path) -> None:
    project(
        tmp_path,
        {
            "migrations/1_a.up.sql": "create table shop.orders (order_id bigint);\n",
            "migrations/2_b.up.sql": "alter table shop.orders add column b float default random();\n",
        },
    )
    done = run("--locks", "sql/1.sql")
    head, row = done.stdout.splitlines()[:2]
    assert head.split() == ["where", "statement", "lock", "relation", "effect"]
    assert row.split() == [
        "migrations/2_b.up.sql:1",
        *("alter", "table", "shop.orders", "add", "column", "b", "float", "default", "random()"),
        *("AccessExclusive", "shop.orders", "rewrites", "(volatile", "default", "random())"),
    ]
    told = json.loads(run("--locks", "--json").stdout)["locks"]
    assert [(line["lock"], line["new"]) for line in told] == [("AccessExclusive", False)]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "nowhere does not exist"),
        (["--config", "nowhere.toml"], "nowhere.toml cannot be read"),
        (["--config", "sql/1.sql"], "is not TOML"),
        (["--sarif", "nowhere/out.sarif"], "there is no folder nowhere"),
    ],
)
def test_what_cannot_be_linted_ends_with_two(arguments: list[str], says: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert says in done.stderr
    assert done.stderr.startswith("eventlive-db: ")


def test_a_folder_with_nothing_to_lint_is_no_clean_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    done = run()
    assert done.exit_code == 2
    assert "there is no SQL here" in done.stderr


def test_a_file_that_is_no_text_ends_with_two() -> None:
    Path("sql/3.sql").write_bytes(b"\xff\xfe")
    done = run()
    assert done.exit_code == 2
    assert "sql/3.sql cannot be read" in done.stderr


def test_without_its_extra_the_command_says_what_to_install() -> None:
    script = (
        "import sys\n"
        "sys.modules['pglast'] = None\n"
        "sys.argv = ['eventlive-db', 'lint', 'sql']\n"
        "from eventlive_db.cli import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'eventlive-db[lint]'" in done.stderr
    assert "Traceback" not in done.stderr
