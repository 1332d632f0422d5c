"""What each call may cost in the steady state: statements that touch tables, buffers, WAL (R4, R6)."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.support.actors import Actor, new_id
from tests.support.cost import Cost, cost_of
from tests.support.database import EventliveDatabase

# Foreign key checks are statements of Postgres' own and do not count.
CHECKS = "FOR KEY SHARE"


def own_statements(cost: Cost) -> list[str]:
    """The statements that the package wrote."""
    return [s.query for s in cost.statements if CHECKS not in s.query]


@pytest.fixture
def webinar_id(db: EventliveDatabase) -> UUID:
    """A live webinar that guests may enter, among so many others that reading a whole table does not pay."""
    db.admin.execute("insert into eventlive.webinars (slug) select 'other-' || i from generate_series(1, 500) i")
    webinar_id = db.webinar(access_policy="guest_allowed")
    db.admin.execute("vacuum (analyze) eventlive.webinars, eventlive.webinar_live")
    return webinar_id


def watching(db: EventliveDatabase, actor: Actor, webinar_id: UUID) -> UUID:
    """Enter on a connection that is then warm for heartbeats."""
    session_id = new_id()
    actor.call("webinar_enter", webinar_id=webinar_id, session_id=session_id)
    for _ in range(2):
        db.shift_time("10 minutes")
        cost_of(actor, "webinar_session_heartbeat", webinar_id=webinar_id, session_id=session_id)
        cost_of(actor, "webinar_session_heartbeat", webinar_id=webinar_id, session_id=session_id)
    return session_id


@pytest.mark.parametrize("guest", [False, True], ids=["user", "guest"])
def test_heartbeat_is_at_most_two_statements(db: EventliveDatabase, webinar_id: UUID, guest: bool) -> None:
    actor = db.guest() if guest else db.user()
    session_id = watching(db, actor, webinar_id)
    db.shift_time("10 minutes")
    cost = cost_of(actor, "webinar_session_heartbeat", webinar_id=webinar_id, session_id=session_id)
    assert len(cost.statements) == (1 if guest else 2)
    assert cost.buffers <= 20
    assert cost.wal_records <= 6
    assert cost.assigned_xid


@pytest.mark.parametrize("guest", [False, True], ids=["user", "guest"])
def test_throttled_heartbeat_writes_nothing(db: EventliveDatabase, webinar_id: UUID, guest: bool) -> None:
    actor = db.guest() if guest else db.user()
    session_id = watching(db, actor, webinar_id)
    before = db.contents()
    cost = cost_of(actor, "webinar_session_heartbeat", webinar_id=webinar_id, session_id=session_id)
    assert len(cost.statements) == 2
    assert cost.wal_records == 0
    assert not cost.assigned_xid
    assert db.contents() == before


def test_heartbeat_reads_neither_settings_nor_the_webinar(db: EventliveDatabase, webinar_id: UUID) -> None:
    user = db.user()
    session_id = watching(db, user, webinar_id)
    db.shift_time("10 minutes")
    cost = cost_of(user, "webinar_session_heartbeat", webinar_id=webinar_id, session_id=session_id)
    assert cost.relations == {
        "eventlive.webinar_user_sessions",
        "eventlive.webinar_live",
        "eventlive.webinar_live_presence",
    }


def test_repeated_registration_is_one_read(db: EventliveDatabase, webinar_id: UUID) -> None:
    user = db.user()
    user.call("webinar_register", webinar_id=webinar_id)
    cost_of(user, "webinar_register", webinar_id=webinar_id)
    cost = cost_of(user, "webinar_register", webinar_id=webinar_id)
    assert len(cost.statements) == 1
    assert cost.wal_records == 0
    assert not cost.assigned_xid


def test_entering_is_at_most_seven_statements(db: EventliveDatabase, webinar_id: UUID) -> None:
    user = db.user()
    first = cost_of(user, "webinar_enter", webinar_id=webinar_id, session_id=new_id())
    taking_over = cost_of(user, "webinar_enter", webinar_id=webinar_id, session_id=new_id(), take_over=True)
    as_guest = cost_of(db.guest(), "webinar_enter", webinar_id=webinar_id, session_id=new_id())
    assert len(own_statements(first)) <= 7
    assert len(own_statements(taking_over)) <= 7
    assert len(own_statements(as_guest)) <= 3


def test_leaving_is_at_most_four_statements(db: EventliveDatabase, webinar_id: UUID) -> None:
    user, session_id = db.user(), new_id()
    entered = user.call("webinar_enter", webinar_id=webinar_id, session_id=session_id)
    cost = cost_of(
        user, "webinar_leave", webinar_id=webinar_id, session_id=session_id, leave_token=UUID(entered["leave_token"])
    )
    assert len(own_statements(cost)) <= 4


def batch(db: EventliveDatabase, webinar_id: UUID, size: int) -> list[UUID]:
    """Registered users who are present."""
    db.admin.execute(
        "insert into eventlive.registrations (webinar_id, user_id)"
        " select %s, gen_random_uuid() from generate_series(1, %s)",
        [webinar_id, size],
    )
    users = [row[0] for row in db.rows("select user_id from eventlive.registrations order by random()")]
    db.service().call("webinar_presence_ping_many", webinar_id=webinar_id, user_ids=users)
    return users


@pytest.mark.parametrize("size", [2, 1000])
def test_a_batch_of_pings_is_one_statement_that_writes(db: EventliveDatabase, webinar_id: UUID, size: int) -> None:
    users, service = batch(db, webinar_id, size), db.service()
    db.shift_time("10 minutes")
    cost = cost_of(service, "webinar_presence_ping_many", webinar_id=webinar_id, user_ids=users)
    assert len([s for s in cost.statements if "eventlive.webinar_live_presence" in s.relations]) == 1
    assert len(own_statements(cost)) == 2  # the other one reads pace and limits


UNORDERED = {"Bitmap Heap Scan", "Seq Scan", "Hash Join"}


@pytest.mark.parametrize("size", [2, 1000])
@pytest.mark.parametrize("analyzed", [False, True], ids=["no-statistics", "analyzed"])
def test_a_batch_of_pings_visits_rows_in_the_order_of_their_key(
    db: EventliveDatabase, webinar_id: UUID, size: int, analyzed: bool
) -> None:
    users = batch(db, webinar_id, size)
    if analyzed:
        db.admin.execute("vacuum (analyze) eventlive.webinar_live_presence, eventlive.registrations")
    cost = cost_of(db.service(), "webinar_presence_ping_many", webinar_id=webinar_id, user_ids=users)
    assert node_types(cost).isdisjoint(UNORDERED)


def test_without_its_planner_settings_a_batch_would_visit_rows_in_any_order(
    db: EventliveDatabase, webinar_id: UUID
) -> None:
    users = batch(db, webinar_id, 1000)
    db.admin.execute("vacuum (analyze) eventlive.webinar_live_presence, eventlive.registrations")
    db.admin.execute("alter function eventlive.webinar_presence_ping_many(uuid, uuid[]) reset all")
    cost = cost_of(db.service(), "webinar_presence_ping_many", webinar_id=webinar_id, user_ids=users)
    assert node_types(cost) & UNORDERED


def node_types(cost: Cost) -> set[str]:
    """Kinds of plan nodes that read presence."""

    def walk(node: dict[str, object]) -> list[str]:
        found = [str(node["Node Type"])] if node.get("Relation Name") == "webinar_live_presence" else []
        found += ["Hash Join"] if node["Node Type"] == "Hash Join" else []
        for child in node.get("Plans", ()):  # type: ignore[attr-defined]
            found += walk(child)
        return found

    return {kind for statement in cost.statements for kind in walk(statement.plan["Plan"])}
