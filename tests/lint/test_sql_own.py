"""The package's own tree is clean, and stays so only while the linter sees what is wrong with it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from eventlive_db.lint.finding import Finding
from eventlive_db.lint.sql import RULES, Report, find_config, lint
from eventlive_db.lint.sql.check_names import check_declared
from eventlive_db.lint.sql.project import build_declared, read_project
from tests.lint.sql_bench import place

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).resolve().parent.parent.parent
PLANTED = "select id from eventlive.registrations"


@pytest.fixture(scope="module")
def own() -> Report:
    """The package, linted as it is."""
    return lint(ROOT, find_config(ROOT), locks=True)


def test_the_package_itself_is_clean(own: Report) -> None:
    assert own.findings == []
    assert own.files > 100


def test_every_migration_has_its_lines_in_the_table_of_locks(own: Report) -> None:
    heads = {line.file for line in own.locks}
    assert {"migrations/versions/0002_tables.up.sql", "migrations/versions/0006_keyed_plans.up.sql"} <= heads
    (index,) = [line for line in own.locks if line.statement.startswith("create index registrations_hosts_idx")]
    assert (index.fact.relation, index.fact.lock, index.is_new) == ("eventlive.registrations", "Share", False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what the linter needs to know of the package, to plant faults in."""
    for folder in ("sql", "eventlive_db/client"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "lint.toml", tmp_path)
    return tmp_path


def planted(copy: Path, file: str, before: str, after: Callable[[str], str]) -> tuple[str, list[Finding]]:
    """Change one place of a file; the new text, and what the linter says."""
    if file.startswith("migrations"):
        shutil.copytree(ROOT / "migrations", copy / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    path = copy / file
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1
    text = text.replace(before, after(before))
    path.write_text(text, encoding="utf-8")
    # Without the migrations, what is allowed in them is not needed.
    return text, [finding for finding in lint(copy).findings if finding.rule != "allow.unused"]


LATEST = sorted((ROOT / "migrations" / "versions").glob("*.up.sql"))[-1].relative_to(ROOT).as_posix()

PLACES = {
    "a function in plpgsql": (
        "sql/30_rpc/webinar_presence_ping.sql",
        "    -- Assigned, not performed",
        lambda old: f"    perform 1 from ({PLANTED}) as planted;\n{old}",
    ),
    "an atomic function in SQL": (
        "sql/30_rpc/webinar_presence_ping.sql",
        "begin atomic\n",
        lambda old: f"{old}    {PLANTED};\n",
    ),
    "a policy": (
        "sql/10_tables/20_profiles.sql",
        "using (user_id = (select eventlive.current_user_id()))",
        lambda _: f"using (user_id in ({PLANTED}))",
    ),
    "a view": (
        "sql/40_views/profiles.sql",
        "  from eventlive.profiles p;",
        lambda _: f"  from eventlive.profiles p where p.user_id in ({PLANTED});",
    ),
    "a migration": (LATEST, "reset role;\n", lambda old: f"{PLANTED};\n{old}"),
    "a string of the Python client": (
        "eventlive_db/client/calls.py",
        "SET_IDENTITY = sql.SQL(",
        lambda old: f'PLANTED = sql.SQL(\n    "{PLANTED}"\n)\n{old}',
    ),
}


@pytest.mark.parametrize(("file", "before", "after"), PLACES.values(), ids=list(PLACES))
def test_a_column_that_is_not_there_is_found_wherever_it_is_planted(
    copy: Path, file: str, before: str, after: Callable[[str], str]
) -> None:
    text, found = planted(copy, file, before, after)
    (finding,) = [f for f in found if f.rule == "resolve.column"]
    assert (finding.file, finding.line, finding.column) == (file, *place(text, PLANTED.replace("id", "^id", 1)))
    assert "registrations has no column id; it has webinar_id, user_id, role, registered_via" in finding.message


def test_a_ping_that_registers_breaks_its_contract_and_the_list_of_those_who_may(copy: Path) -> None:
    text, found = planted(
        copy,
        "sql/20_core/create_presence.sql",
        "        perform eventlive.raise_error('not_registered');",
        lambda _: "        insert into eventlive.registrations (webinar_id, user_id) values (_webinar_id, _user_id);",
    )
    line = place(text, "insert into eventlive.registrations")[0]
    assert {(f.line, f.rule) for f in found if f.file.endswith("create_presence.sql")} == {
        (line, "contract.touches"),
        (line, "contract.only"),
    }
    assert any(
        f.message.startswith("eventlive_api.webinar_presence_ping does insert on eventlive.registrations")
        for f in found
    )


def test_a_handler_for_everything_on_the_hot_path_is_found_twice(copy: Path) -> None:
    text, found = planted(
        copy,
        "sql/30_rpc/webinar_presence_ping.sql",
        "    -- Assigned, not performed",
        lambda old: f"    begin\n        null;\n    exception when others then null;\n    end;\n{old}",
    )
    line = place(text, "exception when others")[0]
    assert [(f.line, f.rule) for f in found] == [(line, "body.exception_in_hot_path"), (line, "body.when_others")]


def test_the_documents_list_every_rule_and_what_it_asks() -> None:
    text = (ROOT / "docs" / "lint.md").read_text(encoding="utf-8")
    section = text.split("\n### Rules for files\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    assert [(token.strip("`"), asks) for token, asks in rows] == [(rule.token, rule.asks) for rule in RULES.values()]


def test_the_contract_in_the_documents_is_one_of_the_package(own: Report) -> None:
    example = (ROOT / "docs" / "lint.md").read_text(encoding="utf-8").split("```toml\n", 1)[1].split("```", 1)[0]
    assert example.partition("\n[[only]]")[0].strip() in (ROOT / "lint.toml").read_text(encoding="utf-8")
    assert own.findings == []


_NO_CODE = re.compile(r"--[^\n]*|'(?:[^']|'')*'")


@pytest.mark.parametrize(
    ("table", "column", "of_subqueries"),
    [
        ("webinar_live_presence", "joined_at", ["sql/30_rpc/webinar_participants.sql"]),
        ("registrations", "ejected_at", []),
        ("registrations", "nickname", ["sql/30_rpc/webinar_participants.sql"]),
    ],
)
def test_no_place_that_names_a_column_goes_unseen(table: str, column: str, of_subqueries: list[str]) -> None:
    """Taken out of the catalog, a column is missed wherever its word stands in code, but where it is declared.

    Nor is it missed where it is the column of a subquery, in which it was missed before.
    """
    project = read_project(ROOT, find_config(ROOT))
    catalog = build_declared(project)
    relation = catalog.relations[f"eventlive.{table}"]
    rest = {name: type_of for name, type_of in (relation.columns or {}).items() if name != column}
    catalog.relations[relation.name] = replace(relation, columns=rest)
    missed = {
        (fault.snippet.source.name, fault.snippet.offset(fault.index)) for fault in check_declared(project, catalog)
    }
    named = set()
    for script in project.declared:
        code = _NO_CODE.sub(lambda found: " " * len(found.group()), script.source.text)
        named |= {(script.source.name, word.start()) for word in re.finditer(rf"\b{column}\b", code)}
    [declaration, *others] = sorted(file for file, _ in named - missed)
    assert declaration.endswith(f"_{table}.sql")
    assert others == of_subqueries
    assert missed <= named
