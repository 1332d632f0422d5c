"""The script that a DBA runs leads to where the program leads."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import psycopg
import pytest

from eventlive_db.migrate import (
    MigrateError,
    Options,
    compare,
    downgrade,
    revisions,
    script,
    status,
    upgrade,
)
from eventlive_db.migrate.sqltext import split_statements
from tests.migrate.conftest import People, connected, run, whole_catalog
from tests.migrate.test_round_trip import fill


def play(dsn: str, text: str) -> None:
    """Send a script as psql --file does: one statement after the other, until the first error."""
    with connected(dsn) as connection:
        for statement in split_statements(text):
            connection.execute(statement.text.encode())


def same(one: str, other: str) -> bool:
    return compare(whole_catalog(one), whole_catalog(other), strict=True) == [] and (
        status(one).current == status(other).current
    )


@pytest.mark.parametrize("api_schema", ["eventlive_api", "public"])
def test_the_script_gives_the_same_catalog_and_revision_forward_and_back(
    people: People, make_database: Callable[..., str], api_schema: str
) -> None:
    owner = people.name("boss")
    names = Options(api_schema=api_schema, owner=owner)
    online, offline = make_database(), make_database()
    empty = whole_catalog(offline)
    upgrade(Options(online, api_schema, owner))
    play(offline, script(names))
    assert status(offline).up_to_date
    assert same(online, offline)

    play(offline, script(names, "head", "base", back=True))
    assert whole_catalog(offline) == empty
    assert status(offline).current is None


def test_every_single_step_may_be_a_script(make_database: Callable[..., str]) -> None:
    online, offline = make_database(), make_database()
    way = ["base", *revisions()]
    for start, end in pairwise(way):
        upgrade(Options(online), end)
        play(offline, script(Options(), start, end))
        assert same(online, offline), end
    for start, end in pairwise(reversed(way)):
        downgrade(Options(online), end)
        play(offline, script(Options(), start, end, back=True))
        assert same(online, offline), end


def test_the_script_refuses_to_drop_data_unless_told_to(empty_database: str) -> None:
    upgrade(Options(empty_database))
    fill(empty_database)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="hold data"):
        play(empty_database, script(Options(), "head", "base", back=True))
    assert status(empty_database).current == "0002"
    with connected(empty_database) as connection:
        connection.execute("set eventlive.discard_data = 'on'")
        connection.execute(script(Options(), "0002", "0001", back=True).encode())
    assert status(empty_database).current == "0001"


def test_a_script_that_may_discard_data_says_so(empty_database: str) -> None:
    upgrade(Options(empty_database))
    fill(empty_database)
    text = script(Options(discard_data=True), "head", "base", back=True)
    assert "set eventlive.discard_data = 'on';" in text
    play(empty_database, text)
    assert status(empty_database).current is None


@pytest.mark.parametrize("start", ["base", "0002"])
def test_a_script_refuses_a_database_that_is_elsewhere(empty_database: str, start: str) -> None:
    upgrade(Options(empty_database), "0003")
    before = whole_catalog(empty_database)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        play(empty_database, script(Options(), start))
    assert whole_catalog(empty_database) == before


def test_a_script_refuses_a_database_with_other_names(empty_database: str) -> None:
    upgrade(Options(empty_database), "0003")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="are front, eventlive_owner in this"):
        play(empty_database, script(Options(api_schema="front"), "0003"))


def test_a_script_leaves_no_lock_behind(empty_database: str) -> None:
    with connected(empty_database) as connection:
        connection.execute(script(Options()).encode())
        assert connection.execute("select from pg_locks where locktype = 'advisory'").fetchall() == []


@pytest.mark.parametrize(
    ("start", "end", "back", "problem"),
    [
        ("base", "9999", False, "there is no revision 9999"),
        ("0002", "0001", False, "is the way back; add --down"),
        ("0001", "0002", True, "is the way forward; leave out --down"),
        ("0002", "0002", False, "nothing to write"),
    ],
)
def test_ways_that_lead_nowhere_are_refused(start: str, end: str, back: bool, problem: str) -> None:
    with pytest.raises(MigrateError, match=problem):
        script(Options(), start, end, back=back)


def test_a_script_is_no_session_of_alembic_settings(empty_database: str) -> None:
    """A search_path or lock_timeout of the person who runs the script is as it was."""
    with connected(empty_database) as connection:
        connection.execute("set search_path = public")
        connection.execute("set lock_timeout = '7s'")
        connection.execute(script(Options()).encode())
        assert connection.execute(
            "select current_setting('search_path'), current_setting('lock_timeout')"
        ).fetchone() == (
            "public",
            "7s",
        )
    run(empty_database, "select 1")
