"""Every rule finds the fault it is made for and nothing else does, and the repaired form is found by none."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from eventlive_db.lint.db import Report, lint_database, rules
from eventlive_db.resources import sql_dir
from tests.lint.db_faults import BASE, CLEAN_UP, FAULTS, Fault

APP = ("app", "app_api")


@pytest.fixture
def admin(shared_dsn: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection to a database with the schemas of ``BASE``, in which nothing is found."""
    with psycopg.connect(shared_dsn, autocommit=True) as connection:
        connection.execute(BASE)
        yield connection
        connection.execute(CLEAN_UP)


def look(dsn: str) -> Report:
    """Lint the two schemas."""
    return lint_database(dsn, schemas=APP, exposed=["app_api"], allowances=())


def test_the_base_is_clean(admin: psycopg.Connection[tuple[object, ...]], shared_dsn: str) -> None:
    report = look(shared_dsn)
    assert report.findings == ()
    assert report.passed


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{fault.rule}-{n}" for n, fault in enumerate(FAULTS)])
def test_a_fault_is_found_by_its_rule_alone_until_it_is_repaired(
    admin: psycopg.Connection[tuple[object, ...]], shared_dsn: str, fault: Fault
) -> None:
    admin.execute(fault.plant.encode())
    report = look(shared_dsn)
    assert [(f.rule, f.level, f.object, f.sentence) for f in report.findings] == [
        (fault.rule, fault.level, fault.object, fault.sentence)
    ]
    assert report.passed is (fault.level == "info")
    admin.execute(fault.repair.encode())
    assert look(shared_dsn).findings == ()


def test_every_rule_has_a_fault_and_says_what_to_do() -> None:
    # The bodies of functions have a file of their own.
    assert {fault.rule for fault in FAULTS} | {"broken_function_body"} == {rule.token for rule in rules()}
    for rule in rules():
        assert rule.finds.endswith("."), rule
        assert rule.advice.endswith("."), rule


def test_the_documentation_lists_every_rule() -> None:
    text = (sql_dir().parent / "docs" / "lint.md").read_text()
    assert [row for row in text.splitlines() if any(row.startswith(f"| `{rule.token}` ") for rule in rules())] == [
        f"| `{rule.token}` | {rule.level} | {rule.finds} |" for rule in rules()
    ]
