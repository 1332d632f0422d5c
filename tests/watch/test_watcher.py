"""Looks, one after another; what cannot be read or written; what a look's exit status is."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eventlive_db.logs import LogError, LogEvent
from eventlive_db.watch.database import Database
from eventlive_db.watch.errors import WatchError
from eventlive_db.watch.log_files import LogFiles
from eventlive_db.watch.prometheus import Pages
from eventlive_db.watch.readings import Reading
from eventlive_db.watch.watcher import SETTINGS_EVERY_S, Watcher, check_rules, verdict
from tests.support.database import EventliveDatabase


def files(*names: Path, once: bool = False) -> LogFiles:
    return LogFiles.following([str(name) for name in names], once=once, prefix=None)


def line(status: int = 400) -> str:
    at = datetime.fromtimestamp(time.time(), UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'203.0.113.9 - - [{at}] "POST /rest/v1/rpc/x HTTP/1.1" {status} 5 "-" "x" 0.013\n'


def nothing(_event: LogEvent) -> None:
    """Take an event."""


def test_a_full_disk_is_told_once_and_the_watch_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    log = tmp_path / "x.log"
    log.touch()
    logs = files(log)
    watcher = Watcher(logs, state=folder / "state.json")
    assert watcher.look().notes == []
    shutil.rmtree(folder)
    log.write_text(line() * 20)
    told = [watcher.look() for _ in range(3)]
    assert any(change.alarm.state == "firing" for look in told for change in look.changes)
    notes = [note for look in told for note in look.notes]
    assert len(notes) == 1
    assert "cannot be written" in notes[0]
    folder.mkdir()
    watcher.look()
    assert '"http_400"' in (folder / "state.json").read_text()
    logs.close()


def test_a_state_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(WatchError, match="cannot be written"):
        Watcher(files(), state=tmp_path / "missing" / "state.json")


def test_metrics_that_cannot_be_written_are_refused_at_first_and_later_told_once(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    told: list[str] = []
    pages = Pages(None, folder / "x.prom", told.append)
    with pytest.raises(WatchError, match="cannot be written"):
        pages.show("x 1\n")
    folder.mkdir()
    pages.show("x 1\n")
    shutil.rmtree(folder)
    pages.show("x 2\n")
    pages.show("x 3\n")
    assert len(told) == 1
    folder.mkdir()
    pages.show("x 4\n")
    assert (folder / "x.prom").read_text() == "x 4\n"


def test_thresholds_are_read_again_every_minute(db: EventliveDatabase) -> None:
    now = [0.0]
    database = Database(db.dsn)
    watcher = Watcher(files(), database, clock=lambda: now[0])
    watcher.look()
    assert watcher.thresholds.lock_waiters == 5
    db.admin.execute("select eventlive.set_setting('alert_lock_waiters', '7')")
    now[0] = SETTINGS_EVERY_S - 1
    watcher.look()
    assert watcher.thresholds.lock_waiters == 5
    now[0] = SETTINGS_EVERY_S
    watcher.look()
    assert watcher.thresholds.lock_waiters == 7
    database.close()


def test_a_database_without_settings_is_told_once(empty_database: str) -> None:
    now = [0.0]
    database = Database(empty_database)
    watcher = Watcher(files(), database, clock=lambda: now[0])
    [note] = watcher.look().notes
    assert "eventlive.settings is missing" in note
    now[0] = 100
    assert watcher.look().notes == []
    database.close()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda at: at / "missing.log", "No such file or directory"),
        (lambda at: at / "a.log" / "b.log", "Not a directory"),
        (lambda at: at / "empty", "there is no file in"),
        (lambda at: at / "*.csv", "there is no file"),
    ],
)
@pytest.mark.parametrize("once", [False, True])
def test_what_cannot_be_read_is_named_and_the_others_are_read(
    tmp_path: Path, make: Callable[[Path], Path], says: str, once: bool
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.log").write_text(line())
    logs = files(make(tmp_path), tmp_path / "a.log", once=once)
    found: list[LogEvent] = []
    logs.poll(found.append, last=once)
    [problem] = logs.problems
    assert says in problem
    assert len(found) == (1 if once else 0)
    logs.close()


def test_a_prefix_without_a_time_is_refused(tmp_path: Path) -> None:
    for once in (False, True):
        with pytest.raises(LogError):
            LogFiles.following([str(tmp_path / "x.log")], once=once, prefix="%p ")


def test_lines_that_nobody_understands_are_counted(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text(line() + "something else\n" + line())
    logs = files(log, once=True)
    logs.poll(nothing, last=True)
    assert logs.unparsed() == {str(log): 1}
    assert logs.problems == []


FIRES, WELL = Reading("http_400", breached=True), Reading("http_400", value=1, breached=False)
BLIND, IDLE = Reading("xmin_age", blind=True), Reading("auth_p95")


@pytest.mark.parametrize(
    ("readings", "named", "status"),
    [
        ([WELL], None, 0),
        ([WELL, IDLE], None, 0),
        ([WELL, IDLE], ["auth_p95"], 2),
        ([WELL, BLIND], None, 2),
        ([FIRES, BLIND], None, 1),
        ([WELL], ["http_400", "jobs"], 2),
        ([], None, 0),
    ],
)
def test_the_verdict_tells_alarms_from_what_could_not_be_told(
    readings: list[Reading], named: list[str] | None, status: int
) -> None:
    assert verdict(readings, named) == status


def test_rules_that_nothing_can_tell_are_named() -> None:
    assert check_rules(["http_400", "jobs"], logs=True, database=False) == ["jobs"]
    assert check_rules(["http_400", "jobs"], logs=True, database=True) == []
