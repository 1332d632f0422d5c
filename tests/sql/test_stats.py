"""webinar_stats_access: what a dashboard is told, to whom, and when it is to ask again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from eventlive_db.client import RpcError
from eventlive_db.server import Server
from tests.support.actors import Actor, new_id
from tests.support.cast import EVERYBODY, WEBINAR, assemble
from tests.support.database import EventliveDatabase
from tests.support.jobs import cleared, everything, fault, job_database, live, present, run, sessions


@pytest.fixture(scope="module")
def module_db(pg_server: Server, schema_template: str) -> Iterator[EventliveDatabase]:
    with job_database(pg_server, schema_template) as database:
        yield database


@pytest.fixture
def jobs_db(module_db: EventliveDatabase) -> EventliveDatabase:
    return cleared(module_db)


@pytest.fixture
def service(jobs_db: EventliveDatabase) -> Iterator[Actor]:
    actor = jobs_db.service()
    yield actor
    actor.connection.close()


def stats(actor: Actor, webinar_id: UUID, **arguments: object) -> dict[str, Any]:
    """What is told."""
    reply: dict[str, Any] = actor.call("webinar_stats_access", webinar_id=webinar_id, **arguments)
    return reply


# --- who

MAY = {"host", "moderator", "admin", "service"}
STATS_AND_PEOPLE = pytest.mark.parametrize("function", ["webinar_stats_access", "webinar_participants"])


@STATS_AND_PEOPLE
@pytest.mark.parametrize("status", ["draft", "live", "ended"])
def test_the_staff_of_a_webinar_is_told_and_nobody_else(jobs_db: EventliveDatabase, function: str, status: str) -> None:
    cast = assemble(jobs_db, status=status)
    before = everything(jobs_db)
    told = {}
    for name in EVERYBODY:
        actor = cast.actor(name)
        try:
            actor.call(function, webinar_id=WEBINAR)
            told[name] = "told"
        except RpcError as refusal:
            told[name] = refusal.token
        except psycopg.Error as error:
            told[name] = str(error.sqlstate)
        finally:
            actor.connection.close()
    assert told == {
        name: "told" if name in MAY else "42501" if name == "guest" else "not_allowed" for name in EVERYBODY
    }
    assert everything(jobs_db) == before


@STATS_AND_PEOPLE
def test_a_stranger_is_told_the_same_of_a_webinar_that_does_not_exist(
    jobs_db: EventliveDatabase, function: str
) -> None:
    cast = assemble(jobs_db)
    errors = [cast.actor("stranger").refused(function, webinar_id=each) for each in (WEBINAR, new_id())]
    assert len({(error.token, error.message, str(error.payload), error.hint) for error in errors}) == 1
    for name in ("admin", "service"):
        assert cast.actor(name).refused(function, webinar_id=new_id()).token == "webinar_not_found"
    assert cast.actor("admin").refused(function, webinar_id=None).token == "invalid_argument"


# --- what


def test_a_webinar_that_nobody_has_entered(jobs_db: EventliveDatabase, service: Actor) -> None:
    webinar_id = jobs_db.webinar(status="draft")
    [as_of] = live(jobs_db, webinar_id, "as_of")
    assert stats(service, webinar_id) | {"as_of": None} == {
        "status": "draft", "current_participants": 0, "current_guests": 0, "registered": 0, "total_attendees": 0,
        "max_concurrent_participants": 0, "avg_concurrent_participants": 0, "peak_time": None, "as_of": None,
        "timeline": [], "degraded": None, "next_poll_s": 10,
    }  # fmt: skip
    assert datetime.fromisoformat(stats(service, webinar_id)["as_of"]) == as_of


def test_the_numbers_are_those_of_the_last_count(jobs_db: EventliveDatabase, service: Actor) -> None:
    webinar_id = jobs_db.webinar()
    watching = sessions(jobs_db, webinar_id, count=3)
    present(jobs_db, webinar_id, count=2)
    run(jobs_db, "rollup_live")
    jobs_db.admin.execute("delete from eventlive.webinar_user_sessions where session_id = %s", [watching[0]])
    present(jobs_db, webinar_id)
    before = stats(service, webinar_id)
    [(as_of, peak_at)] = [live(jobs_db, webinar_id, "as_of", "peak_at")]
    assert [
        before[key]
        for key in (
            "current_participants", "current_guests", "registered", "total_attendees", "max_concurrent_participants",
            "avg_concurrent_participants",
        )
    ] == [2, 3, 2, 3, 5, 5]  # fmt: skip
    assert (datetime.fromisoformat(before["as_of"]), datetime.fromisoformat(before["peak_time"])) == (as_of, peak_at)
    run(jobs_db, "rollup_live")
    after = stats(service, webinar_id)
    assert [after["current_participants"], after["current_guests"], after["registered"]] == [3, 2, 3]
    present(jobs_db, webinar_id, count=2)
    run(jobs_db, "rollup_live")
    # (5 + 5 + 7) / 3, over all samples and not over the buckets.
    assert stats(service, webinar_id)["avg_concurrent_participants"] == 5.67


def timeline(db: EventliveDatabase, webinar_id: UUID, buckets: int) -> list[datetime]:
    """So many buckets, of one sample more each; when they began."""
    first = datetime.fromisoformat("2026-05-04T12:00:00+00:00")
    begins = [first + timedelta(minutes=5 * number) for number in range(buckets)]
    for number, begin in enumerate(begins):
        db.admin.execute(
            "insert into eventlive.webinar_access_logs (webinar_id, time_bucket, sample_count, sum_participants,"
            " min_participants, max_participants, last_participants, sum_guests, min_guests, max_guests, last_guests)"
            " values (%s, %s, %s, %s, 1, 9, 4, %s, 2, 8, 5)",
            [webinar_id, begin, number, 10 * number + 1, 20 * number + 1],
        )
    return begins


def began(reply: dict[str, Any]) -> list[datetime]:
    """When the buckets began that were told."""
    return [datetime.fromisoformat(bucket["time_bucket"]) for bucket in reply["timeline"]]


def test_the_timeline_is_told_from_since_on_and_the_last_buckets_of_it(
    jobs_db: EventliveDatabase, service: Actor
) -> None:
    webinar_id = jobs_db.webinar(settings={"timeline_max_buckets": 4})
    begins = timeline(jobs_db, webinar_id, 6)
    assert began(stats(service, webinar_id)) == begins[2:]
    second = timedelta(seconds=1)
    for since, told in {
        begins[3]: begins[3:],
        begins[3] + second: begins[4:],
        begins[0]: begins[2:],
        begins[5] + second: [],
    }.items():
        assert began(stats(service, webinar_id, since=since)) == told
    for text, told in {"infinity": [], "-infinity": begins[2:]}.items():
        assert began(stats(service, webinar_id, since=text)) == told


def test_a_bucket_is_told_whole(jobs_db: EventliveDatabase, service: Actor) -> None:
    webinar_id = jobs_db.webinar()
    begins = timeline(jobs_db, webinar_id, 4)
    empty, *_, last = stats(service, webinar_id)["timeline"]
    assert last | {"time_bucket": begins[3]} == {
        "time_bucket": begins[3], "bucket_s": 300, "sample_count": 3,
        "avg_participants": 10.33, "min_participants": 1, "max_participants": 9, "last_participants": 4,
        "avg_guests": 20.33, "min_guests": 2, "max_guests": 8, "last_guests": 5,
    }  # fmt: skip
    # One without a sample, which the table allows, breaks nothing.
    assert (empty["sample_count"], empty["avg_participants"]) == (0, 1)
    with fault(jobs_db, "webinar_stats_access", "greatest(t.sample_count, 1)", "t.sample_count"):
        assert service.broken("webinar_stats_access", webinar_id=webinar_id).sqlstate == "22012"


# --- when

POLLS: dict[str, tuple[str, str, float, str | None, int]] = {
    "counted a moment ago": ("live", "", 140, None, 10),
    "late": ("live", "", 160, "rollup_late", 30),
    "counted in the future, by a clock that was put back": ("live", "", -3600, None, 10),
    "load": ("live", "load_high = true", 0, "load_high", 30),
    "late, and load": ("live", "load_high = true", 160, "rollup_late", 30),
    "idle: counted now and then": ("scheduled", "", 1040, None, 10),
    "idle: late": ("scheduled", "", 1060, "rollup_late", 30),
    "draft": ("draft", "", 1040, None, 10),
    "not live, but watched": ("scheduled", "guests = 1", 160, "rollup_late", 30),
    "ended: nothing is late, and nothing changes": ("ended", "load_high = true", 100_000, None, 30),
}


@pytest.mark.parametrize(("status", "change", "age", "degraded", "next_poll_s"), POLLS.values(), ids=list(POLLS))
def test_a_dashboard_asks_less_often_while_there_is_reason(
    jobs_db: EventliveDatabase,
    service: Actor,
    status: str,
    change: str,
    age: float,
    degraded: str | None,
    next_poll_s: int,
) -> None:
    webinar_id = jobs_db.webinar(status=status)
    change = f", {change}" if change else ""
    jobs_db.admin.execute(
        f"update eventlive.webinar_live set as_of = clock_timestamp() - %s * interval '1 second'{change}".encode(),
        [age],
    )
    reply = stats(service, webinar_id)
    assert (reply["degraded"], reply["next_poll_s"]) == (degraded, next_poll_s)


def late_at_once(db: EventliveDatabase, service: Actor) -> str | None:
    """What is said of a count exactly as old as it may be; by the time of the call it is older."""
    webinar_id = db.webinar()
    db.admin.execute("update eventlive.webinar_live set as_of = clock_timestamp() - interval '150 seconds'")
    degraded: str | None = stats(service, webinar_id)["degraded"]
    return degraded


def test_the_limit_is_exact_on_its_far_side(jobs_db: EventliveDatabase, service: Actor) -> None:
    assert late_at_once(jobs_db, service) == "rollup_late"
    with fault(jobs_db, "webinar_stats_access", "(v_live.settings ->> 'rollup_late_after_s')::numeric", "200"):
        assert late_at_once(jobs_db, service) is None


def test_the_settings_are_the_webinars_own(jobs_db: EventliveDatabase, service: Actor) -> None:
    own = {"admin_poll_interval_s": 7, "admin_poll_degraded_interval_s": 70, "rollup_late_after_s": 1000}
    webinar_id = jobs_db.webinar(settings=dict(own))
    assert stats(service, webinar_id)["next_poll_s"] == 7
    for age, next_poll_s in ((900, 7), (1100, 70)):
        jobs_db.admin.execute(
            "update eventlive.webinar_live set as_of = clock_timestamp() - %s * interval '1 second'", [age]
        )
        assert stats(service, webinar_id)["next_poll_s"] == next_poll_s


def test_a_webinar_that_ended_keeps_its_numbers(jobs_db: EventliveDatabase, service: Actor) -> None:
    webinar_id = jobs_db.webinar()
    present(jobs_db, webinar_id, count=2)
    run(jobs_db, "rollup_live")
    service.call("webinar_set_status", webinar_id=webinar_id, status="ended")
    reply = stats(service, webinar_id)
    assert [reply[key] for key in ("status", "current_participants", "registered", "max_concurrent_participants")] == [
        "ended", 0, 2, 2]  # fmt: skip
    assert reply["peak_time"]
    assert len(reply["timeline"]) == 1
