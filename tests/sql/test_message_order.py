"""A poll never skips a message, in whatever order sessions take numbers and commit; and two calls make one message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import pytest

from eventlive_db.client import RpcError
from tests.support.actors import Actor, in_background, new_id, wait_until_blocked
from tests.support.database import EventliveDatabase
from tests.support.faults import break_function
from tests.support.races import Step, closed_gate, deadlocks, held, overlap, pause_in, rush


@dataclass(slots=True)
class Room:
    """A webinar, its host, and users who are registered."""

    db: EventliveDatabase
    webinar_id: UUID
    host: Actor
    users: list[Actor] = field(default_factory=list)

    def user(self) -> Actor:
        """One more, on a connection of their own."""
        user = self.db.user()
        assert user.user_id
        self.db.register(self.webinar_id, user.user_id)
        self.users.append(user)
        return user

    def again(self, user: Actor) -> Actor:
        """The same user in another tab."""
        return self.db.user(user.user_id)

    def post(self, user: Actor, body: str = "Hello", client_message_id: UUID | None = None) -> Step:
        """A post, to be made."""
        message: dict[str, object] = {
            "client_message_id": client_message_id or new_id(), "kind": "chat", "body": body,
        }  # fmt: skip
        return Step(user, "webinar_message_post", {"webinar_id": self.webinar_id, **message})

    def hide(self, actor: Actor, message_id: int, *, hidden: bool = True) -> Step:
        """Hiding, to be done."""
        return Step(
            actor,
            "webinar_message_hide",
            {"webinar_id": self.webinar_id, "message_id": message_id, "hidden": hidden},
        )


@dataclass(slots=True)
class Poller:
    """A client that polls: what it shows is what it has been told."""

    room: Room
    actor: Actor
    cursor: int = 0
    shown: dict[int, str | None] = field(default_factory=dict)

    def poll(self, limit: int = 50) -> list[str | None]:
        """Ask, keep, and return what was new."""
        page = self.actor.call("webinar_messages_poll", webinar_id=self.room.webinar_id, after=self.cursor, limit=limit)
        assert page["cursor"] >= self.cursor
        self.cursor = page["cursor"]
        for message in page["messages"]:
            self.shown[message["message_id"]] = message["body"]
        return [message["body"] for message in page["messages"]]

    def true(self) -> dict[int, str | None]:
        """What it should show."""
        return dict(
            self.room.db.rows(
                "select message_id, case when not hidden then body end from eventlive.webinar_messages"
                " where webinar_id = %s",
                self.room.webinar_id,
            )
        )


@pytest.fixture
def room(db: EventliveDatabase) -> Room:
    """A webinar in which nobody is too fast."""
    host = db.user()
    assert host.user_id
    return Room(db, db.webinar(host=host.user_id, settings={"message_rate_limit": 1000}), host)


@pytest.fixture
def poller(room: Room) -> Poller:
    """Somebody who has seen nothing yet."""
    return Poller(room, room.user())


# ------------------------------------------------------------------------------------------------ committed late


def test_of_two_posts_at_once_the_second_waits_for_its_number_and_no_poller_gets_ahead(
    room: Room, poller: Poller
) -> None:
    slow, fast = room.user(), room.user()
    with slow.transaction() as transaction:
        transaction.call("webinar_message_post", **room.post(slow, "late").arguments)
        background = in_background(room.post(fast, "early").attempt)
        wait_until_blocked(room.db.admin, fast.pid)
        assert poller.poll() == []  # at once: a poll takes no lock
        assert poller.cursor == 0
    assert background.result()["message_id"] == 2
    assert poller.poll() == ["late", "early"]


def test_a_post_that_is_rolled_back_gives_its_number_to_the_next(room: Room, poller: Poller) -> None:
    slow, fast = room.user(), room.user()
    came = overlap(room.db, room.post(slow, "undone"), room.post(fast, "said"), commits=False)
    assert came.waited
    assert (came.first["message_id"], came.second["message_id"]) == (1, 1)
    assert poller.poll() == ["said"]
    assert poller.shown == poller.true()


def test_a_long_transaction_elsewhere_holds_up_neither_posts_nor_polls(room: Room, poller: Poller) -> None:
    other, user = room.db.connect(), room.user()
    room.db.admin.execute("create table public.elsewhere (a int)")
    with other.transaction():
        other.execute("insert into public.elsewhere values (1)")
        room.post(user, "said").attempt()
        assert poller.poll() == ["said"]


def test_webinars_do_not_wait_for_each_other(room: Room, poller: Poller) -> None:
    user = room.user()
    elsewhere = Room(room.db, room.db.webinar(), room.host)
    came = overlap(room.db, elsewhere.post(elsewhere.user()), room.post(user, "here"), commits=True)
    assert not came.waited
    assert poller.poll() == ["here"]


def test_the_counter_is_updated_in_place_and_does_not_grow(room: Room) -> None:
    user = room.user()
    room.post(user).attempt()
    size = "select pg_relation_size('eventlive.webinar_message_feeds')"
    before = room.db.value(size)
    for _ in range(400):
        room.post(user).attempt()
    user.connection.execute("select pg_stat_force_next_flush()")
    updates, hot = room.db.rows(
        "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = 'webinar_message_feeds'"
    )[0]
    assert updates == 400
    assert hot >= 396
    assert room.db.value(size) == before


def by_sequence(db: EventliveDatabase) -> None:
    """Number changes as the incumbent does: by a sequence, which waits for nobody."""
    db.admin.execute("create sequence eventlive.naive")
    db.admin.execute("alter sequence eventlive.naive owner to eventlive_owner")
    definition = db.value("select pg_get_functiondef('eventlive.next_change_id'::regproc)")
    begin, end = definition.index("    insert into"), definition.index("    return v_change_id;")
    db.admin.execute(
        (definition[:begin] + "    v_change_id := nextval('eventlive.naive');\n" + definition[end:]).encode()
    )


def by_the_largest(db: EventliveDatabase) -> None:
    """Number changes by the largest number so far."""
    definition = db.value("select pg_get_functiondef('eventlive.next_change_id'::regproc)")
    begin, end = definition.index("    insert into"), definition.index("    return v_change_id;")
    query = (
        "select coalesce(max(m.change_id), 0) + 1 from eventlive.webinar_messages m where m.webinar_id = _webinar_id"
    )
    db.admin.execute((definition[:begin] + f"    v_change_id := ({query});\n" + definition[end:]).encode())


def test_with_numbers_of_a_sequence_the_late_message_is_lost(room: Room, poller: Poller) -> None:
    by_sequence(room.db)
    slow, fast = room.user(), room.user()
    with slow.transaction() as transaction:
        transaction.call("webinar_message_post", **room.post(slow, "late").arguments)
        room.post(fast, "early").attempt()
        assert poller.poll() == ["early"]
    assert poller.poll() == []
    assert poller.shown != poller.true()


def test_with_the_largest_number_and_one_more_two_posts_collide(room: Room) -> None:
    by_the_largest(room.db)
    slow, fast = room.user(), room.user()
    with pytest.raises(psycopg.errors.UniqueViolation):
        overlap(room.db, room.post(slow), room.post(fast), commits=True)


def test_a_crowd_that_posts_while_others_poll(room: Room) -> None:
    """Each poller is told of every message, once and in order, though all go on at the same time."""
    writers = [room.user() for _ in range(6)]
    pollers = [Poller(room, room.user()) for _ in range(3)]
    done: list[bool] = []

    def follow(poller: Poller) -> list[str | None]:
        told: list[str | None] = []
        while not done:
            told += poller.poll(limit=7)
        while new := poller.poll(limit=7):
            told += new
        return told

    following = [in_background(partial(follow, poller)) for poller in pollers]

    def write(user: Actor, name: int) -> None:
        for number in range(40):
            assert room.post(user, f"{name}-{number}").attempt()["created"]

    writing = [in_background(partial(write, user, name)) for name, user in enumerate(writers)]
    try:
        for each in writing:
            each.result()
    finally:
        done.append(True)
        told = [each.result() for each in following]
    order = [
        body
        for (body,) in room.db.rows(
            "select body from eventlive.webinar_messages where webinar_id = %s order by change_id", room.webinar_id
        )
    ]
    assert len(order) == 240
    assert told == [order] * 3
    assert room.db.rows("select min(change_id), max(change_id) from eventlive.webinar_messages") == [(1, 240)]
    assert room.db.value("select last_change_id from eventlive.webinar_message_feeds") == 240
    later = "select created_at >= lag(created_at) over (order by change_id) as later from eventlive.webinar_messages"
    assert room.db.value(f"select bool_and(later) from ({later}) t") is True
    assert deadlocks(room.db, *writers) == 0


# ------------------------------------------------------------------------------------------------ hiding meanwhile


def test_a_message_hidden_between_two_polls_is_not_shown_for_ever(room: Room, poller: Poller) -> None:
    user = room.user()
    room.post(user, "rude").attempt()
    poller.poll()
    with room.host.transaction() as transaction:
        transaction.call("webinar_message_hide", **room.hide(room.host, 1).arguments)
        background = in_background(room.post(user, "next").attempt)
        wait_until_blocked(room.db.admin, user.pid)
        assert poller.poll() == []
    background.result()
    assert poller.poll() == [None, "next"]
    assert poller.shown == poller.true() == {1: None, 3: "next"}


def test_hiding_in_a_page_that_is_read_by_parts_loses_nothing(room: Room, poller: Poller) -> None:
    user = room.user()
    for number in range(1, 7):
        room.post(user, f"text-{number}").attempt()
    poller.poll(limit=2)
    for message_id in (1, 2, 3, 5):  # behind the cursor, and before it
        room.hide(room.host, message_id).attempt()
    while poller.poll(limit=2):
        pass
    assert poller.shown == poller.true()
    assert [body for body in poller.shown.values() if body] == ["text-4", "text-6"]


def test_hiding_and_showing_of_two_moderators_end_in_one_state_that_all_see(room: Room, poller: Poller) -> None:
    room.post(room.user(), "said").attempt()
    poller.poll()
    other = room.user()
    assert other.user_id
    room.db.admin.execute("update eventlive.registrations set role = 'moderator' where user_id = %s", [other.user_id])
    came = overlap(room.db, room.hide(room.host, 1), room.hide(other, 1, hidden=False), commits=True)
    assert not came.waited  # to the second it was not hidden yet
    assert (came.first["changed"], came.second["changed"]) == (True, False)
    came = overlap(room.db, room.hide(room.host, 1, hidden=False), room.hide(other, 1, hidden=False), commits=True)
    assert came.waited
    assert (came.first["changed"], came.second["changed"]) == (True, False)
    poller.poll()
    assert poller.shown == poller.true() == {1: "said"}
    assert room.db.value("select last_change_id from eventlive.webinar_message_feeds") == 3


def test_moderators_and_posters_in_each_others_way_do_not_deadlock(room: Room) -> None:
    writers, moderators = [room.user() for _ in range(3)], [room.user() for _ in range(3)]
    for moderator in moderators:
        room.db.admin.execute(
            "update eventlive.registrations set role = 'moderator' where user_id = %s", [moderator.user_id]
        )
    room.post(writers[0]).attempt()
    room.post(writers[0]).attempt()
    steps: list[Callable[[], Any]] = []

    def write(user: Actor) -> None:
        for _ in range(30):
            assert room.post(user).attempt()["created"]

    def moderate(user: Actor, offset: int) -> None:
        for number in range(30):
            room.hide(user, 1 + (number + offset) % 2, hidden=number % 4 < 2).attempt()

    steps += [partial(write, user) for user in writers]
    steps += [partial(moderate, user, n) for n, user in enumerate(moderators)]
    for each in [in_background(step) for step in steps]:
        each.result()
    assert deadlocks(room.db, *writers, *moderators) == 0
    late = Poller(room, room.user())
    while late.poll():
        pass
    assert late.shown == late.true()


# ------------------------------------------------------------------------------------------------ the same call twice


@pytest.mark.parametrize("commits", [True, False])
def test_the_same_message_posted_over_two_connections_is_one(room: Room, commits: bool) -> None:
    user, client_message_id = room.user(), new_id()
    came = overlap(
        room.db,
        room.post(user, "said", client_message_id),
        room.post(room.again(user), "said again", client_message_id),
        commits=commits,
    )
    assert came.waited
    assert came.first["created"] is True
    assert came.second["created"] is not commits
    assert room.db.rows("select body from eventlive.webinar_messages") == [("said" if commits else "said again",)]
    assert room.db.rows("select last_change_id from eventlive.webinar_message_feeds") == [(1,)]


def test_a_storm_of_retries_is_one_message_and_one_number(room: Room) -> None:
    user, client_message_id = room.user(), new_id()
    tabs = [room.again(user) for _ in range(8)]
    steps = [room.post(tab, "said", client_message_id) for tab in tabs]
    gate = held(room.db, "select from eventlive.registrations where user_id = %s for update", user.user_id)
    outcomes = rush(room.db, gate, steps, times=5)
    assert [outcome["created"] for outcome in outcomes].count(True) == 1
    assert {outcome["message_id"] for outcome in outcomes} == {1}
    assert room.db.count("webinar_messages") == 1
    assert room.db.value("select last_change_id from eventlive.webinar_message_feeds") == 1


def test_without_the_second_look_a_retry_would_break_a_constraint(room: Room) -> None:
    definition = room.db.value("select pg_get_functiondef('eventlive.webinar_message_post'::regproc)")
    again = definition.rindex("    if found then")
    room.db.admin.execute((definition[:again] + "    if false then" + definition[again + 17 :]).encode())
    user, client_message_id = room.user(), new_id()
    with pytest.raises(psycopg.errors.UniqueViolation):
        overlap(
            room.db, room.post(user, "said", client_message_id), room.post(room.again(user), "said", client_message_id),
            commits=True,
        )  # fmt: skip


# ------------------------------------------------------------------------------------------------ the rate


def limited(room: Room, limit: int) -> None:
    """Allow so many messages in an hour."""
    room.db.admin.execute(
        "update eventlive.webinars set settings ="
        " jsonb_build_object('message_rate_limit', %s::int, 'message_rate_window_s', 3600)",
        [limit],
    )


def test_tabs_of_one_user_share_the_rate(room: Room) -> None:
    limited(room, 5)
    user = room.user()
    gate = held(room.db, "select from eventlive.registrations where user_id = %s for update", user.user_id)
    outcomes = rush(room.db, gate, [room.post(room.again(user)) for _ in range(8)], times=1)
    refused = [outcome for outcome in outcomes if isinstance(outcome, RpcError)]
    assert {refusal.token for refusal in refused} == {"too_many_messages"}
    assert (len(outcomes) - len(refused), len(refused)) == (5, 3)
    assert room.db.count("webinar_messages") == 5


def test_with_a_rate_that_is_looked_at_before_the_lock_alone_tabs_would_get_past_it(room: Room) -> None:
    definition = room.db.value("select pg_get_functiondef('eventlive.webinar_message_post'::regproc)")
    last = definition.rindex("    perform eventlive.check_message_rate(")
    line = definition[last:].partition("\n")[0]
    room.db.admin.execute(definition[:last].encode() + definition[last + len(line) :].encode())
    limited(room, 5)
    user = room.user()
    gate = held(room.db, "select from eventlive.registrations where user_id = %s for update", user.user_id)
    rush(room.db, gate, [room.post(room.again(user)) for _ in range(8)], times=1)
    assert room.db.count("webinar_messages") == 8


# ------------------------------------------------------------------------------------------------ with other calls


def eject(room: Room, user: Actor) -> Step:
    """The host throws somebody out."""
    return Step(room.host, "webinar_eject", {"webinar_id": room.webinar_id, "user_id": user.user_id})


def test_who_is_being_ejected_posts_no_more(room: Room) -> None:
    user = room.user()
    came = overlap(room.db, eject(room, user), room.post(user), commits=True)
    assert came.waited
    assert came.second.token == "ejected"
    assert room.db.count("webinar_messages") == 0


def test_an_ejection_waits_for_a_post_under_way(room: Room) -> None:
    user = room.user()
    came = overlap(room.db, room.post(user), eject(room, user), commits=True)
    assert came.waited
    assert came.first["created"]


def test_nothing_is_posted_in_a_webinar_that_is_ending(room: Room) -> None:
    user = room.user()
    end = Step(room.host, "webinar_set_status", {"webinar_id": room.webinar_id, "status": "ended"})
    came = overlap(room.db, end, room.post(user), commits=True)
    assert came.waited
    assert came.second.token == "webinar_ended"
    assert room.db.count("webinar_messages") == 0


def test_a_webinar_ends_behind_a_post_under_way(room: Room) -> None:
    end = Step(room.host, "webinar_set_status", {"webinar_id": room.webinar_id, "status": "ended"})
    came = overlap(room.db, room.post(room.user()), end, commits=True)
    assert came.waited
    assert came.second["changed"]


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("webinar_configure", {"changes": {"settings": {"message_max_length": 5}}}),
        ("webinar_presence_ping", {}),
        ("webinar_client_settings", {}),
        ("webinar_messages_poll", {}),
    ],
)
def test_an_open_post_holds_up_nothing_else(room: Room, function: str, arguments: dict[str, object]) -> None:
    step = Step(room.host, function, {"webinar_id": room.webinar_id, **arguments})
    assert not overlap(room.db, room.post(room.user()), step, commits=True).waited


def test_entering_and_watching_go_on_while_a_post_is_open(room: Room) -> None:
    user, session_id = room.user(), new_id()
    enter = Step(user, "webinar_enter", {"webinar_id": room.webinar_id, "session_id": session_id})
    assert not overlap(room.db, room.post(room.user()), enter, commits=True).waited
    room.db.shift_time("5 minutes")
    beat = Step(user, "webinar_session_heartbeat", {"webinar_id": room.webinar_id, "session_id": session_id})
    assert not overlap(room.db, room.post(room.user()), beat, commits=True).waited


def test_polls_go_on_while_the_table_is_being_cleared(room: Room, poller: Poller) -> None:
    room.post(room.user(), "said").attempt()
    with held(room.db, "delete from eventlive.webinar_messages"):
        assert poller.poll() == ["said"]


def test_a_limit_that_changes_between_the_looks_is_the_one_that_was_read(room: Room) -> None:
    """The call is stopped where it takes its number, with everything decided before."""
    user = room.user()
    pause_in(room.db, "next_change_id")
    with closed_gate(room.db):
        background = in_background(room.post(user, "said").attempt)
        wait_until_blocked(room.db.admin, user.pid)
        room.db.admin.execute("""update eventlive.webinars set settings = '{"message_max_length": 1}'""")
    assert background.result()["created"]


def test_a_poll_that_locks_would_wait_and_is_seen(room: Room, poller: Poller) -> None:
    break_function(
        room.db,
        "webinar_messages_poll",
        "v_limit := least(",
        "perform pg_advisory_xact_lock(eventlive.webinar_lock_key(_webinar_id)); v_limit := least(",
    )
    poll = Step(poller.actor, "webinar_messages_poll", {"webinar_id": room.webinar_id})
    assert overlap(room.db, room.post(room.user()), poll, commits=True).waited
