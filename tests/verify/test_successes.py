"""No way to a go from a deployment that answers nobody, or that nobody called; and no roll back from a few calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain, product

import pytest

from eventlive_db.logs import LogEvent
from eventlive_db.verify import Report, Trigger, Verdict
from eventlive_db.verify.answer_checks import answers
from eventlive_db.verify.findings import Findings
from eventlive_db.verify.log_checks import Judged
from eventlive_db.verify.rates import Window
from eventlive_db.verify.success_checks import NAME
from eventlive_db.verify.thresholds import Thresholds
from tests.verify.stand import RELEASE, check_of, minutes

HEARTBEAT, PING, ENTER, POLL = (
    f"/rpc/webinar_{name}" for name in ("session_heartbeat", "presence_ping", "enter", "messages_poll")
)
VIEW = "/registrations"
NO_SUCCESS = (100, 101, 302, 304, 400, 401, 403, 404, 405, 409, 410, 429, 499, 500, 503, 599, 0, 999)
"""Answers of each kind, and what a gateway writes where there was none."""

OWN = {(ENTER, 409), (ENTER, 410), (PING, 410), (HEARTBEAT, 410), (POLL, 410), (POLL, 429)}
"""By which the product works, so that half of all may be so."""


def event(at: datetime, path: str, status: int, method: str = "POST", source: str = "postgrest") -> LogEvent:
    return LogEvent(
        at, source, "front.log", 1, f"{method} {path} {status}", method=method, path=path, status=status, user="u"
    )


def calls(
    begin: float, end: float, number: int, status: int = 200, path: str = PING, **more: str
) -> Iterator[LogEvent]:
    """So many, spread evenly over minutes that are counted from the release."""
    for index in range(number):
        yield event(minutes(begin + (index + 0.5) * (end - begin) / number), path, status, **more)


def judge(*events: Iterator[LogEvent], length: float = 30, silence: float = 0) -> Report:
    """The answers of so many minutes from the release on, from a log that begins two such times before it."""
    until = minutes(length)
    findings = Findings(RELEASE, until)
    first = event(minutes(-2 * length), "/", 200, "GET")
    for one in sorted(chain([first], *events), key=lambda one: one.at):
        findings.add(one)
    limits = Thresholds(silence=timedelta(minutes=silence) if silence else None)
    checks = list(answers(Judged(findings, Window(RELEASE, until), until, limits)))
    return Report(RELEASE, until, checks)


def before(length: float = 30, number: int = 300, path: str = PING) -> Iterator[LogEvent]:
    """All well."""
    return calls(-2 * length, 0, 2 * number, path=path)


# The control: what is well is a go.


@pytest.mark.parametrize(("length", "number"), [(1, 10), (1, 300), (5, 15), (30, 10), (30, 300), (600, 300)])
def test_enough_calls_that_succeed_are_a_go(length: float, number: int) -> None:
    for earlier in (0, 1, 5):
        for status in (200, 204, 206):
            report = judge(before(length, earlier * number), calls(0, length, number, status), length=length)
            assert report.verdict is Verdict.GO, report.checks


# Each status, for all calls and for half of them, of few calls and of many, in short windows and long ones.


@pytest.mark.parametrize("status", NO_SUCCESS)
def test_a_deployment_that_answers_every_call_so_is_never_a_go(status: int) -> None:
    for path in (HEARTBEAT, ENTER, POLL, VIEW, "/rpc/of_somebody_else", "/", "/.env"):
        for length, number, earlier in product((1, 30), (1, 9, 60), (0, 60)):
            bad = calls(0, length, number, status, path=path)
            report = judge(before(length, earlier, path), bad, length=length)
            assert report.verdict is not Verdict.GO, (path, length, number, earlier)


@pytest.mark.parametrize("status", NO_SUCCESS)
def test_one_that_answers_half_of_the_calls_so_is_none_unless_the_product_works_by_it(status: int) -> None:
    for path in (HEARTBEAT, ENTER, POLL, VIEW):
        for length, number, earlier in product((5, 30), (4, 60), (0, 60)):
            half = (calls(0, length, number // 2, status, path=path), calls(0, length, number // 2, path=path))
            report = judge(before(length, earlier, path), *half, length=length)
            go = (path, status) in OWN and number > 20
            assert (report.verdict is Verdict.GO) == go, (path, length, number, earlier, report.checks)


@pytest.mark.parametrize("path", [HEARTBEAT, VIEW])
@pytest.mark.parametrize("status", [302, 401, 403, 404, 429, 499, 500])
def test_many_calls_of_what_worked_before_and_now_does_not_are_a_roll_back(status: int, path: str) -> None:
    for share in (0.0, 0.1):
        bad = calls(0, 30, 100, status, path=path)
        report = judge(before(30, 100, path), bad, calls(0, 30, int(100 * share), path=path))
        assert report.verdict is Verdict.ROLL_BACK
        assert Trigger.SUCCESSES_FELL in report.triggers
        check = check_of(report, NAME)
        assert check.first
        assert str(status) in check.first.text


@pytest.mark.parametrize("status", NO_SUCCESS)
def test_a_few_calls_never_roll_back_and_never_say_go(status: int) -> None:
    """A quiet night: nobody, or a tab with an old token, or one that somebody opened again."""
    for path in (HEARTBEAT, ENTER, VIEW):
        for number, earlier in product((1, 4, 9), (0, 3, 200)):
            report = judge(before(30, earlier, path), calls(0, 30, number, status, path=path))
            assert report.verdict is Verdict.COULD_NOT_TELL, (earlier, path)


@pytest.mark.parametrize("earlier", [0, 5, 300])
@pytest.mark.parametrize("number", [0, 1, 9])
def test_a_few_successes_never_roll_back_and_never_say_go(number: int, earlier: int) -> None:
    assert judge(before(30, earlier), calls(0, 30, number)).verdict is Verdict.COULD_NOT_TELL


def test_what_is_no_call_counts_for_nothing() -> None:
    """Questions of browsers whether they may call, and a monitor that asks for the root."""
    hollow = [*calls(0, 30, 500, 204, HEARTBEAT, method="OPTIONS"), *calls(0, 30, 500, path="/", method="GET")]
    assert judge(before(), iter(hollow)).verdict is Verdict.COULD_NOT_TELL
    assert judge(before(), iter(hollow), calls(0, 30, 60, 403)).verdict is Verdict.ROLL_BACK
    assert judge(before(), iter(hollow), calls(0, 30, 300)).verdict is Verdict.GO


# As before, and not as before.


@pytest.mark.parametrize("path", [HEARTBEAT, ENTER, VIEW])
@pytest.mark.parametrize("status", [403, 409, 429])
def test_refusals_that_were_as_frequent_before_are_life(path: str, status: int) -> None:
    def mixed(begin: float, end: float, refused: int) -> Iterator[LogEvent]:
        return chain(calls(begin, end, 100, path=path), calls(begin, end, refused, status, path=path))

    assert judge(mixed(-60, 0, 40), mixed(0, 30, 40)).verdict is Verdict.GO
    assert judge(mixed(-60, 0, 10), mixed(0, 30, 80)).verdict is (
        Verdict.GO if (path, status) in OWN else Verdict.COULD_NOT_TELL
    )


def test_a_deployment_that_answered_nobody_before_either_is_no_go() -> None:
    for part in (0, 5, 45):
        was = chain(calls(-60, 0, 200, 403), calls(-60, 0, 2 * part))
        report = judge(was, calls(0, 30, 100, 403), calls(0, 30, part))
        assert report.verdict is Verdict.COULD_NOT_TELL, part


def test_a_function_that_nobody_can_call_is_not_hidden_by_the_others() -> None:
    others = [*calls(-60, 0, 600), *calls(0, 30, 300)]
    for refused, verdict in ((19, Verdict.GO), (20, Verdict.COULD_NOT_TELL), (50, Verdict.ROLL_BACK)):
        report = judge(iter(others), before(path=ENTER), calls(0, 30, refused, 403, path=ENTER))
        assert report.verdict is verdict, refused
    assert "webinar_enter: 0 of 50, 100.0% before" in check_of(report, NAME).says
    unknown = judge(iter(others), calls(0, 30, 50, 403, path=ENTER))
    assert unknown.verdict is Verdict.COULD_NOT_TELL
    ended = judge(iter(others), before(path=ENTER), calls(0, 30, 50, 410, path=ENTER))
    assert ended.verdict is Verdict.COULD_NOT_TELL


def test_a_webinar_that_ended_leaves_fewer_calls_and_is_no_roll_back() -> None:
    report = judge(before(30, 600), calls(0, 30, 40))
    assert report.verdict is Verdict.GO, report.checks
    for left in (0, 9, 25):
        gone = judge(before(30, 600), calls(0, 2, 100, 410), calls(0, 30, left))
        assert gone.verdict is Verdict.COULD_NOT_TELL, left


def test_strangers_who_want_in_where_they_may_not_are_no_roll_back() -> None:
    strangers = calls(0, 30, 300, 403, path=ENTER)
    report = judge(before(), before(path=ENTER), calls(0, 30, 300), calls(0, 30, 160, path=ENTER), strangers)
    assert report.verdict is Verdict.COULD_NOT_TELL
    assert report.triggers == []


# From the begin to the end.


GAPS: Sequence[tuple[str, float, Sequence[tuple[float, float, int]], bool]] = [
    ("well for five seconds of thirty minutes", 30, [(0, 0.08, 12)], False),
    ("well for five seconds of five minutes", 5, [(0, 0.08, 12)], False),
    ("well for half of five minutes", 5, [(0, 2.3, 40)], False),
    ("well at both ends of an hour", 60, [(0, 0.5, 30), (59.5, 60, 30)], False),
    ("well at the end alone", 30, [(25, 30, 100)], False),
    ("nothing for ten minutes in the middle", 60, [(0, 25, 250), (35, 60, 250)], False),
    ("nothing for the last ten minutes", 60, [(0, 50, 500)], False),
    ("nothing for two minutes in the middle", 60, [(0, 30, 300), (32, 60, 280)], True),
    ("a restart with the release", 30, [(1, 30, 300)], True),
    ("fewer and fewer", 60, [(0, 20, 200), (20, 40, 40), (40, 60, 10)], True),
]


@pytest.mark.parametrize(("length", "parts", "go"), [gap[1:] for gap in GAPS], ids=[gap[0] for gap in GAPS])
@pytest.mark.parametrize("status", [0, 403, 499])
def test_where_nothing_succeeds_any_more_there_is_no_go(
    length: float, parts: Sequence[tuple[float, float, int]], go: bool, status: int
) -> None:
    well = [one for part in parts for one in calls(*part)]
    earlier = list(before(length, int(10 * length)))
    report = judge(iter(earlier), iter(well), length=length)
    assert (report.verdict is Verdict.GO) == go, report.checks
    assert report.triggers == []
    # A trickle of refusals keeps the log going, and no more.
    trickle = calls(0, length, 19, status)
    again = judge(iter(earlier), iter(well), trickle, length=length)
    assert (again.verdict is Verdict.GO) == go, again.checks


def test_a_time_in_which_little_was_to_be_expected_is_no_gap_nor_is_one_that_is_allowed() -> None:
    assert judge(calls(-60, 0, 60), calls(0, 5, 5), calls(15, 30, 15)).verdict is Verdict.GO
    night = (calls(-120, 10, 1000), calls(50, 60, 70))
    assert judge(calls(-120, 0, 900), *night, length=60).verdict is Verdict.COULD_NOT_TELL
    assert judge(calls(-120, 0, 900), calls(0, 10, 80), calls(50, 60, 70), length=60, silence=45).verdict is Verdict.GO


def test_a_release_that_broke_after_a_while_is_no_go_however_long_it_went_well() -> None:
    for broken in (10, 20, 29):
        well, ill = calls(0, 60 - broken, 600), calls(60 - broken, 60, 10 * broken, 403)
        monitor = calls(60 - broken, 60, 3 * broken)
        assert judge(well, ill, monitor, length=60).verdict is Verdict.COULD_NOT_TELL, broken


def test_a_log_without_successes_is_beside_the_point_where_another_has_them() -> None:
    """PostgREST's with log-level warn, and a gateway's."""
    refusals = [*calls(-60, 30, 90, 403)]
    assert judge(iter(refusals)).verdict is Verdict.COULD_NOT_TELL
    both = [calls(-60, 30, 900, path=f"/rest/v1{PING}", source="gateway"), iter(refusals)]
    assert judge(*both).verdict is Verdict.GO
