"""One user in five tabs and on three devices, end to end: browsers through PostgREST, devices through a gateway."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest

from eventlive_db.client import Client, Identity, rpc
from eventlive_db.client.callers import Caller
from eventlive_db.client.errors import EventliveError
from eventlive_db.client.http import HttpClient
from eventlive_db.client.replies import Entry, Heartbeat
from eventlive_db.client.resilience import Resilience
from tests.support.actors import new_id
from tests.support.faults import break_function
from tests.support.http_door import Door, token

TABS, DEVICES = 5, 3
SCREENS = TABS + DEVICES
BEATS_A_DAY = 288
"""One each 300 s."""

Outcome = Entry | EventliveError


@dataclass
class Screen:
    """A tab or a device: a caller with a session id of its own."""

    caller: Caller
    webinar_id: UUID
    session_id: UUID

    def enter(self, *, take_over: bool = False) -> Outcome:
        """Enter; what came of it."""
        try:
            return self.caller.call(rpc.webinar_enter(self.webinar_id, self.session_id, take_over=take_over))
        except EventliveError as error:
            return error

    def beat(self) -> Heartbeat:
        """One heartbeat."""
        return self.caller.call(rpc.webinar_session_heartbeat(self.webinar_id, self.session_id))

    def ping(self) -> None:
        """One ping, as a browser sends them beside its heartbeats."""
        self.caller.call(rpc.webinar_presence_ping(self.webinar_id))


@dataclass
class Home:
    """The user, with all screens."""

    door: Door
    webinar_id: UUID
    user_id: UUID
    screens: list[Screen]

    def another(self) -> Screen:
        """One more page, on the last device."""
        self.screens.append(Screen(self.screens[-1].caller, self.webinar_id, new_id()))
        return self.screens[-1]

    def events(self) -> Counter[str]:
        """What the visit log has of the user, by event."""
        rows = self.door.db.rows(
            "select event from eventlive.event_access_logs where webinar_id = %s and user_id = %s",
            self.webinar_id,
            self.user_id,
        )
        return Counter(event for (event,) in rows)

    def states(self) -> list[tuple[Screen, Heartbeat]]:
        """What each screen that ever was in is told by its next heartbeat."""
        known = {
            session_id
            for (session_id,) in self.door.db.rows(
                "select session_id from eventlive.webinar_user_sessions where webinar_id = %s", self.webinar_id
            )
        }
        return [(screen, screen.beat()) for screen in self.screens if screen.session_id in known]

    def winner(self) -> Screen:
        """The one screen that watches; each other one, and the visit log, is told who took over from it, and when."""
        states = self.states()
        open_ones = [screen for screen, beat in states if beat.state == "open"]
        assert len(open_ones) == 1
        entered = dict(
            self.door.db.rows(
                "select session_id, entered_at from eventlive.webinar_user_sessions where webinar_id = %s",
                self.webinar_id,
            )
        )
        replaced = {}
        for screen, beat in states:
            if screen is not open_ones[0]:
                assert (beat.state, beat.next_heartbeat_s) == ("replaced", None)
                assert beat.replaced_by is not None
                assert beat.replaced_by != screen.session_id
                assert beat.exited_at == entered[beat.replaced_by]
                replaced[screen.session_id] = (str(beat.replaced_by), beat.exited_at)
        assert self.take_overs() == replaced
        return open_ones[0]

    def take_overs(self) -> dict[UUID, tuple[str | None, datetime]]:
        """What the visit log has of them: by session who took over from it, and when."""
        rows = self.door.db.rows(
            "select session_id, detail ->> 'replaced_by', occurred_at from eventlive.event_access_logs"
            " where webinar_id = %s and event = 'replaced'",
            self.webinar_id,
        )
        assert len(rows) == len({session_id for session_id, *_ in rows})
        return {session_id: (replaced_by, at) for session_id, replaced_by, at in rows}


@pytest.fixture
def at_home(door: Door) -> Iterator[Any]:
    """Make a webinar with a policy, and a user with screens."""
    with ExitStack() as stack:

        def make(policy: str) -> Home:
            webinar_id, user_id = door.db.webinar(duplicate_login_policy=policy), new_id()
            once = Resilience(max_attempts=1)
            callers: list[Caller] = [
                stack.enter_context(HttpClient(door.server.url, resilience=once)).as_user(
                    token("authenticated", user_id)
                )
                for _ in range(TABS)
            ]
            callers += [
                stack.enter_context(Client(door.db.dsn, resilience=once)).as_user(Identity.user(user_id))
                for _ in range(DEVICES)
            ]
            return Home(door, webinar_id, user_id, [Screen(one, webinar_id, new_id()) for one in callers])

        yield make


def tokens(outcomes: list[Outcome]) -> Counter[str]:
    """What came of entering, by token; in is no token."""
    return Counter(one.token if isinstance(one, EventliveError) else "in" for one in outcomes)


def shown(refusal: EventliveError) -> list[dict[str, str]]:
    """The other sessions, of which a refusal tells."""
    sessions: list[dict[str, str]] = json.loads(json.dumps(refusal.payload["sessions"]))
    return sessions


def one_by_one(home: Home, **options: bool) -> list[Outcome]:
    return [screen.enter(**options) for screen in home.screens]


def at_once(home: Home, **options: bool) -> list[Outcome]:
    """All screens at the same moment."""
    gate = Barrier(SCREENS)

    def enter(screen: Screen) -> Outcome:
        gate.wait()
        return screen.enter(**options)

    with ThreadPoolExecutor(SCREENS) as pool:
        return list(pool.map(enter, home.screens))


WAYS_IN = pytest.mark.parametrize("come_in", [one_by_one, at_once])


@WAYS_IN
def test_allow_lets_all_of_them_watch(at_home: Any, come_in: Any) -> None:
    home = at_home("allow")
    outcomes = come_in(home)
    assert tokens(outcomes) == {"in": SCREENS}
    assert max(len(entry.other_sessions) for entry in outcomes) == SCREENS - 1
    assert {beat.state for _, beat in home.states()} == {"open"}
    assert home.events() == {"registered": 1, "entered": SCREENS}


@WAYS_IN
def test_allow_lets_who_wants_to_take_over(at_home: Any, come_in: Any) -> None:
    home = at_home("allow")
    come_in(home)
    last = home.another()
    entry = last.enter(take_over=True)
    assert isinstance(entry, Entry)
    assert (entry.replaced_sessions, entry.other_sessions) == (SCREENS, ())
    assert home.winner() is last
    assert home.events() == {"registered": 1, "entered": SCREENS + 1, "replaced": SCREENS}


@WAYS_IN
def test_reject_keeps_the_first_and_tells_the_others_of_it(at_home: Any, come_in: Any) -> None:
    home = at_home("reject")
    outcomes = come_in(home)
    assert tokens(outcomes) == {"in": 1, "duplicate_session": SCREENS - 1}
    assert tokens(one_by_one(home, take_over=True))["duplicate_session"] == SCREENS - 1
    first = home.winner()
    for outcome in outcomes:
        if isinstance(outcome, EventliveError):
            assert outcome.status == 409
            [other] = shown(outcome)
            assert other["session_id"] == str(first.session_id)
    assert home.events() == {"registered": 1, "entered": 1}


@WAYS_IN
def test_ask_shows_the_conflict_and_who_takes_over_wins(at_home: Any, come_in: Any) -> None:
    home = at_home("ask")
    assert tokens(come_in(home)) == {"in": 1, "duplicate_session": SCREENS - 1}
    first = home.winner()
    others = [screen for screen in home.screens if screen is not first]
    assert isinstance(others[-1].enter(take_over=True), Entry)
    assert home.winner() is others[-1]
    # It was replaced, and never comes back: no two tabs throw each other out in turns.
    for take_over in (False, True):
        outcome = first.enter(take_over=take_over)
        assert isinstance(outcome, EventliveError)
        assert (outcome.status, outcome.token) == (410, "session_replaced")
        assert outcome.payload["replaced_by"] == str(others[-1].session_id)
    assert home.winner() is others[-1]
    assert home.events() == {"registered": 1, "entered": 2, "replaced": 1}


def test_of_all_who_take_over_at_once_one_wins(at_home: Any) -> None:
    home = at_home("ask")
    outcomes = at_once(home, take_over=True)
    assert tokens(outcomes) == {"in": SCREENS}
    home.winner()
    assert home.events() == {"registered": 1, "entered": SCREENS, "replaced": SCREENS - 1}


@WAYS_IN
def test_replace_oldest_keeps_the_one_that_came_last(at_home: Any, come_in: Any) -> None:
    home = at_home("replace_oldest")
    assert tokens(come_in(home)) == {"in": SCREENS}
    won = home.winner()
    if come_in is one_by_one:
        assert won is home.screens[-1]
    assert home.events() == {"registered": 1, "entered": SCREENS, "replaced": SCREENS - 1}


@pytest.mark.parametrize("policy", ["allow", "replace_oldest"])
def test_a_day_of_heartbeats_and_pings_makes_no_event(at_home: Any, policy: str) -> None:
    """It was 444,914 in a day: one for each look of a timer. Now it is one for each that something happens."""
    home = at_home(policy)
    one_by_one(home)
    before = home.events()
    watching = [screen for screen, beat in home.states() if beat.state == "open"]
    for _ in range(BEATS_A_DAY // 12):
        home.door.db.shift_time("300 seconds")
        for screen in watching:
            screen.ping()
        assert {screen.beat().state for screen in watching} == {"open"}
    assert home.events() == before


@contextmanager
def broken(home: Home, function: str, old: str, new: str) -> Iterator[None]:
    """Break a function for as long as the block goes: its database is shared with other tests."""
    original = home.door.db.value("select pg_get_functiondef(%s::regproc)", f"eventlive.{function}")
    try:
        break_function(home.door.db, function, old, new)
        yield
    finally:
        home.door.db.admin.execute(original.encode())


@pytest.mark.parametrize("function", ["webinar_session_heartbeat", "webinar_presence_ping"])
@pytest.mark.parametrize("screen", [0, TABS], ids=["tab", "device"])
def test_an_event_that_a_timer_makes_is_seen(at_home: Any, function: str, screen: int) -> None:
    home = at_home("allow")
    one_by_one(home)
    before = home.events()
    logs = (
        "    insert into eventlive.event_access_logs (webinar_id, occurred_at, event, user_id)"
        " values (_webinar_id, v_now, 'entered', v_user_id);\n    if v_alone then\n"
    )
    with broken(home, function, "    if v_alone then\n", logs):
        home.door.db.shift_time("300 seconds")
        home.screens[screen].ping()
        home.screens[screen].beat()
        assert home.events() != before


def test_a_visit_log_that_does_not_say_who_took_over_is_seen(at_home: Any) -> None:
    home = at_home("replace_oldest")
    with broken(home, "close_sessions", ", 'replaced_by', c.replaced_by", ""):
        one_by_one(home)
        with pytest.raises(AssertionError):
            home.winner()


def test_a_take_over_that_allow_does_not_make_is_seen(at_home: Any) -> None:
    home = at_home("allow")
    with broken(home, "webinar_enter", "_policy <> 'allow' or _take_over", "_policy <> 'allow'"):
        one_by_one(home)
        home.another().enter(take_over=True)
        with pytest.raises(AssertionError):
            home.winner()


def test_the_conflict_is_told_as_a_page_can_show_it(at_home: Any) -> None:
    home = at_home("ask")
    entry = home.screens[0].enter()
    assert isinstance(entry, Entry)
    refusal = home.screens[TABS].enter()
    assert isinstance(refusal, EventliveError)
    [other] = shown(refusal)
    assert other["session_id"] == str(home.screens[0].session_id)
    assert set(other) >= {"session_id", "entered_at", "last_heartbeat_at"}
    assert "take_over" in refusal.hint
