"""The outage's own traffic through PostgREST: what brought the incumbent down is answered, refused or costs nothing.

Bounded: some two thousand requests in all, fifty at once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from tests.fuzz.plants import Plant, planted
from tests.http.conftest import OpenDoor
from tests.support.actors import new_id
from tests.support.http_door import Answer, Caller, Door
from tests.support.http_traffic import AT_ONCE, REPEATS, Traffic, promises_broken, storm, visits

INCUMBENT = Path(__file__).with_name("incumbent.sql")
VIEWERS, ONLOOKERS = 18, 10
POLICIES = ("allow", "ask", "replace_oldest", "reject")


def a_webinar(door: Door, policy: str = "allow", *registered: Caller) -> Traffic:
    """Traffic to a webinar, in which somebody is registered already."""
    webinar_id = door.db.webinar(
        duplicate_login_policy=policy, settings={"max_open_sessions_per_user": AT_ONCE, "throttle_factor": 0}
    )
    for caller in registered:
        door.db.register(webinar_id, door.id_of(caller))
    return Traffic(door, webinar_id, {door.id_of(caller) for caller in registered})


def registrations(door: Door, webinar_id: UUID) -> list[UUID]:
    """Who is registered."""
    query = "select user_id from eventlive.registrations where webinar_id = %s"
    return [user_id for (user_id,) in door.db.rows(query, webinar_id)]


def at_once(traffic: Traffic, function: str, callers: list[Caller], **arguments: list[object]) -> list[Answer]:
    """One call of each, all of them at the same moment; the nth with the nth of each argument."""

    async def run() -> list[Answer]:
        return await asyncio.gather(
            *(
                traffic.call(function, caller, **{name: values[number] for name, values in arguments.items()})
                for number, caller in enumerate(callers)
            )
        )

    return asyncio.run(run())


def test_a_column_that_does_not_exist_is_the_clients_own_fault_and_nothing_needs_it(door: Door) -> None:
    """The request that began the outage is 400 to this day; it neither registers nor keeps a ping from working."""
    viewer, stranger = door.user(), door.user()
    traffic = a_webinar(door, "allow", viewer)
    own = f"webinar_id=eq.{traffic.webinar_id}"
    for caller in (viewer, stranger):
        answer = door.get(f"/registrations?select=id&{own}", caller)
        assert (answer.status_code, answer.json()["code"]) == (400, "42703")
    # What the package offers instead: the key itself, an idempotent registration, and a ping that looks it up.
    assert door.get(f"/registrations?select=user_id&{own}", viewer).json() == [{"user_id": str(viewer.user_id)}]
    assert door.get(f"/registrations?select=user_id&{own}", stranger).json() == []
    assert door.call("webinar_presence_ping", viewer, webinar_id=traffic.webinar_id).status == 204
    assert door.call("webinar_presence_ping", stranger, webinar_id=traffic.webinar_id).said() == "403 not_registered"
    assert registrations(door, traffic.webinar_id) == [viewer.user_id]


def test_pings_of_the_unregistered_are_refused_however_often_and_register_nobody(door: Door) -> None:
    traffic = a_webinar(door)
    onlookers = [door.user() for _ in range(AT_ONCE)]
    answers = at_once(traffic, "webinar_presence_ping", onlookers * 4)
    assert Counter(answer.said() for answer in answers) == {"403 not_registered": AT_ONCE * 4}
    assert registrations(door, traffic.webinar_id) == []


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("known", [False, True], ids=["unregistered", "registered"])
def test_fifty_tabs_of_one_user_enter_at_once(policy: str, known: bool, door: Door) -> None:
    user = door.user()
    traffic = a_webinar(door, policy, *([user] if known else []))
    tabs: list[object] = [new_id() for _ in range(AT_ONCE)]
    answers = at_once(traffic, "webinar_enter", [user] * AT_ONCE, session_id=tabs)
    said = Counter(answer.said() for answer in answers)
    if policy in {"ask", "reject"}:
        assert said == {"200": 1, "409 duplicate_session": AT_ONCE - 1}
    else:
        assert said == {"200": AT_ONCE}
    open_sessions = door.db.value(
        "select count(*) from eventlive.webinar_user_sessions where webinar_id = %s and exited_at is null",
        traffic.webinar_id,
    )
    assert open_sessions == (AT_ONCE if policy == "allow" else 1)
    assert registrations(door, traffic.webinar_id) == [user.user_id]
    assert promises_broken(traffic) == set()


def test_fifty_tabs_of_one_user_register_at_once(door: Door) -> None:
    user = door.user()
    traffic = a_webinar(door)
    answers = at_once(traffic, "webinar_register", [user] * AT_ONCE)
    assert Counter(answer.said() for answer in answers) == {"200": AT_ONCE}
    assert sum(answer.data["created"] for answer in answers) == 1
    assert registrations(door, traffic.webinar_id) == [user.user_id]
    assert promises_broken(traffic) == set()


def test_one_session_entered_fifty_times_at_once_is_one_session(door: Door) -> None:
    user = door.user()
    traffic = a_webinar(door, "ask")
    answers = at_once(traffic, "webinar_enter", [user] * AT_ONCE, session_id=[new_id()] * AT_ONCE)
    assert Counter(answer.said() for answer in answers) == {"200": AT_ONCE}
    assert sum(answer.data["created"] for answer in answers) == 1
    assert len({answer.data["leave_token"] for answer in answers}) == 1
    assert promises_broken(traffic) == set()


def replay(door: Door, policy: str) -> Traffic:
    """Viewers, of whom a third were registered before, and onlookers who only ping; each call several times at once."""
    viewers, onlookers = [door.user() for _ in range(VIEWERS)], [door.user() for _ in range(ONLOOKERS)]
    traffic = a_webinar(door, policy, *viewers[: VIEWERS // 3])
    asyncio.run(storm(traffic, viewers, onlookers))
    return traffic


@pytest.mark.parametrize("policy", POLICIES)
def test_a_storm_of_retries_and_cancelled_requests_breaks_no_promise(policy: str, door: Door) -> None:
    traffic = replay(door, policy)
    assert promises_broken(traffic) == set()
    assert traffic.given_up == 4 * VIEWERS + 2 * ONLOOKERS
    assert len(registrations(door, traffic.webinar_id)) == VIEWERS
    said = Counter((function, answer.said()) for function, answer in traffic.answers)
    assert set(said) == {
        ("webinar_enter", "200"),
        ("webinar_presence_ping", "204"),
        ("webinar_presence_ping", "403 not_registered"),
        ("webinar_session_heartbeat", "200"),
        ("webinar_register", "200"),
    }


def visited(door: Door, users: int, guests: int, onlookers: int) -> Traffic:
    """Whole visits under the settings that a webinar has by itself: nearly all pings and heartbeats come too early."""
    visitors = [door.user() for _ in range(users)]
    webinar_id = door.db.webinar(access_policy="guest_allowed")
    for caller in visitors[: users // 3]:
        door.db.register(webinar_id, door.id_of(caller))
    traffic = Traffic(door, webinar_id, {door.id_of(caller) for caller in visitors[: users // 3]})
    visitors += [Caller("guest") for _ in range(guests)]
    asyncio.run(visits(traffic, visitors, [door.user() for _ in range(onlookers)]))
    return traffic


def test_a_storm_of_whole_visits_under_the_usual_settings_breaks_no_promise(door: Door) -> None:
    users, guests, onlookers = 9, 5, 5
    traffic = visited(door, users, guests, onlookers)
    assert promises_broken(traffic) == set()
    assert len(registrations(door, traffic.webinar_id)) == users
    said = Counter((function, answer.said()) for function, answer in traffic.answers)
    assert said == {
        ("webinar_client_settings", "200"): REPEATS * (users + guests),
        ("webinar_enter", "200"): REPEATS * (2 * users + guests),
        ("webinar_presence_ping", "204"): REPEATS * users,
        ("webinar_presence_ping", "403 not_registered"): REPEATS * onlookers,
        ("webinar_register", "200"): REPEATS * users,
        ("webinar_session_heartbeat", "200"): REPEATS * (3 * users + 2 * guests),
        ("webinar_session_heartbeat", "404 session_not_found"): REPEATS * onlookers,
        ("webinar_leave", "204"): REPEATS * (users + guests),
    }
    states = Counter(
        answer.data["state"]
        for function, answer in traffic.answers
        if function == "webinar_session_heartbeat" and not answer.code
    )
    assert states == {
        "open": REPEATS * (users + guests),
        "replaced": REPEATS * users,
        "left": REPEATS * (users + guests),
    }
    ends = "select exit_reason, count(*) from eventlive.webinar_user_sessions where webinar_id = %s group by 1"
    assert dict(door.db.rows(ends, traffic.webinar_id)) == {"replaced": users, "left": users + guests}


def test_the_incumbent_breaks_the_promises_under_the_same_traffic(another_door: OpenDoor) -> None:
    """The negative control: its ping registers, its heartbeat asks for a column that is not there."""

    def plant(dsn: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as admin:
            admin.execute(INCUMBENT.read_bytes())

    with another_door(prepare=plant) as door:
        assert promises_broken(replay(door, "allow")) == {
            "no ping registers",
            "no duplicate key",
            "no 400 for a well-formed call",
            "no 5xx",
        }


NO_COLUMN = "perform r.id from eventlive.registrations r;"
"""What the incumbent asked for, and there is none."""

# Where it is planted, or what else is; and the promise that then does not hold.
FAULTS: dict[str, Plant] = {
    "a heartbeat that comes too early": (
        "heartbeat_without_write",
        "if not found then",
        f"{NO_COLUMN} if not found then",
    ),
    "a ping that comes too early": (
        "webinar_presence_ping",
        "            return;\n",
        f"            {NO_COLUMN} return;\n",
    ),
    "leaving": ("webinar_leave", "v_now := clock_timestamp();", f"{NO_COLUMN} v_now := clock_timestamp();"),
    "a guest who enters": (
        "webinar_enter",
        "elsif v_webinar.access_policy <> 'guest_allowed' then",
        "elsif (select count(r.id) from eventlive.registrations r) > 0 then",
    ),
    "a second tab": ("close_sessions", "begin\n", f"begin\n {NO_COLUMN}\n"),
    "the settings": ("webinar_client_settings", "if not found", f"{NO_COLUMN} if not found"),
    "a heartbeat that registers": (
        "webinar_session_heartbeat",
        "return eventlive.heartbeat_without_write(_webinar_id, _session_id, v_user_id, v_now);",
        """insert into eventlive.registrations (webinar_id, user_id)
           select _webinar_id, v_user_id where v_user_id is not null on conflict do nothing;
           return '{"state": "open"}'::jsonb;""",
    ),
}


def test_a_fault_on_any_way_that_a_visit_takes_breaks_a_promise(another_door: OpenDoor) -> None:
    """The negative control: a column that is missing is seen wherever it is asked for."""
    with another_door() as door:
        for fault, plant in FAULTS.items():
            with planted(door.db, plant):
                broken = promises_broken(visited(door, 3, 1, 1))
            registers = fault == "a heartbeat that registers"
            assert broken == {"no ping registers" if registers else "no 400 for a well-formed call"}, fault
        assert promises_broken(visited(door, 3, 1, 1)) == set()
