"""A log that nobody writes to is not taken for one in which nothing happens."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eventlive_db.watch.log_files import LogFiles
from eventlive_db.watch.readings import Reading
from eventlive_db.watch.signals import LATE_S
from eventlive_db.watch.silence import RARE_AFTER_S, SILENT_AFTER_S
from eventlive_db.watch.watcher import Watcher
from tests.watch.made_up import NOW


def gateway(at: float, status: int = 200) -> str:
    when = datetime.fromtimestamp(at, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'203.0.113.9 - - [{when}] "POST /rest/v1/rpc/x HTTP/1.1" {status} 5 "-" "x" 0.013\n'


def postgres(at: float, sqlstate: str = "00000") -> str:
    when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S.000 UTC")
    severity = "LOG" if sqlstate == "00000" else "ERROR"
    return f"{when} [7] {sqlstate} {severity}:  x\n"


PREFIX = "%m [%p] %e "


class Clock:
    """The time it is."""

    now = NOW


@contextmanager
def watching(*names: Path, once: bool = False) -> Iterator[tuple[Clock, Callable[[], Reading]]]:
    """A clock, and what a look then says of 400."""
    clock = Clock()
    logs = LogFiles.following([str(name) for name in names], once=once, prefix=PREFIX)
    watcher = Watcher(logs, once=once, wall=lambda: clock.now, clock=lambda: clock.now)

    def look() -> Reading:
        return next(reading for reading in watcher.look().snapshot.readings if reading.rule == "http_400")

    try:
        yield clock, look
    finally:
        logs.close()


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def changed(path: Path, at: float) -> None:
    os.utime(path, (at, at))


def once(*names: Path) -> Reading:
    with watching(*names, once=True) as (_, look):
        return look()


@pytest.mark.parametrize(
    ("line", "age_s", "breached"),
    [
        (gateway, SILENT_AFTER_S, False),
        (gateway, SILENT_AFTER_S + 1, None),
        (gateway, -7200, False),
        (postgres, SILENT_AFTER_S + 1, False),
        (postgres, RARE_AFTER_S, False),
        (postgres, RARE_AFTER_S + 1, None),
    ],
)
def test_a_look_at_a_log_that_ended_has_no_data(
    tmp_path: Path, line: Callable[[float], str], age_s: float, breached: bool | None
) -> None:
    log = tmp_path / "x.log"
    log.write_text(line(NOW - age_s))
    changed(log, NOW)
    found = once(log)
    assert found.breached is breached
    assert found.blind is (breached is None)
    if breached is None:
        at = datetime.fromtimestamp(NOW - age_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert found.detail == f"the log {log} ends at {at}"


def test_one_of_two_logs_that_ended_is_enough(tmp_path: Path) -> None:
    alive, dead = tmp_path / "alive.log", tmp_path / "dead.log"
    alive.write_text(gateway(NOW))
    dead.write_text(gateway(NOW - 7 * 86400))
    assert once(alive).breached is False
    assert str(dead) in once(alive, dead).detail
    append(alive, gateway(NOW, 400) * 10)
    assert once(alive, dead).breached is True
    # Those of one name follow one another: it is the newest that counts.
    assert once(tmp_path).breached is True


def test_what_is_followed_is_well_only_once_a_line_was_read_and_for_as_long_as_there_are_more(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text(gateway(NOW))
    changed(log, NOW)
    with watching(log) as (clock, look):
        first = look()
        assert (first.breached, first.blind, first.detail) == (None, True, f"no line was added to {log} yet")
        append(log, gateway(NOW))
        assert look().breached is False
        clock.now += SILENT_AFTER_S
        assert look().breached is False
        clock.now += 1
        assert look().detail == f"the log {log} ends at 2027-01-15T08:00:00Z"
        append(log, gateway(clock.now, 400) * 10)
        assert look().breached is True


def test_an_alarm_goes_on_while_another_log_is_empty(tmp_path: Path) -> None:
    log, empty = tmp_path / "x.log", tmp_path / "empty.log"
    log.write_text(gateway(NOW))
    empty.touch()
    clock = Clock()
    logs = LogFiles.following([str(log), str(empty)], once=False, prefix=PREFIX)
    watcher = Watcher(logs, wall=lambda: clock.now, clock=lambda: clock.now)

    def state(wait_s: float, text: str = "") -> str:
        clock.now += wait_s
        append(log, text or gateway(clock.now))
        watcher.look()
        return watcher.look().snapshot.alarms["http_400", ""].state

    assert state(10, gateway(NOW, 400) * 10) == "firing"
    assert [state(100), state(100), state(100)] == ["firing"] * 3
    append(empty, postgres(clock.now) * 2)
    assert [state(10), state(50), state(10)] == ["firing", "firing", "ok"]
    logs.close()


def test_a_dead_log_that_is_followed_has_no_data(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text(gateway(NOW - 7 * 86400))
    changed(log, NOW - 7 * 86400)
    with watching(log) as (_, look):
        assert look().detail == f"the log {log} ends at 2027-01-08T08:00:00Z"
    log.write_text("")
    with watching(tmp_path) as (_, look):
        assert look().detail == f"there is no line in {tmp_path} yet"


def test_a_log_of_postgres_may_be_silent_for_a_day(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text(postgres(NOW - 90_000))
    changed(log, NOW - RARE_AFTER_S + 10)
    with watching(tmp_path / "*.log") as (clock, look):
        assert look().breached is False
        clock.now += 11
        assert "ends at" in look().detail
        append(log, postgres(clock.now))
        look()  # it may have DETAIL, so it is held
        assert look().breached is False
    log.unlink()
    with watching(log) as (_, look):
        assert "cannot be read" in look().detail


def test_lines_that_are_shipped_late_are_alarms_unless_the_log_is_read_once(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text(gateway(NOW - 80))
    with watching(log) as (clock, look):
        look()
        for _ in range(6):
            clock.now += 10
            append(log, gateway(clock.now - 70, 400) * 100)
            fires = look()
        assert (fires.breached, fires.value) == (True, 600)
        clock.now += 60
        assert (look().breached, look().value) == (False, 0)
    with watching(log, once=True) as (clock, look):
        clock.now += 60 + 70
        assert look().value == 0


@pytest.mark.parametrize(("line", "detail"), [(gateway, "ends at"), (postgres, "come more than 60 minutes late")])
def test_lines_that_come_later_than_an_hour_are_no_sign_of_life(
    tmp_path: Path, line: Callable[..., str], detail: str
) -> None:
    log = tmp_path / "x.log"
    log.write_text(line(NOW))
    code: dict[Callable[..., str], tuple[object, ...]] = {gateway: (400,), postgres: ("42703",)}
    with watching(log) as (clock, look):
        look()
        append(log, line(NOW - LATE_S - 60, *code[line]) * 30)
        look()
        late = look()
        assert (late.breached, late.blind) == (None, True)
        assert detail in late.detail
        clock.now += 10
        append(log, line(NOW - 60, *code[line]) * 30)
        look()
        assert look().breached is True
