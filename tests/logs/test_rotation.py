"""Whatever is done to a log while it is written and read: each record is given once, and none is lost."""

from __future__ import annotations

import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg
import pytest

from eventlive_db.logs import Follower, LogError, LogEvent, read_events
from tests.logs.conftest import PREFIX, Logged
from tests.logs.test_postgres import SUFFIXES, read_until, say_end
from tests.support.own_server import wait_for


def line(number: int) -> str:
    return f"2026-11-21 22:00:00.000 UTC [7] ERROR:  fault {number}\n"


def numbers(events: list[LogEvent]) -> list[int]:
    return [int(event.message.removeprefix("fault ")) for event in events]


def drain(follower: Follower) -> list[int]:
    """What there is, and what was held until nothing came after it."""
    return numbers([*follower.poll(), *follower.poll()])


def grown(events: list[LogEvent], follower: Follower, least: int) -> bool:
    """Add what there is; whether there are more than so many then."""
    events += follower.poll()
    return len(events) > least


def add(path: Path, *which: int) -> None:
    with path.open("a") as file:
        file.write("".join(map(line, which)))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_writers_and_pg_rotate_logfile_at_once(logged: Logged, suffix: str) -> None:
    done = threading.Event()
    made: Counter[str] = Counter()
    events: list[LogEvent] = []

    def write(number: int) -> None:
        with psycopg.connect(logged.dsn, autocommit=True) as connection:
            for turn in range(100_000):
                if done.is_set():
                    return
                with pytest.raises(psycopg.errors.RaiseException):
                    connection.execute(f"do $$ begin raise 'fault {number} {turn}'; end $$".encode())
                made[f"fault {number} {turn}"] += 1

    with logged.elsewhere() as stem, Follower([logged.log / f"{stem}*.{suffix}"], prefix=PREFIX) as follower:
        log = logged.log / f"{stem}.{suffix}"
        threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        try:
            with psycopg.connect(logged.server.dsn(), autocommit=True) as admin:
                for turn in range(4):
                    wait_for("more", partial(grown, events, follower, len(events) + 5))
                    # By hand, as logrotate does: another name, which the server learns of when it is told.
                    log.rename(logged.log / f"{stem}.{turn}.{suffix}")
                    admin.execute("select pg_rotate_logfile()")
                    wait_for("a new log", log.exists)
                    events += follower.poll()
                for turn in range(2):
                    # By the server's own naming.
                    logged.move_to(f"{stem}_{turn}.log")
        finally:
            done.set()
            for thread in threads:
                thread.join()
        events += read_until(follower, say_end(logged.dsn))
        events += [*follower.poll(), *follower.poll()]
    found = Counter(event.message for event in events if event.severity == "ERROR")
    assert found == made
    assert follower.unparsed == 0


def test_a_directory_gives_what_postgres_says_three_times_once(logged: Logged) -> None:
    with logged.elsewhere() as stem, Follower([logged.log / f"{stem}*"]) as follower:
        for turn in range(3):
            with (
                psycopg.connect(logged.dsn, autocommit=True) as connection,
                pytest.raises(psycopg.errors.RaiseException),
            ):
                connection.execute(f"do $$ begin raise 'fault {turn}'; end $$".encode())
            events = read_until(follower, say_end(logged.dsn))
            assert [event.message for event in events if event.severity == "ERROR"] == [f"fault {turn}"]
            assert {Path(event.file).suffix for event in events} == {".json"}
            logged.move_to(f"{stem}_{turn}.log")


def test_rename_and_a_writer_that_goes_on_with_the_old_file(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    add(log, 1)
    with Follower([log]) as follower:
        with log.open("a") as writer:
            writer.write(line(2))
            writer.flush()
            log.rename(tmp_path / "a.log.1")
            assert drain(follower) == [2]
            # Nothing has the name, and then an empty file: neither says that the writer has moved on.
            for turn in range(40):
                assert follower.poll() == []
                if turn == 20:
                    log.touch()
            writer.write(line(3))
            writer.flush()
            assert drain(follower) == [3]
            add(log, 4)
            writer.write(line(5))
            writer.flush()
            assert sorted(drain(follower)) == [4, 5]
        for _ in range(20):
            assert follower.poll() == []
        # It was let go of, and what has its name is still followed.
        add(tmp_path / "a.log.1", 6)
        add(log, 7)
        assert drain(follower) == [7]
    assert follower.unparsed == 0


def test_old_files_that_are_renamed_or_packed_within_the_pattern_are_not_read_again(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    add(log, 1)
    with Follower([f"{log}*"], from_start=True) as follower:
        assert drain(follower) == [1]
        add(log, 2)
        log.rename(tmp_path / "a.log.1")
        add(log, 3)
        assert drain(follower) == [2, 3]
        shutil.copyfile(tmp_path / "a.log.1", tmp_path / "a.log.1.gz")
        (tmp_path / "a.log.1").unlink()
        assert drain(follower) == []
        add(log, 4)
        assert drain(follower) == [4]


@pytest.mark.parametrize("padded", [False, True])
def test_emptied_in_place(tmp_path: Path, padded: bool) -> None:
    log = tmp_path / "a.log"
    with log.open("wb" if padded else "ab", buffering=0) as writer, Follower([log]) as follower:
        writer.write((line(1) + line(2)).encode())
        assert drain(follower) == [1, 2]
        shutil.copyfile(log, tmp_path / "a.log.1")
        os.truncate(log, 0)
        # A writer that does not append goes on where it was: a hole of NUL comes before.
        writer.write((line(3) + line(4)).encode())
        events = [*follower.poll(), *follower.poll()]
        assert numbers(events) == [3, 4]
        assert [event.line for event in events] == [1, 2]
    assert follower.unparsed == 0


def test_emptied_and_longer_than_before_at_the_next_poll(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    add(log, 1)
    with Follower([log], from_start=True) as follower:
        assert drain(follower) == [1]
        os.truncate(log, 0)
        add(log, 2, 3, 4)
        assert drain(follower) == [2, 3, 4]


def copy_and_empty(log: Path, copy: Path) -> None:
    """As copytruncate does."""
    shutil.copyfile(log, copy)
    os.truncate(log, 0)


@pytest.mark.parametrize("lines", [1, 30])
@pytest.mark.parametrize("spec", ["", "*", "a.log*"])
def test_emptied_beside_its_copy_in_a_directory_or_pattern(tmp_path: Path, spec: str, lines: int) -> None:
    log = tmp_path / "a.log"
    log.touch()
    with Follower([tmp_path / spec] if spec else [tmp_path]) as follower:
        add(log, *range(lines))
        assert drain(follower) == list(range(lines))
        copy_and_empty(log, tmp_path / "a.log.1")
        assert drain(follower) == []
        # What was written since the last poll is in the copy alone.
        add(log, 100)
        assert drain(follower) == [100]
        add(log, 101, 102)
        (tmp_path / "a.log.1").rename(tmp_path / "a.log.2")
        copy_and_empty(log, tmp_path / "a.log.1")
        add(log, 103)
        assert sorted(drain(follower)) == [101, 102, 103]
        # Copied under a name that there was, and touched.
        copy_and_empty(log, tmp_path / "a.log.1")
        (tmp_path / "a.log.2").touch()
        add(log, 104)
        assert drain(follower) == [104]
        assert follower.unparsed == 0


def test_a_copy_that_is_seen_while_it_is_made(tmp_path: Path) -> None:
    log, copy = tmp_path / "a.log", tmp_path / "a.log.1"
    log.touch()
    with Follower([tmp_path]) as follower, copy.open("wb", buffering=0) as writer:
        add(log, *range(30))
        assert drain(follower) == list(range(30))
        add(log, 30)
        whole = log.read_bytes()
        for end in (0, 10, 300, len(whole) - 1, len(whole)):
            writer.write(whole[copy.stat().st_size : end])
            assert drain(follower) == ([30] if end == 0 else [])
        add(log, 31)
        assert drain(follower) == [31]
        # Half a line was read where it was written.
        with log.open("a") as file:
            file.write(line(32)[:40])
        assert drain(follower) == []
        with log.open("a") as file:
            file.write(line(32)[40:] + line(33))
        copy_and_empty(log, copy)
        assert sorted(drain(follower)) == [32, 33]


def test_a_file_that_begins_as_another_does_is_no_copy(tmp_path: Path) -> None:
    log, other = tmp_path / "a.log", tmp_path / "b.log"
    log.touch()
    with Follower([tmp_path]) as follower:
        add(log, 1, 2)
        assert drain(follower) == [1, 2]
        add(other, 1, 3)
        assert drain(follower) == [1, 3]
        # As long as it says the same it is taken for one.
        add(tmp_path / "c.log", 1)
        assert drain(follower) == []
        add(tmp_path / "c.log", 4)
        assert drain(follower) == [1, 4]


def test_half_a_line_that_is_emptied_away_is_counted(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    add(log, 1)
    with Follower([log], from_start=True) as follower:
        with log.open("a") as file:
            file.write(line(2)[:40])
        # Held as long as the other half may come.
        assert [number for _ in range(4) for number in numbers(follower.poll())] == [1]
        os.truncate(log, 0)
        add(log, 3)
        assert drain(follower) == [3]
        assert follower.unparsed == 1


def test_missing_then_there_then_deleted_then_there_again(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    with Follower([log]) as follower:
        assert follower.poll() == []
        assert follower.missing == [str(log)]
        add(log, 1)
        assert drain(follower) == [1]
        assert follower.missing == []
        with log.open("a") as writer:
            log.unlink()
            writer.write(line(2))
        assert drain(follower) == [2]
        add(log, 3)
        assert drain(follower) == [3]


def test_only_what_is_new_and_the_line_that_was_half_written(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text(line(1) + line(2)[:45])
    with Follower([log]) as follower:
        assert follower.poll() == []
        with log.open("a") as file:
            file.write(line(2)[45:] + line(3))
        events = [*follower.poll(), *follower.poll()]
        assert numbers(events) == [2, 3]
        assert [event.line for event in events] == [2, 3]


def test_more_files_than_are_held_open(tmp_path: Path) -> None:
    logs = [tmp_path / f"{number:03}.log" for number in range(200)]
    for log in logs:
        add(log, 0)
    with Follower([tmp_path]) as follower:
        assert drain(follower) == []
        for turn in (1, 2):
            for log in logs:
                add(log, turn)
            found = Counter(number for _ in range(4) for number in numbers(follower.poll()))
            assert found == {turn: 200}
        assert len(list(Path("/proc/self/fd").iterdir())) < 150
    with Follower([tmp_path], from_start=True) as follower:
        assert Counter(number for _ in range(4) for number in numbers(follower.poll())) == {0: 200, 1: 200, 2: 200}


def test_a_record_is_held_until_nothing_can_belong_to_it(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    with Follower([log]) as follower, log.open("w", buffering=1) as writer:
        writer.write(line(1))
        assert follower.poll() == []
        writer.write("2026-11-21 22:00:00.000 UTC [7] STATEMENT:  select\n")
        assert follower.poll() == []
        writer.write("\t1\n2026-11-21 22:00:00.000 UTC [8] ERROR:  fault 2\n")
        writer.write("2026-11-21 22:00:00.000 UTC [7] HINT:  late\n")
        assert follower.poll() == []
        first, second = follower.poll()
        assert (first.statement, first.hint, second.statement, second.pid) == (
            "select\n\t1"[:6] + "\n1",
            "late",
            None,
            8,
        )
        writer.write("2026-11-21 22:00:00.000 UTC [8] DETAIL:  of nothing that is still there\n")
        assert drain(follower) == []
        assert follower.unparsed == 1


@pytest.mark.parametrize("opened", [Follower, read_events])
def test_what_is_no_file_is_refused(tmp_path: Path, opened: Callable[[object], object]) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    # With somebody at the other end, nobody who opens it has to wait.
    other_end = os.open(fifo, os.O_RDWR)
    try:
        with pytest.raises(LogError, match="cannot be read: it is no regular file") as caught:
            opened([fifo] if opened is Follower else fifo)
    finally:
        os.close(other_end)
    assert caught.value.token == "log_unreadable"


def test_a_log_that_cannot_be_read_is_an_error_with_advice_and_costs_no_other(tmp_path: Path) -> None:
    log, other = tmp_path / "a.log", tmp_path / "b.log"
    with Follower([other, log]) as follower:
        log.write_text("what is\nthis\n" * 40)
        add(other, 1, 2)
        with pytest.raises(LogError) as caught:
            follower.poll()
        assert caught.value.token == "unknown_log_format"
        assert "prefix" in caught.value.advice
        log.unlink()
        assert drain(follower) == [1, 2]
