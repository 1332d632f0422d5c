"""Whoever runs jobs and whoever says that they are well read the same schedules."""

from __future__ import annotations

import sys

import pytest

from eventlive_db.errors import AdvisedError
from eventlive_db.jobs import ScheduleError, parse_schedule
from eventlive_db.schedules import schedule_problem

READ = ["0 0 1 JUL *", "0 0 * * mon-fri", "1 second", " 10 seconds ", "0 0 29 2 *", "0  0 * * 7", "*/5 * * * *"]
NOT_READ = [
    "", "* * * *", "* * * * * *", "60 * * * *", "* * 0 * *", "*/0 * * * *", "0 0 30 2 *", "0 0 L * *", "0 0 * * 5#2",
    "hourly", "@daily", "0 seconds", "10 minutes", "5/15 * * * *", "99999999 seconds", "nonsense",
]  # fmt: skip


@pytest.mark.parametrize("text", [*READ, *NOT_READ])
def test_the_runner_reads_what_the_rule_allows_and_nothing_else(text: str) -> None:
    problem = schedule_problem(text)
    assert (problem == "") == (text in READ)
    if not problem:
        assert parse_schedule(text)
        return
    with pytest.raises(ScheduleError) as refusal:
        parse_schedule(text)
    assert str(refusal.value).startswith(problem)


def test_without_cronsim_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cronsim", None)
    assert schedule_problem("10 seconds") == ""
    with pytest.raises(AdvisedError, match=r"pip install 'eventlive-db\[cli\]'"):
        schedule_problem("* * * * *")
