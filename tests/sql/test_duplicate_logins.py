"""A second login: the policy decides, one session wins, and the loser is told by whom and when (R12)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from typing import Any
from uuid import UUID

import pytest

from eventlive_db.client import RpcError
from tests.support.actors import Actor, in_background, new_id
from tests.support.database import EventliveDatabase
from tests.support.faults import break_function
from tests.support.invariants import assert_invariants, violations

ROUNDS = 50


@dataclass
class Tab:
    """A browser tab: it enters, takes over where it is told of a conflict, and then beats."""

    actor: Actor
    webinar_id: UUID
    session_id: UUID = field(default_factory=new_id)
    inside: bool = False

    def enter(self, *, take_over: bool = False) -> Any:
        """Enter; the reply, or the refusal."""
        try:
            reply = self.actor.call(
                "webinar_enter", webinar_id=self.webinar_id, session_id=self.session_id, take_over=take_over
            )
        except RpcError as refusal:
            return refusal
        self.inside = True
        return reply

    def heartbeat(self) -> Any:
        """The reply to a heartbeat."""
        return self.actor.call("webinar_session_heartbeat", webinar_id=self.webinar_id, session_id=self.session_id)

    def steps(self) -> Iterator[None]:
        """Enter; take over where that is needed; beat: one at a time."""
        self.enter()
        yield
        if not self.inside:
            self.enter(take_over=True)
        yield
        self.heartbeat()
        yield


def tabs_of_one_user(db: EventliveDatabase, policy: str = "ask", number: int = 2, **settings: object) -> list[Tab]:
    """Tabs, each on a connection of its own."""
    webinar_id, user_id = db.webinar(duplicate_login_policy=policy, settings=settings), new_id()
    return [Tab(db.user(user_id), webinar_id) for _ in range(number)]


def winner(db: EventliveDatabase, tabs: list[Tab]) -> Tab:
    """The one tab that watches; each other tab that was inside knows who took over from it, and when."""
    states = {tab.session_id: tab.heartbeat() for tab in tabs if tab.inside}
    winners = [tab for tab in tabs if tab.inside and states[tab.session_id]["state"] == "open"]
    assert len(winners) == 1
    [won] = winners
    for session_id, state in states.items():
        if session_id != won.session_id:
            [(entered_at, replaced_by)] = db.rows(
                "select o.entered_at, s.replaced_by from eventlive.webinar_user_sessions s"
                " join eventlive.webinar_user_sessions o on o.session_id = s.replaced_by where s.session_id = %s",
                session_id,
            )
            assert (state["state"], state["next_heartbeat_s"]) == ("replaced", None)
            assert state["replaced_by"] == str(replaced_by)
            assert datetime.fromisoformat(state["exited_at"]) == entered_at
    assert_invariants(db)
    return won


# Of six steps, those that are tab A's; the others are tab B's. Each keeps the order of its own.
INTERLEAVINGS = ["".join("A" if i in mine else "B" for i in range(6)) for mine in combinations(range(6), 3)]


@pytest.mark.parametrize("already_watching", [False, True], ids=["nobody watching", "a third tab watching"])
@pytest.mark.parametrize("order", INTERLEAVINGS)
def test_in_every_order_of_two_tabs_that_take_over_exactly_one_wins(
    db: EventliveDatabase, order: str, already_watching: bool
) -> None:
    a, b, third = tabs_of_one_user(db, number=3)
    if already_watching:
        third.enter()
    steps = {"A": a.steps(), "B": b.steps()}
    for name in order:
        next(steps[name])
    assert winner(db, [a, b, third]) is {"A": a, "B": b}[last_to_come_in(order, already_watching=already_watching)]


def test_the_search_for_the_winner_sees_a_take_over_that_ends_nothing(db: EventliveDatabase) -> None:
    take_over = "eventlive.close_sessions(_webinar_id, v_other_ids, 'replaced', v_now, _session_id)"
    break_function(db, "webinar_enter", take_over, "1")
    a, b = tabs_of_one_user(db)
    for tab in (a, b):
        for _ in tab.steps():
            pass
    with pytest.raises(AssertionError):
        winner(db, [a, b])


def last_to_come_in(order: str, *, already_watching: bool) -> str:
    """Whose call was the last that opened a session, going by the policy alone."""
    done = {"A": 0, "B": 0}
    inside: list[str] = ["third"] if already_watching else []
    for name in order:
        done[name] += 1
        if (done[name] == 1 and not inside) or (done[name] == 2 and name not in inside):
            inside.append(name)
    return inside[-1]


def test_of_two_tabs_that_take_over_at_once_exactly_one_wins_every_time(db: EventliveDatabase) -> None:
    a, b, third = tabs_of_one_user(db, number=3)
    current = third
    current.enter()
    for _ in range(ROUNDS):
        barrier = threading.Barrier(2)
        rivals = [Tab(tab.actor, tab.webinar_id) for tab in (a, b)]

        def take_over(tab: Tab, barrier: threading.Barrier = barrier) -> Any:
            barrier.wait()
            return tab.enter(take_over=True)

        calls = [in_background(lambda tab=tab: take_over(tab)) for tab in rivals]  # type: ignore[misc]
        for call in calls:
            call.thread.join()
        assert [call.result()["created"] for call in calls] == [True, True]
        current = winner(db, [current, *rivals])
        assert current in rivals
    assert violations(db, a.actor, b.actor) == []


@pytest.mark.parametrize("take_over", [False, True])
def test_the_lost_session_cannot_enter_again_and_does_not_throw_the_winner_out(
    db: EventliveDatabase, take_over: bool
) -> None:
    lost, won = tabs_of_one_user(db)
    lost.enter()
    entered = won.enter(take_over=True)
    refusal = lost.enter(take_over=take_over)
    assert (refusal.status, refusal.token) == (410, "session_replaced")
    assert refusal.payload == {"replaced_by": str(won.session_id), "exited_at": entered["server_time"]}
    assert winner(db, [lost, won]) is won


def test_without_the_check_the_lost_session_would_throw_the_winner_out(db: EventliveDatabase) -> None:
    break_function(db, "check_session_is_open", "elsif _exited_at is not null then", "elsif false then")
    break_function(db, "webinar_enter", "if v_state <> 'open' then", "if false then")
    lost, won = tabs_of_one_user(db)
    lost.enter()
    won.enter(take_over=True)
    assert not isinstance(lost.enter(take_over=True), RpcError)


def test_a_conflict_lists_the_other_sessions_of_the_same_user_and_no_more(db: EventliveDatabase) -> None:
    first, second = tabs_of_one_user(db)
    stranger = Tab(db.user(), first.webinar_id)
    elsewhere = Tab(first.actor, db.webinar())
    for tab in (stranger, elsewhere, first):
        tab.enter()
    conflict = second.enter()
    assert (conflict.status, conflict.token) == (409, "duplicate_session")
    listed = db.value(
        "select to_jsonb(s) from (select session_id, entered_at, last_heartbeat_at"
        " from eventlive.webinar_user_sessions where session_id = %s) s",
        first.session_id,
    )
    assert conflict.payload == {"sessions": [listed]}


def test_a_conflict_lists_every_other_session_oldest_first(db: EventliveDatabase) -> None:
    *others, last = tabs_of_one_user(db, "allow", number=3)
    for tab in others:
        tab.enter()
    db.admin.execute("update eventlive.webinars set duplicate_login_policy = 'ask'")
    assert [s["session_id"] for s in last.enter().payload["sessions"]] == [str(tab.session_id) for tab in others]
    assert last.enter(take_over=True)["replaced_sessions"] == 2
    assert winner(db, [*others, last]) is last


def test_a_refused_entry_changes_nothing(db: EventliveDatabase) -> None:
    first, second = tabs_of_one_user(db)
    first.enter()
    before = db.contents()
    second.enter()
    assert db.contents() == before


def test_replace_oldest_lets_the_newcomer_win_without_asking(db: EventliveDatabase) -> None:
    first, second = tabs_of_one_user(db, "replace_oldest")
    first.enter()
    reply = second.enter()
    assert (reply["replaced_sessions"], reply["other_sessions"]) == (1, [])
    assert winner(db, [first, second]) is second


@pytest.mark.parametrize("take_over", [False, True])
def test_reject_lets_the_one_who_watches_stay_whatever_the_newcomer_wants(
    db: EventliveDatabase, take_over: bool
) -> None:
    first, second = tabs_of_one_user(db, "reject")
    first.enter()
    assert second.enter(take_over=take_over).token == "duplicate_session"
    assert winner(db, [first, second]) is first


def test_allow_lets_both_stay_up_to_the_limit(db: EventliveDatabase) -> None:
    *allowed, one_more = tabs_of_one_user(db, "allow", number=4, max_open_sessions_per_user=3)
    listed = [[s["session_id"] for s in tab.enter()["other_sessions"]] for tab in allowed]
    assert listed == [[str(tab.session_id) for tab in allowed[:n]] for n in range(3)]
    refusal = one_more.enter()
    assert (refusal.status, refusal.token, len(refusal.payload["sessions"])) == (429, "too_many_sessions", 3)
    assert [tab.heartbeat()["state"] for tab in allowed] == ["open"] * 3
    assert allowed[0].enter()["created"] is False, "a retry is no further session"


def test_at_the_limit_a_session_that_ends_or_expires_makes_room(db: EventliveDatabase) -> None:
    first, second, third = tabs_of_one_user(db, "allow", number=3, max_open_sessions_per_user=1)
    token = first.enter()["leave_token"]
    assert second.enter().token == "too_many_sessions"
    first.actor.call("webinar_leave", webinar_id=first.webinar_id, session_id=first.session_id, leave_token=UUID(token))
    assert second.enter()["created"]
    db.shift_time("1 hour")
    assert third.enter()["created"]


@pytest.mark.parametrize("policy", ["ask", "replace_oldest", "reject"])
def test_an_expired_session_is_no_duplicate_and_was_not_replaced(db: EventliveDatabase, policy: str) -> None:
    expired, fresh = tabs_of_one_user(db, policy)
    expired.enter()
    db.shift_time("1 hour")
    reply = fresh.enter()
    assert (reply["created"], reply["replaced_sessions"], reply["other_sessions"]) == (True, 0, [])
    assert expired.heartbeat()["state"] == "expired"
    assert expired.enter().token == "session_expired"
    assert_invariants(db)


def test_guests_are_strangers_to_one_another(db: EventliveDatabase) -> None:
    webinar_id = db.webinar(access_policy="guest_allowed", duplicate_login_policy="reject")
    guests = [Tab(db.guest(), webinar_id) for _ in range(3)]
    assert [guest.enter()["other_sessions"] for guest in guests] == [[], [], []]
    assert [guest.heartbeat()["state"] for guest in guests] == ["open"] * 3
