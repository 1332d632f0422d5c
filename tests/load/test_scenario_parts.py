"""What the scenarios are made of: settings that make time pass faster, a ledger, marks. Without a database."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlive_db.client import rpc
from eventlive_db.client.calls import Call
from eventlive_db.client.errors import ForbiddenError
from eventlive_db.client.replies import Heartbeat
from eventlive_db.load.results_parts import Mark
from eventlive_db.load.scenarios.figures import (
    block_marks,
    hot_mark,
    latency_mark,
    rate_plot,
    request_mark,
    server_plots,
    status_mark,
)
from eventlive_db.load.scenarios.ledger import Done, Kept, Ledger, worst_window
from eventlive_db.load.scenarios.outcome import Outcome
from eventlive_db.load.scenarios.plan import DIVIDED, MULTIPLIED, scaled
from eventlive_db.load.scenarios.sampler import Sample, Statement

PING = "webinar_presence_ping"
BEAT = "webinar_session_heartbeat"
BOUNDS = dict.fromkeys(DIVIDED, (120.0, 1.0, 3600.0)) | dict.fromkeys(MULTIPLIED, (100.0, 0.1, 1e5))
BOUNDS |= {"message_rate_limit": (10.0, 1.0, 1000.0)}


def done(at: float, took: float = 0.01, token: str | None = None, function: str = PING, webinar: str = "a") -> Done:
    return Done(at, took, function, "psycopg", webinar, token, 403 if token else None)


def sample(at: float, updates: int = 0, hot: int = 0, cpu: float | None = 0.0) -> Sample:
    return Sample(at, int(at * 10), 0, int(at * 1000), updates, hot, 5, 0, 8192, 3, 1, 0, (cpu, cpu))


def statement(query: str, calls: int, blocks: int, toplevel: bool = True) -> Statement:
    return Statement(query, toplevel, calls, calls, 0.1, 1.0, 0, blocks)


def test_faster_is_shorter_intervals_and_higher_rates_and_what_cannot_follow_is_told() -> None:
    found = scaled(BOUNDS, 10)
    assert {found.settings[key] for key in DIVIDED} == {12.0}
    assert {found.settings[key] for key in MULTIPLIED} == {1000.0}
    assert found.held == {}
    held = scaled(BOUNDS, 1000)
    assert {held.settings[key] for key in DIVIDED} == {1.0}
    assert set(held.held) == set(DIVIDED)
    assert scaled(BOUNDS, 1).settings == {}


@pytest.mark.parametrize(("speed", "limit"), [(30, None), (40, 14), (60, 20), (3000, 1000), (1e6, 1000)])
def test_where_the_window_of_messages_is_held_more_of_them_are_let_in(speed: float, limit: int | None) -> None:
    found = scaled(BOUNDS | {"message_rate_window_s": (30.0, 1.0, 3600.0)}, speed)
    assert found.settings.get("message_rate_limit") == limit
    if limit is not None:
        # At least as many a second as in life, but for the bound that it has itself.
        assert limit / found.settings["message_rate_window_s"] >= min(10 / 30 * speed, 1000)
        assert f"so message_rate_limit is {limit}, not 10" in found.held["message_rate_window_s"]


@given(st.lists(st.floats(0, 100), min_size=1, max_size=60), st.floats(0.1, 50))
def test_the_worst_window_has_as_many_as_any(times: list[float], window_s: float) -> None:
    times.sort()
    assert worst_window(times, window_s) == max(sum(begin <= at < begin + window_s for at in times) for begin in times)
    assert worst_window([], window_s) == 0


def test_a_ledger_has_every_call_with_what_was_wrong() -> None:
    times = iter([0.0, 10.0, 10.5, 20.0, 21.0, 30.0, 30.5, 40.0, 40.5])
    ledger = Ledger(clock=lambda: next(times))
    ledger.begin()

    refused = uuid4()

    class Caller:
        async def call(self, request: Call[Any]) -> Any:
            if request.arguments["_webinar_id"] == refused:
                raise ForbiddenError(403, "not_registered")
            return next(beats) if request.function == BEAT else None

    beats = (
        Heartbeat(state=state, next_heartbeat_s=None, server_time=datetime.now(UTC), settings_version="")
        for state in ("open", "expired")
    )
    kept = Kept(Caller(), ledger, "psycopg", "a")

    async def main() -> None:
        await kept.call(rpc.webinar_presence_ping(uuid4()))
        with pytest.raises(ForbiddenError):
            await kept.call(rpc.webinar_presence_ping(refused))
        for _ in range(2):
            await kept.call(rpc.webinar_session_heartbeat(uuid4(), uuid4()))

    asyncio.run(main())
    assert ledger.done == [
        Done(10.5, 0.5, PING, "psycopg", "a"),
        Done(21.0, 1.0, PING, "psycopg", "a", "not_registered", 403),
        Done(30.5, 0.5, BEAT, "psycopg", "a"),
        # Answered, and yet not as somebody who watches should be.
        Done(40.5, 0.5, BEAT, "psycopg", "a", "session_expired"),
    ]


def test_a_part_of_a_ledger_is_of_a_function_a_webinar_and_a_time() -> None:
    ledger = Ledger(done=[done(1), done(2, function="other"), done(3, webinar="b"), done(4)])
    assert [one.at for one in ledger.select([PING])] == [1, 3, 4]
    assert [one.at for one in ledger.select(webinar="b")] == [3]
    assert [one.at for one in ledger.select(since=2, until=4)] == [2, 3]
    assert ledger.select(way="postgrest") == []


@pytest.mark.parametrize(
    ("mark", "passed"),
    [
        (latency_mark([done(1, 0.1)] * 100, "ping", 0.5), True),
        (latency_mark([done(1, 0.1)] * 90 + [done(1, 0.6)] * 10, "ping", 0.5), False),
        (latency_mark([], "ping", 0.5), False),
        (status_mark([done(1)]), True),
        (status_mark([done(1, token="not_registered")]), False),
        (status_mark([done(1, token="not_registered")], lambda call: call.function == PING), True),
        (status_mark([done(1, token="not_registered", function=BEAT)], lambda call: call.function == PING), False),
        (status_mark([done(1, token="session_expired", function=BEAT)]), False),
        (request_mark(Ledger(done=[done(n / 1000) for n in range(9_999)]), 1), True),
        (request_mark(Ledger(done=[done(n / 1000) for n in range(10_000)]), 1), False),
        # Ten times as fast, a minute is six seconds.
        (request_mark(Ledger(done=[done(n / 1000) for n in range(10_000)]), 10), True),
        (hot_mark([sample(0), sample(1, 100, 95)]), True),
        (hot_mark([sample(0), sample(1, 100, 50)]), False),
        (hot_mark([sample(0), sample(1)]), False),
    ],
)
def test_a_mark_is_passed_where_it_should_and_only_there(mark: Mark, passed: bool) -> None:
    assert mark.passed is passed


def test_blocks_are_those_of_calls_by_every_way_and_of_nothing_inside_them() -> None:
    few = [statement(f"select {PING}($1)", 90, 630), statement(f'WITH x AS ("{PING}")', 10, 70)]
    inside = statement(f"update in {PING}", 100, 1_000_000, toplevel=False)
    ping, beat, _ = block_marks([*few, inside])
    assert (ping.passed, ping.found) == (True, "7.0")
    assert (beat.passed, beat.found) == (False, "no call")
    assert not block_marks([statement(PING, 10, 5000)])[0].passed


def test_a_scenario_without_marks_has_not_passed() -> None:
    outcome = Outcome("s1", "S1", "2026-01-01T00:00:00+00:00")
    assert not outcome.passed
    outcome.marks = [Mark("a", "1", "1", passed=True)]
    assert outcome.passed
    outcome.marks.append(Mark("b", "1", "2", passed=False))
    assert not outcome.passed
    assert outcome.failed() == ["b: 2, not 1"]


def test_rates_are_those_of_a_minute_of_the_scenario() -> None:
    ledger = Ledger(done=[done(n / 10) for n in range(600)])
    plot = rate_plot(ledger, 60.0, 2.0, [PING])
    values = [value for value in plot.lines[PING] if value is not None]
    assert Counter(values).most_common(1)[0][0] == pytest.approx(300.0)


def test_what_the_server_did_is_between_two_looks() -> None:
    plots = {plot.title: plot for plot in server_plots([sample(0), sample(2, 10, 5, 0.5)], ["driver"])}
    assert list(plots["Transactions"].lines["all of the database"]) == [pytest.approx(10.0)]
    assert list(plots["HOT updates of presence"].lines["HOT"]) == [50.0]
    assert list(plots["Processor time"].lines["driver"]) == [pytest.approx(25.0)]
    assert "Processor time" not in {plot.title for plot in server_plots([sample(0, cpu=None), sample(1, cpu=None)], [])}
    assert server_plots([sample(0)], []) == []
