"""webinar_participants: the list of those present, page by page, while they come and go."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlive_db.server import Server
from tests.support.actors import Actor, new_id
from tests.support.database import EventliveDatabase
from tests.support.jobs import clear, fault, job_database, present, sessions

NIL, HIGHEST = UUID(int=0), UUID(int=2**128 - 1)


@pytest.fixture(scope="module")
def module_db(pg_server: Server, schema_template: str) -> Iterator[EventliveDatabase]:
    with job_database(pg_server, schema_template) as database:
        yield database


@pytest.fixture
def jobs_db(module_db: EventliveDatabase) -> EventliveDatabase:
    clear(module_db)
    return module_db


@pytest.fixture(scope="module")
def service(module_db: EventliveDatabase) -> Actor:
    return module_db.service()


def come(db: EventliveDatabase, webinar_id: UUID, *user_ids: UUID, expires_in: str = "1 hour") -> None:
    """These users are present."""
    db.admin.execute(
        "insert into eventlive.registrations (webinar_id, user_id)"
        " select %s, u from unnest(%s::uuid[]) u on conflict do nothing",
        [webinar_id, list(user_ids)],
    )
    db.admin.execute(
        "insert into eventlive.webinar_live_presence"
        " select %s, u, now(), now(), now() + %s::interval, 60, 300 from unnest(%s::uuid[]) u on conflict do nothing",
        [webinar_id, expires_in, list(user_ids)],
    )


def go(db: EventliveDatabase, *user_ids: UUID) -> None:
    """These users are gone."""
    db.admin.execute("delete from eventlive.webinar_live_presence where user_id = any (%s)", [list(user_ids)])


def page(service: Actor, webinar_id: UUID, after: UUID | None, limit: int) -> dict[str, Any]:
    """One page."""
    reply: dict[str, Any] = service.call("webinar_participants", webinar_id=webinar_id, after=after, limit=limit)
    return reply


def pages(service: Actor, webinar_id: UUID, limit: int, between: Callable[[], None] = lambda: None) -> list[UUID]:
    """Everybody who is listed; something happens between the pages."""
    listed: list[UUID] = []
    cursor: UUID | None = None
    for _ in range(100):
        reply = page(service, webinar_id, cursor, limit)
        found = [UUID(each["user_id"]) for each in reply["participants"]]
        assert len(found) <= limit
        assert found or not reply["more"]
        listed += found
        if not reply["more"]:
            return listed
        assert reply["cursor"] == str(found[-1])
        cursor = found[-1]
        between()
    raise AssertionError("it never ends")


IDS = st.sets(
    st.one_of(
        st.sampled_from([NIL, HIGHEST, UUID(int=1), UUID(int=2**127), UUID(int=2**127 - 1)]),
        st.integers(0, 2**128 - 1).map(lambda number: UUID(int=number)),
    ),
    max_size=9,
)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(here=IDS, seed=st.integers(0, 10_000), limit=st.integers(1, 4))
def test_who_stays_is_listed_once_whoever_comes_and_goes(
    module_db: EventliveDatabase, service: Actor, here: set[UUID], seed: int, limit: int
) -> None:
    clear(module_db)
    webinar_id, chance = module_db.webinar(), random.Random(seed)
    come(module_db, webinar_id, *here)
    stay, seen = set(here), set(here)

    def between() -> None:
        leaving = set(chance.sample(sorted(stay), min(len(stay), chance.randint(0, 2))))
        go(module_db, *leaving)
        stay.difference_update(leaving)
        coming = {UUID(int=chance.getrandbits(128)) for _ in range(chance.randint(0, 2))}
        come(module_db, webinar_id, *coming)
        seen.update(coming)

    listed = pages(service, webinar_id, limit, between)
    assert listed == sorted(set(listed))
    assert stay <= set(listed) <= seen


FAULTS = {
    "the nil id is taken for none": ("p.user_id >= v_from", "p.user_id > v_from"),
    "the cursor is listed again": ("and p.user_id is distinct from _after", ""),
    "in any order": (
        "order by p.user_id\n                     limit",
        "order by p.user_id desc\n                     limit",
    ),
    "no more than a page is looked for": ("limit v_limit + 1", "limit v_limit"),
}


@pytest.mark.parametrize(("old", "new"), FAULTS.values(), ids=list(FAULTS))
def test_the_property_sees_a_page_that_is_wrong(jobs_db: EventliveDatabase, service: Actor, old: str, new: str) -> None:
    webinar_id, here = jobs_db.webinar(), [NIL, UUID(int=7), UUID(int=8), HIGHEST]
    come(jobs_db, webinar_id, *here)
    assert pages(service, webinar_id, 2) == here
    with fault(jobs_db, "webinar_participants", old, new):
        try:
            wrong = pages(service, webinar_id, 2) != here
        except AssertionError:
            wrong = True
    assert wrong


def test_only_those_present_in_this_webinar_are_listed(jobs_db: EventliveDatabase, service: Actor) -> None:
    webinar_id, elsewhere = jobs_db.webinar(), jobs_db.webinar()
    [here] = present(jobs_db, webinar_id)
    present(jobs_db, webinar_id, expires_in="-1 microsecond", count=3)
    present(jobs_db, elsewhere)
    jobs_db.register(webinar_id, new_id())
    sessions(jobs_db, webinar_id)
    assert pages(service, webinar_id, 1) == [here]
    with fault(jobs_db, "webinar_participants", "and p.expires_at > v_now", ""):
        assert len(pages(service, webinar_id, 1)) == 4


@pytest.mark.parametrize("limit", [0, -1, None, -(2**31)])
def test_a_page_of_nobody_is_refused(jobs_db: EventliveDatabase, service: Actor, limit: int | None) -> None:
    refusal = service.refused("webinar_participants", webinar_id=jobs_db.webinar(), limit=limit)
    assert (refusal.token, refusal.payload["argument"]) == ("invalid_argument", "_limit")


def test_a_page_has_at_most_what_the_webinar_allows(jobs_db: EventliveDatabase, service: Actor) -> None:
    webinar_id = jobs_db.webinar(settings={"participants_page_max": 3})
    present(jobs_db, webinar_id, count=4)
    for limit, found, more in ((2, 2, True), (3, 3, True), (4, 3, True), (2**31 - 1, 3, True)):
        reply = page(service, webinar_id, None, limit)
        assert (len(reply["participants"]), reply["more"]) == (found, more)


def test_the_last_page_may_be_full_or_empty(jobs_db: EventliveDatabase, service: Actor) -> None:
    webinar_id = jobs_db.webinar()
    assert page(service, webinar_id, None, 5) == {"participants": [], "cursor": None, "more": False}
    ids = sorted(present(jobs_db, webinar_id, count=4))
    second = page(service, webinar_id, ids[1], 2)
    assert ([each["user_id"] for each in second["participants"]], second["more"]) == ([str(i) for i in ids[2:]], False)
    assert page(service, webinar_id, HIGHEST, 5) == {"participants": [], "cursor": str(HIGHEST), "more": False}


def test_the_cursor_may_be_somebody_who_left_or_never_came(jobs_db: EventliveDatabase, service: Actor) -> None:
    webinar_id = jobs_db.webinar()
    ids = [UUID(int=number) for number in (10, 20, 30, 40)]
    come(jobs_db, webinar_id, *ids)
    go(jobs_db, ids[1])
    for cursor in (ids[1], UUID(int=25)):
        assert [each["user_id"] for each in page(service, webinar_id, cursor, 5)["participants"]] == [
            str(user_id) for user_id in ids[2:]]  # fmt: skip


def test_a_participant_has_a_role_a_name_and_times(jobs_db: EventliveDatabase, service: Actor) -> None:
    webinar_id = jobs_db.webinar()
    both, profile, nobody = (UUID(int=number) for number in (1, 2, 3))
    jobs_db.register(webinar_id, nobody, role="speaker")
    come(jobs_db, webinar_id, both, profile, nobody)
    jobs_db.admin.execute("update eventlive.registrations set nickname = 'Ana' where user_id = %s", [both])
    for user_id in (both, profile):
        jobs_db.admin.execute(
            "insert into eventlive.profiles (user_id, display_name) values (%s, 'Ms Profile')", [user_id]
        )
    told = page(service, webinar_id, None, 5)["participants"]
    assert [(UUID(each["user_id"]), each["role"], each["name"]) for each in told] == [
        (both, "attendee", "Ana"),
        (profile, "attendee", "Ms Profile"),
        (nobody, "speaker", None),
    ]
    stored = jobs_db.rows("select joined_at, last_seen_at from eventlive.webinar_live_presence order by user_id")
    assert [
        tuple(datetime.fromisoformat(each[key]) for key in ("joined_at", "last_seen_at")) for each in told
    ] == stored
    assert all(set(each) == {"user_id", "role", "name", "joined_at", "last_seen_at"} for each in told)
