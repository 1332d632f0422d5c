"""The verdict over the checks, and the signals that may not end them in the middle."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta

import pytest

from eventlive_db.verify import Check, Report, State, Trigger, Verdict
from eventlive_db.verify.interruptions import Interrupted, Interruptions
from eventlive_db.verify.rates import Rate
from eventlive_db.verify.report import as_dict, as_markdown

NOW = datetime(2026, 8, 1, tzinfo=UTC)
PASSED = Check("dod-1", "a", State.PASSED, "well")
BLIND = Check("dod-2", "b", State.NO_DATA, "no log", "Give one.")
FAILED = Check("dod-4", "c", State.FAILED, "a | b\n<script>", "Roll back.", Trigger.PING_REGISTERS)


@pytest.mark.parametrize(
    ("checks", "verdict", "status"),
    [
        ([PASSED], Verdict.GO, 0),
        ([PASSED, BLIND], Verdict.COULD_NOT_TELL, 2),
        ([PASSED, BLIND, FAILED], Verdict.ROLL_BACK, 1),
        ([FAILED], Verdict.ROLL_BACK, 1),
        ([], Verdict.COULD_NOT_TELL, 2),
    ],
)
def test_a_failure_weighs_more_than_missing_data_and_that_more_than_a_pass(
    checks: list[Check], verdict: Verdict, status: int
) -> None:
    report = Report(NOW, NOW, checks)
    assert report.verdict is verdict
    assert as_dict(report)["exit_status"] == status


def test_a_run_that_was_ended_early_is_no_go_and_a_failure_all_the_same() -> None:
    assert Report(NOW, NOW, [PASSED], stopped="SIGTERM").verdict is Verdict.COULD_NOT_TELL
    assert Report(NOW, NOW, [FAILED], stopped="SIGTERM").verdict is Verdict.ROLL_BACK


def test_triggers_are_named_once_and_a_log_cannot_break_the_table() -> None:
    report = Report(NOW, NOW, [FAILED, FAILED, PASSED])
    assert report.triggers == [Trigger.PING_REGISTERS]
    assert "a \\| b \\<script\\>" in as_markdown(report)


def test_a_storm_over_a_change_of_the_minute_is_one_storm() -> None:
    rate = Rate()
    for second in (*range(50, 70), 130):
        rate.add(NOW + timedelta(seconds=second))
    assert rate.peak_per_minute(NOW, NOW + timedelta(minutes=5)) == 20
    assert rate.peak_per_minute(NOW, NOW + timedelta(seconds=59)) == 10
    assert rate.count(NOW, NOW + timedelta(minutes=5)) == 21


def test_a_signal_waits_until_what_is_shielded_is_done() -> None:
    interruptions, done = Interruptions(), []
    before = signal.getsignal(signal.SIGTERM)
    with interruptions.installed():
        with pytest.raises(Interrupted) as caught, interruptions.shield():  # noqa: PT012  # the order is what is tested
            with interruptions.shield():
                os.kill(os.getpid(), signal.SIGTERM)
                done.append("inner")
            done.append("outer")
        with pytest.raises(Interrupted):
            os.kill(os.getpid(), signal.SIGTERM)
    assert caught.value.name == "SIGTERM"
    assert done == ["inner", "outer"]
    assert signal.getsignal(signal.SIGTERM) is before
