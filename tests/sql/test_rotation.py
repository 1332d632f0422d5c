"""The visit log by time: partitions are there before they are needed, old ones go, and no event is lost or doubled."""

from __future__ import annotations

import re

import pytest

from eventlive_db.client import Identity
from eventlive_db.client.calls import SET_IDENTITY
from tests.support.actors import new_id
from tests.support.database import EventliveDatabase
from tests.support.event_log import EventLog, neglect, verbs


@pytest.fixture
def log(db: EventliveDatabase) -> EventLog:
    return EventLog(db)


def test_the_first_run_makes_one_partition_of_all_that_was_caught(log: EventLog) -> None:
    log.write("-3000 days", "of long ago")
    log.write("0 s", "of now")
    assert log.partitions() == []
    log.rotate()
    assert log.names() == ["of long ago", "of now"]
    assert log.caught() == []
    [first, *_] = log.bounds()
    assert re.fullmatch(r"event_access_logs_until_\d{8}_\d{12}", first[0])
    assert first[1:] == (-99999, 0)
    assert log.covered()


def test_the_first_run_on_an_empty_log_makes_partitions(log: EventLog) -> None:
    log.rotate()
    assert log.covered()
    log.write("0 s", "new")
    log.write("-5 years", "old")
    log.write("40 days", "ahead")
    assert log.caught() == []


def test_the_second_run_does_nothing(log: EventLog) -> None:
    neglect(log)
    log.rotate()
    before = log.bounds(), log.tables(), log.names()
    assert log.work() == []
    assert log.rotate()["batches"] == 0
    assert (log.bounds(), log.tables(), log.names()) == before


def test_a_dry_run_says_each_step_and_changes_nothing(log: EventLog) -> None:
    neglect(log)
    before = log.bounds(), log.tables(), log.names()
    planned = log.work()
    assert (log.bounds(), log.tables(), log.names()) == before
    assert verbs(planned) == ["discard", "swap", "check", "attach", "add", "detach", "drop"]
    assert log.rotate()["batches"] == len(planned)


@pytest.mark.parametrize("months", [1, 4, 12, 50])
def test_what_came_while_nobody_rotated_becomes_a_partition(log: EventLog, months: int) -> None:
    log.set(event_log_retention_days=36500)
    log.partition(None, f"-{months} months", "before")
    log.write(f"-{months} months 1 hour", "first")
    log.write("0 s", "last")
    log.rotate()
    assert log.names() == ["before", "first", "last"]
    assert log.caught() == []
    assert log.covered()
    assert len(log.partitions()) in {4, 5}


def test_what_came_after_the_list_was_made_is_moved_into_the_partition_that_is_added(log: EventLog) -> None:
    log.partition(None, "-10 days", "before")
    assert log.work()[0] == "add"
    log.write("-1 day", "late")
    with log.step("add"):
        pass
    assert log.names() == ["before", "late"]
    assert log.caught() == []


def test_what_is_older_than_all_partitions_is_kept_as_long_as_the_retention_says(log: EventLog) -> None:
    log.partition("-30 days", "60 days", "kept")
    log.write("-400 days", "past")
    log.write("-200 days", "within")
    log.rotate()
    assert log.names() == ["kept", "past", "within"]
    assert log.caught() == []
    assert log.work() == []
    log.set(event_log_retention_days=20)
    log.rotate()
    assert log.names() == ["kept"]
    log.write("-40 days", "late")
    assert log.names() == ["kept", "late"]
    log.rotate()
    assert log.names() == ["kept"]


def test_strays_are_discarded_in_batches(log: EventLog) -> None:
    log.partition("-370 days", "60 days")
    log.set(job_batch_size=10)
    log.write("-400 days", *(f"stray {number}" for number in range(25)))
    assert [step for step in log.work() if step == "discard"] == ["discard"] * 3
    outcome = log.rotate()
    assert (outcome["rows"], outcome["batches"]) == (25, 3)
    assert log.caught() == []


def test_a_raised_retention_keeps_what_was_not_dropped_yet(log: EventLog) -> None:
    log.partition("-800 days", "-500 days", "old")
    log.partition("-500 days", "60 days", "new")
    log.set(event_log_retention_days=600)
    log.rotate()
    assert log.names() == ["new", "old"]
    log.set(event_log_retention_days=400)
    log.rotate()
    assert log.names() == ["new"]


def test_a_partition_goes_only_when_its_last_event_may(log: EventLog) -> None:
    log.partition("-800 days", "-364 days", "half")
    log.partition("-364 days", "60 days", "new")
    log.rotate()
    assert log.names() == ["half", "new"]


def test_events_to_come_do_not_stretch_the_log(log: EventLog) -> None:
    """The server's clock was wrong for a while: what it wrote waits for its time, and is in the log."""
    log.write("-1 day", "true")
    log.write("2 hours", "wrong by hours")
    log.write("40 days", "wrong by weeks")
    log.write("73 years", "wrong by decades")
    log.rotate()
    everything = sorted(["true", "wrong by hours", "wrong by weeks", "wrong by decades"])
    assert log.names() == everything
    assert log.caught() == ["wrong by decades"]
    assert log.covered()
    assert max(until for _, _, until in log.bounds()) < 100
    log.set(event_log_ahead_days=100)
    log.rotate()
    log.write("80 days", "of a year's length")
    assert log.work() == []
    assert log.names() == sorted([*everything, "of a year's length"])


def test_events_to_come_are_in_the_partition_of_their_time_when_that_is_made(log: EventLog) -> None:
    log.rotate()
    log.write("100 days", "to come")
    assert log.caught() == ["to come"]
    log.set(event_log_ahead_days=120)
    assert verbs(log.work()) == ["add"]
    log.rotate()
    assert (log.names(), log.caught()) == (["to come"], [])


def test_new_lengths_hold_for_new_partitions(log: EventLog) -> None:
    log.rotate()
    before = log.partitions()
    log.set(event_log_partition_days=1, event_log_ahead_days=90)
    log.rotate()
    added = [bounds for bounds in log.bounds() if bounds[0] not in before]
    assert 10 < len(added) < 80
    assert all(until - since == 1 for _, since, until in added)
    log.set(event_log_partition_days=366)
    assert log.rotate()["batches"] == 0
    log.set(event_log_ahead_days=400, event_log_retention_days=0.01)
    log.rotate()
    assert log.covered()
    log.set(event_log_ahead_days=1)
    assert log.rotate()["batches"] == 0


@pytest.mark.parametrize(
    "settings",
    [
        "set timezone = 'Asia/Tokyo'; set datestyle = 'SQL, DMY'; set intervalstyle = 'iso_8601'",
        "set timezone = 'America/St_Johns'; set datestyle = 'German'; set extra_float_digits = -15",
        "set timezone = 'UTC'; set lock_timeout = 0; set statement_timeout = 0; set search_path = ''",
    ],
)
def test_the_settings_of_the_session_make_no_difference(log: EventLog, settings: str) -> None:
    keep, _ = neglect(log)
    session = log.db.connect()
    session.execute(settings.encode())
    log.rotate(session)
    assert log.names() == keep
    assert [name for name in log.partitions() if not re.fullmatch(r"event_access_logs_p\d{8}(_\d{12})?", name)] == []
    comments = log.db.rows("select obj_description(relation, 'pg_class') from eventlive.event_log_partitions()")
    assert all(re.match(r"Events from \d{4}-\d\d-\d\d [\d:.]+\+00 until \d{4}-", text) for (text,) in comments)
    assert log.work() == []


SHAPE = """
    select (select array_agg(format('%%s %%s %%s %%s', a.attname, a.atttypid::regtype, a.attnotnull, a.attstorage)
                             order by a.attname)
              from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
           (select array_agg(pg_get_constraintdef(k.oid) order by pg_get_constraintdef(k.oid)) from pg_constraint k
             where k.conrelid = c.oid and k.contype <> 'n'),
           (select array_agg(p.polname = c.relname || '_service' order by p.polname) from pg_policy p
             where p.polrelid = c.oid),
           (select array_agg(i.relname = c.relname || '_pkey') from pg_index x join pg_class i on i.oid = x.indexrelid
             where x.indrelid = c.oid and x.indisvalid and x.indisprimary),
           c.relrowsecurity, c.relowner::regrole::text,
           has_table_privilege('anon', c.oid, 'select, insert, update, delete, truncate'),
           has_table_privilege('authenticated', c.oid, 'select, insert, update, delete, truncate'),
           has_table_privilege('service_role', c.oid, 'select, insert, update, delete, truncate')
      from pg_class c
     where c.relispartition and c.relkind = 'r' and c.relname ~ '^event_access_logs_'
"""


@pytest.mark.parametrize("who", ["superuser", "member"])
def test_every_partition_is_like_the_declared_one_whoever_runs_the_job(log: EventLog, who: str) -> None:
    [declared] = log.db.rows(SHAPE)
    keep, _ = neglect(log)
    role = f"runner_{new_id().hex[:12]}"
    session = log.db.connect()
    try:
        if who == "member":
            log.db.admin.execute(f"create role {role}; grant eventlive_owner to {role}".encode())
            session.execute(f"set session authorization {role}".encode())
        log.rotate(session)
    finally:
        session.execute("reset session authorization")
        if who == "member":
            log.db.admin.execute(f"drop role {role}".encode())
    assert log.names() == keep
    shapes = log.db.rows(SHAPE)
    assert len(shapes) == len(log.partitions()) + 1
    assert [shape for shape in shapes if shape != declared] == []
    assert declared[2:] == ([True], [True], True, "eventlive_owner", False, False, False)


def test_staff_and_service_read_the_log_over_all_partitions_and_others_nothing(log: EventLog) -> None:
    host, stranger = log.db.user(), log.db.user()
    webinar_id = log.db.webinar(host=host.user_id)
    for when in ("-300 days", "-30 days", "0 s", "30 days", "20 years"):
        log.db.admin.execute(
            "insert into eventlive.event_access_logs (webinar_id, occurred_at, event)"
            " values (%s, now() + %s::interval, 'left')",
            [webinar_id, when],
        )
        log.rotate()
    everything = "select count(*) from eventlive_api.event_access_logs"

    def seen(identity: Identity) -> int:
        connection = log.db.connect()
        with connection.transaction():
            connection.execute(SET_IDENTITY, identity.settings())
            row = connection.execute(everything.encode()).fetchone()
        assert row
        return int(row[0])

    assert (seen(host.identity), seen(stranger.identity), seen(Identity.service())) == (5, 0, 5)


def test_numbers_of_events_stay_unique(log: EventLog) -> None:
    neglect(log)
    log.rotate()
    for name in ("a", "b"):
        log.write("0 s", name)
        log.write("-10 days", name)
        log.rotate()
    numbers = [number for (number,) in log.db.rows("select event_id from eventlive.event_access_logs")]
    assert len(set(numbers)) == len(numbers) == 9
