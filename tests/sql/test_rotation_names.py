"""Names that the rotation of the visit log would choose are taken: what has them is left alone, and it takes others."""

from __future__ import annotations

import re

import psycopg
import pytest

from tests.support.database import EventliveDatabase
from tests.support.event_log import EventLog, neglect, verbs


@pytest.fixture
def log(db: EventliveDatabase) -> EventLog:
    return EventLog(db)


STRANGERS = {
    "table": "create table eventlive.{0} (a int); insert into eventlive.{0} values (1)",
    "table like the log": (
        "create table eventlive.{0} (like eventlive.event_access_logs including all);"
        " comment on table eventlive.{0} is 'Mine.'"
    ),
    "view": "create view eventlive.{0} as select 1 as a",
    "type": "create type eventlive.{0} as enum ()",
    "index": "create table eventlive.other_{0} (a int); create index {0}_pkey on eventlive.other_{0} (a)",
}


def chosen(log: EventLog) -> list[str]:
    """The names that a run would choose, but for that which has the moment of the run in it."""
    with log.db.admin.transaction(force_rollback=True):
        before = set(log.tables())
        for step in log.work():
            log.db.admin.execute("select eventlive.job_step('rotate_event_logs', null, null, %s, 0)", [step])
        made = set(log.tables()) - before
    expired = [step.partition(" ")[2] + "_expired" for step in log.work() if step.startswith("detach")]
    ahead = [name for name in made if not re.search(r"_\d{12}$", name)]
    return [*sorted(ahead), *expired, *(f"event_access_logs_{word}" for word in ("draining", "incoming", "next"))]


@pytest.mark.parametrize("kind", STRANGERS)
def test_all_is_done_under_other_names(log: EventLog, kind: str) -> None:
    keep, _ = neglect(log)
    log.set(event_log_ahead_days=100)
    names = chosen(log)
    assert len(names) >= 6
    told = kind == "table like the log"
    for name in names:
        log.as_owner(STRANGERS[kind].format(name))
    before = log.beside()
    assert verbs(log.work())[:7] == ["discard", "swap", "check", "attach", "add", "detach", "drop"]
    if told:
        with pytest.raises(
            psycopg.errors.ObjectNotInPrerequisiteState, match="draining looks like a part of the visit"
        ):
            log.rotate()
    else:
        log.rotate()
    assert log.names() == keep
    assert (log.caught(), log.is_ahead()) == ([], True)
    assert log.beside() == before
    assert log.work() == (["tell"] if told else [])


def test_each_of_those_names_would_be_in_the_way(log: EventLog) -> None:
    """Without care for what is there, no run would come to its end."""
    neglect(log)
    log.db.admin.execute(
        "create or replace function eventlive.event_log_free_name(_schema regnamespace, _stem text, _suffix text)"
        " returns text language sql as $$ select _stem || _suffix $$"
    )
    found = []
    for name in chosen(log):
        with log.db.admin.transaction(force_rollback=True):
            log.db.admin.execute(STRANGERS["table"].format(name).encode())
            try:
                with log.db.admin.transaction():
                    for step in log.work():
                        log.db.admin.execute(
                            "select eventlive.job_step('rotate_event_logs', null, null, %s, 0)", [step]
                        )
            except (psycopg.errors.DuplicateTable, psycopg.errors.DuplicateObject):
                found.append(name)
    assert found == chosen(log)


@pytest.mark.parametrize("old", ["an archive", "a stray"])
def test_a_stray_that_comes_where_an_archive_was_taken_out_gets_a_partition_of_its_own(log: EventLog, old: str) -> None:
    """The archive has the name of that partition, of its index and of its policy."""
    log.partition("-200 days", "-100 days", "archived")
    log.partition("-100 days", "60 days", "kept")
    name = log.partition_of("archived")
    log.detach(name)
    if old == "a stray":
        log.as_owner(f"insert into eventlive.{name} select * from eventlive.event_access_logs")
    log.write("-150 days", "stray")
    log.rotate()
    assert (log.names(), log.caught(), log.work()) == (["kept", "stray"], [], [])
    assert log.partition_of("stray") not in {name, "event_access_logs_default"}


def test_partitions_that_have_such_names_keep_them(log: EventLog) -> None:
    words = ("draining", "incoming", "next", "p20000101_expired")
    for number, word in enumerate(words):
        log.partition(f"-{60 + number} days", f"-{59 + number} days", word)
        log.as_owner(f"alter table eventlive.{log.partition_of(word)} rename to event_access_logs_{word}")
    log.write("-1 day", "caught")
    log.rotate()
    log.write("-70 days", "late")
    log.rotate()
    assert log.names() == sorted([*words, "caught", "late"])
    assert [log.partition_of(word) for word in words] == [f"event_access_logs_{word}" for word in words]
    assert (log.caught(), log.work()) == ([], [])


def test_an_index_of_the_default_partition_that_has_another_name_is_no_obstacle(log: EventLog) -> None:
    log.as_owner("alter index eventlive.event_access_logs_default_pkey rename to other_pkey")
    log.as_owner("create table eventlive.other (a int)")
    log.as_owner("create index event_access_logs_default_pkey on eventlive.other (a)")
    log.write("-1 day", "caught")
    log.rotate()
    log.write("-1 day", "late")
    assert (log.names(), log.caught(), log.work()) == (["caught", "late"], [], [])
