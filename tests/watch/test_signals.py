"""What lines of logs count as, and what the rules make of it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from eventlive_db.logs import LogEvent
from eventlive_db.watch.readings import HTTP_RULES, LOG_RULES, Reading
from eventlive_db.watch.rules import log_readings
from eventlive_db.watch.signals import LATE_S, MIN_AUTH_CALLS, Signals
from eventlive_db.watch.silence import ANY
from eventlive_db.watch.statuses import status_of
from eventlive_db.watch.thresholds import Thresholds
from tests.watch.made_up import NOW, event


def look(
    *events: LogEvent,
    thresholds: Thresholds | None = None,
    problems: tuple[str, ...] = (),
    silent: Mapping[str, list[str]] | None = None,
    now: float = NOW,
) -> dict[str, Reading]:
    """The readings after these events, all of which were read now."""
    thresholds = thresholds or Thresholds()
    signals = Signals()
    for one in events:
        signals.add(one, now, thresholds.whole_window_s)
    sources = {one.source for one in events} or {"postgres"}
    readings = log_readings(signals, thresholds, problems, now, silent=silent or {}, sources=sources)
    return {reading.rule: reading for reading in readings}


@pytest.mark.parametrize(
    ("rule", "one", "least"),
    [
        ("http_400", event(status=400), 10),
        ("http_400", event(status=400, path="/rest/v1/webinars?slug=eq.x"), 10),
        ("http_404", event(status=404, path="https://x.example/rest/v1/gone"), 50),
        ("http_404", event(source="postgrest", status=404, path="/rpc/gone"), 50),
        ("http_400", event(source="postgres", severity="ERROR", sqlstate="42703"), 10),
        ("http_409", event(source="postgrest", status=409), 50),
        ("http_409", event(source="postgres", severity="ERROR", sqlstate="23505"), 50),
        ("http_409", event(source="postgres", severity="FEHLER", sqlstate="PT409"), 50),
        ("http_5xx", event(status=500), 10),
        ("http_5xx", event(source="postgrest", status=503), 10),
        ("http_5xx", event(status=599), 10),
        ("http_5xx", event(source="postgres", severity="ERROR", sqlstate="40P01"), 10),
        ("http_5xx", event(source="postgres", severity="ERROR", sqlstate="55P03"), 10),
        ("http_5xx", event(source="postgres", severity="ERROR", sqlstate="57014"), 10),
        ("http_5xx", event(source="postgres", severity="FATAL", sqlstate="53300"), 10),
        ("http_5xx", event(source="postgres", severity="FATAL", sqlstate="57P01"), 10),
        ("http_5xx", event(source="postgres", severity="PANIC", sqlstate="XX001"), 10),
        ("http_404", event(status=404), 50),
        ("http_404", event(source="postgres", severity="ERROR", sqlstate="42883"), 50),
        ("http_404", event(source="postgres", severity="ERROR", sqlstate="42P01"), 50),
        ("http_404", event(source="postgres", severity="ERROR", sqlstate="PT404"), 50),
        ("http_401", event(source="postgrest", status=401), 50),
        ("http_401", event(source="postgres", severity="ERROR", sqlstate="PT401"), 50),
        ("realtime_disconnects", event(status=101, path="/realtime/v1/websocket?apikey=x"), 100),
        ("realtime_disconnects", event(source="realtime", message="ChannelShutdown: gone"), 100),
    ],
)
def test_a_rule_fires_at_its_threshold_and_not_below(rule: str, one: LogEvent, least: int) -> None:
    assert look(*[one] * (least - 1))[rule].breached is False
    assert look(*[one] * least)[rule].breached is True
    assert look(*[one] * least)[rule].value == least


def test_the_rate_is_a_minute_s_whatever_the_window() -> None:
    thresholds = Thresholds(window_s=300)
    events = [event(NOW - number * 5, status=400) for number in range(50)]
    assert look(*events, thresholds=thresholds)["http_400"].value == 10
    assert look(*events, thresholds=Thresholds(window_s=60))["http_400"].value == 12


def test_a_request_that_is_in_two_logs_counts_once() -> None:
    gateway = [event(status=400)] * 6
    database = [event(source="postgres", severity="ERROR", sqlstate="22P02")] * 7
    assert look(*gateway, *database)["http_400"].value == 7


@pytest.mark.parametrize(
    "other",
    [
        event(status=200),
        event(status=403),
        event(status=499),
        event(status=600),
        event(source="auth", status=400),
        event(source="auth", status=503),
        event(source="postgres", severity="FATAL", sqlstate="28P01"),
        event(source="postgres", severity="LOG", sqlstate="23505"),
        event(source="postgres", severity="ERROR", sqlstate="42501"),
        event(source="postgres", severity="ERROR"),
        event(status=101, path="/functions/v1/x"),
        event(source="realtime", message="joined"),
        event(status=404, path="/wp-login.php"),
        event(status=404, path="/rest/v1/.env"),
        event(source="postgrest", status=404, path="/wp-login.php"),
        event(status=400, path="/auth/v1/token?grant_type=password"),
        event(status=401, path="/storage/v1/object/x"),
        event(status=409, path="/storage/v1/object/x"),
        event(status=502, path="/functions/v1/x"),
        event(status=400, path=None),
    ],
)
def test_what_is_something_else_does_not_count(other: LogEvent) -> None:
    found = look(*[other] * 200)
    assert all(not reading.breached for reading in found.values())


def test_a_clock_that_is_ahead_counts_now_and_what_is_too_old_is_dropped_and_counted() -> None:
    signals = Signals()
    for at in (NOW + 7200, NOW - 59, NOW - 60, NOW - 90_000):
        signals.add(event(at, status=400), NOW, 60)
    assert signals.per_minute("http_400", NOW, 60) == 2
    assert signals.late == 2


def added(*ages: float, read: float = NOW, before: float | None = None) -> Signals:
    """Refused requests of so many seconds before they are read, in a file of which lines were read before."""
    signals = Signals()
    if before is not None:
        signals.add_new([event(read - before, status=200)], read - before, 60)
    signals.add_new([event(read - age, status=400) for age in ages], read, 60)
    return signals


@pytest.mark.parametrize("lag", [0, 30, 70, LATE_S])
def test_lines_of_a_log_that_lags_count_when_they_are_read(lag: float) -> None:
    signals = added(*[lag] * 30)
    assert signals.per_minute("http_400", NOW, 60) == 30
    assert signals.late == 0
    assert signals.per_minute("http_400", NOW + 60, 60) == 0


def test_lines_that_are_later_than_an_hour_do_not_count() -> None:
    signals = added(*[LATE_S + 1] * 30)
    assert signals.per_minute("http_400", NOW, 60) == 0
    assert signals.late == 30


def test_a_backlog_is_no_burst() -> None:
    # One in ten seconds, for half an hour, all of which came two minutes ago and is read now.
    signals = added(*range(1920, 120, -10))
    assert signals.per_minute("http_400", NOW, 60) == 6
    assert signals.late == 174


def test_lines_of_a_slower_clock_among_others_count_with_those_above_them() -> None:
    signals = Signals()
    for second in range(0, 60, 10):
        good = [event(NOW + second - age, status=200) for age in range(9, -1, -1)]
        behind = [event(NOW + second - age - 70, status=400) for age in range(9, -1, -1)]
        signals.add_new([line for pair in zip(behind, good, strict=True) for line in pair], NOW + second, 60)
    # All but the very first, of which nobody knows yet that its clock is slow.
    assert signals.per_minute("http_400", NOW + 50, 60) == 59
    assert added(*[70] * 30, before=5).per_minute("http_400", NOW, 60) == 30


def test_the_95th_percentile_of_auth_calls_needs_enough_of_them() -> None:
    def calls(count: int, slow_s: float) -> list[LogEvent]:
        fast = [event(source="auth", path="/token", duration_s=0.1)] * (count - 2)
        return [
            *fast,
            *[event(path="/auth/v1/user", duration_s=0.1)] * 30,
            *[event(source="auth", path="/user", duration_s=slow_s)] * 2,
        ]

    few = look(*[event(source="auth", duration_s=9.0)] * (MIN_AUTH_CALLS - 1))["auth_p95"]
    assert (few.breached, few.value, few.blind) == (None, None, False)
    assert "not enough data" in few.detail
    assert look(*calls(MIN_AUTH_CALLS, 5.0))["auth_p95"].breached is True
    assert look(*calls(MIN_AUTH_CALLS, 4.99))["auth_p95"].breached is False
    assert look(*calls(100, 60.0))["auth_p95"].breached is False
    elsewhere = [event(path="/rest/v1/rpc/x", duration_s=9.0)] * 50
    assert look(*elsewhere)["auth_p95"].breached is None


def test_a_log_that_cannot_be_read_may_hide_an_alarm_and_never_proves_that_there_is_none() -> None:
    problems = ("/x cannot be read: Permission denied",)
    below, above = look(event(status=400), problems=problems), look(*[event(status=400)] * 10, problems=problems)
    assert all(reading.breached is None and reading.blind for reading in below.values())
    assert above["http_400"].breached is True
    assert above["http_409"].breached is None


@pytest.mark.parametrize(
    ("source", "hidden"),
    [
        ("gateway", set(LOG_RULES)),
        ("postgrest", set(HTTP_RULES)),
        ("postgres", set(HTTP_RULES)),
        ("auth", {"auth_p95"}),
        ("realtime", {"realtime_disconnects"}),
        (ANY, set(LOG_RULES)),
    ],
)
def test_a_silent_log_hides_what_it_would_hold(source: str, hidden: set[str]) -> None:
    slow = [event(status=200), *[event(path="/auth/v1/user", duration_s=0.1)] * MIN_AUTH_CALLS]
    assert not [reading.rule for reading in look(*slow).values() if reading.breached is not False]
    found = look(*slow, silent={source: ["the log ends"]})
    assert {rule for rule, reading in found.items() if reading.blind and reading.detail == "the log ends"} == hidden
    assert all(found[rule].breached is False for rule in set(LOG_RULES) - hidden)
    assert look(*[event(status=503)] * 10, silent={source: ["the log ends"]})["http_5xx"].breached is True


def test_a_log_that_cannot_tell_of_a_rule_gives_no_data_and_an_idle_one_gives_zero() -> None:
    found = look(event(source="auth", status=400))
    assert (found["http_400"].breached, found["http_400"].blind) == (None, False)
    assert look()["http_400"].breached is False


def test_a_gateway_s_log_without_a_call_of_the_api_tells_nothing_of_it() -> None:
    elsewhere = [event(status=200, path="/site/index.html")] * 50
    found = look(*elsewhere)["http_400"]
    assert (found.breached, found.blind) == (None, False)
    assert found.detail == "no call of PostgREST is in the gateway's log"
    assert look(*elsewhere)["realtime_disconnects"].breached is False
    assert look(*elsewhere, event(status=200))["http_400"].breached is False
    other = event(source="postgres", severity="LOG")
    assert look(*elsewhere, other)["http_400"].breached is False


def test_errors_without_sqlstate_are_not_taken_for_none() -> None:
    def errors(count: int) -> Reading:
        known = [event(source="postgres", severity="ERROR", sqlstate="42703")] * 5
        return look(*known, *[event(source="postgres", severity="ERROR")] * count)["http_400"]

    assert errors(4).breached is False
    assert errors(5).breached is None
    assert "%e" in errors(5).detail
    assert look(*[event(source="postgres", severity="LOG")] * 99)["http_400"].breached is False


def test_kinds_of_events_are_bounded() -> None:
    signals = Signals()
    for number in range(2000):
        signals.add(event(status=number), NOW, 60)
    assert len(signals.seen) <= 501
    assert signals.seen.total() == 2000


@pytest.mark.parametrize(
    ("sqlstate", "status"),
    [
        ("42703", 400),
        ("22P02", 400),
        ("23514", 400),
        ("P0001", 400),
        ("23505", 409),
        ("PT401", 401),
        ("PT404", 404),
        ("28P01", 403),
        ("40P01", 500),
        ("55P03", 500),
        ("XX000", 500),
        ("23503", 409),
        ("PT429", 429),
        ("PT409", 409),
        ("PTxyz", 500),
        ("42501", 403),
        ("42883", 404),
        ("42P01", 404),
        ("25006", 405),
        ("40001", 500),
        ("57014", 500),
        ("57P01", 503),
        ("53300", 503),
        ("08006", 503),
        ("P0002", 500),
        ("00000", None),
        ("01000", None),
        ("PGRST", None),
        ("", None),
    ],
)
def test_statuses_are_those_of_postgrest(sqlstate: str, status: int | None) -> None:
    assert status_of(sqlstate) == status


def test_thresholds_come_from_settings_and_what_is_no_number_leaves_the_default() -> None:
    rows = [("alert_window_s", 30), ("alert_http_400_per_min", 0), ("alert_lock_waiters", "x"), ("alert_x", 1)]
    found, problems = Thresholds.of_settings([*rows, ("alert_auth_p95_s", True), ("other", 3)])
    assert (found.window_s, found.http_400_per_min, found.lock_waiters, found.auth_p95_s) == (30, 0, 5, 5)
    assert len(problems) == 2


def test_a_threshold_of_zero_is_reached_by_one_and_not_by_none() -> None:
    thresholds = Thresholds(http_400_per_min=0)
    assert look(event(status=200), thresholds=thresholds)["http_400"].breached is False
    assert look(event(status=400), thresholds=thresholds)["http_400"].breached is True
    assert look(event(status=200), thresholds=thresholds, problems=("x",))["http_400"].breached is None
    assert look(event(source="auth"), thresholds=thresholds)["http_400"].breached is None
    unknown = event(source="postgres", severity="ERROR")
    assert look(unknown, thresholds=thresholds)["http_400"].breached is None
