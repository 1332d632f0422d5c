"""A log in which nothing is found is a pass only if something would have been: else nobody can tell."""

from __future__ import annotations

import gzip
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from eventlive_db.verify import Check, Report, State, Trigger, Verdict
from eventlive_db.verify.run import Question, verify
from eventlive_db.verify.thresholds import Thresholds
from tests.verify.stand import DATABASE_GROUPS, RELEASE, check_of, minutes, postgres_line, written

MISSING = 'column "id" does not exist at character 8'
WITHOUT = DATABASE_GROUPS | {"answers", "dod-3"}


def judge(*logs: Path, until: datetime | None = None, limits: Thresholds | None = None, silent: float = 10) -> Report:
    """By logs alone, from the release to an hour after it."""
    limits = limits or Thresholds(silence=timedelta(minutes=silent))
    return verify(Question(RELEASE, until or minutes(60), logs=logs, without=WITHOUT, limits=limits))


def columns(report: Report) -> Check:
    """DoD-1 by Postgres."""
    return check_of(report, "missing columns")


def lines(begin: float, end: float, step: float = 5) -> list[str]:
    """An ordinary log, from so many minutes after the release to so many."""
    return [postgres_line(minutes(begin + number * step)) for number in range(int((end - begin) / step) + 1)]


def error(at: float) -> str:
    return postgres_line(minutes(at), MISSING, "ERROR")


def test_a_log_from_before_the_release_to_the_end_is_a_pass(tmp_path: Path) -> None:
    report = judge(written(tmp_path / "a.log", lines(-30, 60)))
    assert report.verdict is Verdict.GO, report.checks
    [log] = report.logs
    assert (log.events, log.unparsed, log.first_at, log.last_at) == (19, 0, minutes(-30), minutes(60))


@pytest.mark.parametrize(
    ("begin", "end", "reason"),
    [
        (5, 60, "the log begins at 2026-08-01 12:05:00Z, after 2026-08-01 12:00:00Z"),
        (-30, 30, "the log ends 30 min before the end"),
        (-30, -10, "the log ends at 2026-08-01 11:50:00Z, before 2026-08-01 12:00:00Z"),
    ],
)
def test_a_log_that_does_not_reach_from_end_to_end_is_no_pass(
    tmp_path: Path, begin: float, end: float, reason: str
) -> None:
    report = judge(written(tmp_path / "a.log", lines(begin, end)))
    assert report.verdict is Verdict.COULD_NOT_TELL
    assert columns(report).state is State.NO_DATA
    assert reason in columns(report).says


def test_a_fault_in_a_log_that_does_not_reach_is_a_fault(tmp_path: Path) -> None:
    report = judge(written(tmp_path / "a.log", [*lines(5, 20), error(21)]))
    assert report.verdict is Verdict.ROLL_BACK
    assert report.triggers == [Trigger.MISSING_COLUMN_400]


def test_an_empty_log_is_no_pass(tmp_path: Path) -> None:
    report = judge(written(tmp_path / "a.log", []))
    assert report.verdict is Verdict.COULD_NOT_TELL
    assert columns(report).says == f"no line could be read of {tmp_path}/a.log"
    beside = judge(tmp_path / "a.log", written(tmp_path / "b.log", lines(-30, 60)))
    assert beside.verdict is Verdict.COULD_NOT_TELL
    assert "a.log has no line that can be read" in columns(beside).says


def test_no_log_is_no_pass() -> None:
    report = judge()
    assert report.verdict is Verdict.COULD_NOT_TELL
    assert {check.says for check in report.checks} == {"no log of Postgres or PostgREST"}


def test_a_log_of_something_else_is_no_pass(tmp_path: Path) -> None:
    report = judge(written(tmp_path / "a.log", ["once upon a time\n"] * 300))
    assert report.verdict is Verdict.COULD_NOT_TELL
    assert "a.log" in columns(report).says


def test_lines_that_cannot_be_read_are_no_pass_unless_they_are_allowed(tmp_path: Path) -> None:
    log = written(tmp_path / "a.log", [*lines(-30, 30), "\x00\x00 rubbish\n", *lines(30, 60)])
    report = judge(log)
    assert report.verdict is Verdict.COULD_NOT_TELL
    assert "1 lines of" in columns(report).says
    assert judge(log, limits=Thresholds(unparsed=1)).verdict is Verdict.GO


def test_a_log_from_the_future_is_neither_a_pass_nor_a_fault(tmp_path: Path) -> None:
    """Written in another zone and said to be UTC: what looks like after the release was before it."""
    now = datetime.now(RELEASE.tzinfo)
    at = [now + timedelta(minutes=number) for number in range(-200, 121, 5)]
    log = written(tmp_path / "a.log", [*map(postgres_line, at), postgres_line(at[-1], MISSING, "ERROR")])
    report = verify(Question(now - timedelta(minutes=60), logs=[log], without=WITHOUT))
    assert report.verdict is Verdict.COULD_NOT_TELL
    assert columns(report).state is State.NO_DATA
    assert "ahead of this clock" in columns(report).says


def test_half_of_a_rotated_pair_is_no_pass_and_both_are(tmp_path: Path) -> None:
    older = written(tmp_path / "a.log.1", lines(-60, 20))
    newer = written(tmp_path / "a.log", lines(25, 60))
    assert judge(older, newer).verdict is Verdict.GO
    assert judge(newer, older).verdict is Verdict.GO
    alone = judge(newer)
    assert alone.verdict is Verdict.COULD_NOT_TELL
    assert "the file before it is missing" in columns(alone).says


def test_a_file_that_is_missing_between_two_is_noticed(tmp_path: Path) -> None:
    older = written(tmp_path / "a.log.2", lines(-60, 10))
    newer = written(tmp_path / "a.log", lines(40, 60))
    report = judge(older, newer)
    assert report.verdict is Verdict.COULD_NOT_TELL
    assert "nothing for 30 min before" in columns(report).says


def test_a_packed_log_and_a_log_that_is_named_twice(tmp_path: Path) -> None:
    log = written(tmp_path / "a.log", [*lines(-30, 60), error(60)])
    packed = tmp_path / "a.log.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    assert columns(judge(packed)).count == 1
    (tmp_path / "link.log").symlink_to(log)
    assert columns(judge(log, log, tmp_path / "link.log")).count == 1


def test_first_and_last_are_by_time_whatever_the_order_of_the_files(tmp_path: Path) -> None:
    older = written(tmp_path / "a.log.1", [*lines(-30, 10), error(11)])
    newer = written(tmp_path / "a.log", [error(12), *lines(13, 60)])
    for logs in ((older, newer), (newer, older)):
        check = columns(judge(*logs))
        assert check.first
        assert check.last
        assert (check.first.file, check.last.file) == (str(older), str(newer))
        assert check.last.line == 1


def test_what_is_after_the_end_does_not_count(tmp_path: Path) -> None:
    log = written(tmp_path / "a.log", [*lines(-30, 60), error(70)])
    assert judge(log).verdict is Verdict.GO
    assert judge(log, until=minutes(70)).verdict is Verdict.ROLL_BACK
