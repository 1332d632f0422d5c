"""Jobs that meet calls: nobody waits for a job, no job waits for them, and neither undoes what the other one did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from uuid import UUID

import psycopg
import pytest

from eventlive_db.server import Server
from tests.support.actors import Background, in_background, new_id, wait_until_blocked
from tests.support.database import EventliveDatabase
from tests.support.invariants import assert_invariants, violations
from tests.support.jobs import (
    PAUSE,
    changed,
    cleared,
    fault,
    health,
    job_database,
    live,
    open_statement,
    patiently,
    present,
    start,
    work,
)
from tests.support.races import closed_gate, held, settled
from tests.support.scene import Scene, said


@pytest.fixture(scope="module")
def module_db(pg_server: Server, schema_template: str) -> Iterator[EventliveDatabase]:
    with job_database(pg_server, schema_template) as database:
        yield database


@pytest.fixture
def jobs_db(module_db: EventliveDatabase) -> EventliveDatabase:
    return cleared(module_db)


# Changes of a webinar that meet a count of it, and what must be stored of them in the end.
CHANGES = {
    "status": ("update eventlive.webinars set status = 'ended'", "closed_at is not null"),
    "settings": (
        """update eventlive.webinars set settings = '{"throttle_factor": 0.25}'""",
        """throttle_factor = 0.25 and settings @> '{"throttle_factor": 0.25}'""",
    ),
    "a setting of all": ("select eventlive.set_setting('expiry_factor', '4')", "expiry_factor = 4"),
}
PAUSED_COUNT = ("\n    -- Nor does it wait", f"\n    {PAUSE}\n    -- Nor does it wait")


@pytest.mark.parametrize(("statement", "stored"), CHANGES.values(), ids=list(CHANGES))
def test_a_change_under_way_is_not_waited_for(jobs_db: EventliveDatabase, statement: str, stored: str) -> None:
    webinar_id = jobs_db.webinar()
    present(jobs_db, webinar_id)
    assert changed(jobs_db, "rollup_live") == 1
    with open_statement(jobs_db, statement):
        present(jobs_db, webinar_id)
        # It would fail after job_lock_timeout_s, did it wait.
        assert changed(jobs_db, "rollup_live") == 0
    assert live(jobs_db, webinar_id, stored, "participants") == (True, 1)
    assert changed(jobs_db, "rollup_live") == 1
    assert live(jobs_db, webinar_id, stored, "participants", "sample_count") == (True, 2, 2)


# What it is, and after how long since its last count the job says that it cannot count it.
HELD = {
    "live": ("live", 0, "4 minutes", "6 minutes"),
    "watched": ("scheduled", 1, "4 minutes", "6 minutes"),
    "idle": ("scheduled", 0, "19 minutes", "21 minutes"),
}


def ran(db: EventliveDatabase, *ago: str, error: str | None = None) -> None:
    """Have the count have run so long ago."""
    db.admin.execute(
        "insert into eventlive.job_runs (job_name, started_at, finished_at, error)"
        " select 'rollup_live', clock_timestamp() - a, clock_timestamp() - a, %s from unnest(%s::interval[]) a",
        [error, list(ago)],
    )


@pytest.mark.parametrize(("table", "key"), [("webinar_live", "webinar_id"), ("webinars", "id")])
@pytest.mark.parametrize(("status", "guests", "soon", "late"), HELD.values(), ids=list(HELD))
def test_a_webinar_that_is_held_for_long_is_told_and_the_others_are_counted(
    jobs_db: EventliveDatabase, status: str, guests: int, soon: str, late: str, table: str, key: str
) -> None:
    webinar_ids = sorted(jobs_db.webinar(status=status) for _ in range(3))
    jobs_db.admin.execute("update eventlive.jobs set max_age = '5 minutes'")
    aged = "update eventlive.webinar_live set as_of = clock_timestamp() - %s::interval, guests = %s"
    for age in (soon, late):
        jobs_db.admin.execute(aged.encode(), [age, guests])
        ran(jobs_db, "5 minutes 30 seconds")
        with held(jobs_db, f"select 1 from eventlive.{table} where {key} = %s for update", webinar_ids[1]):
            if age == soon:
                assert changed(jobs_db, "rollup_live") == 2
            else:
                with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=f": 1, such as {webinar_ids[1]}"):
                    changed(jobs_db, "rollup_live")
        counted = "select as_of > now() - interval '1 minute' from eventlive.webinar_live order by webinar_id"
        assert jobs_db.rows(counted) == [(True,), (False,), (True,)]
    assert jobs_db.value("select eventlive.fail_job('rollup_live', 'as its runner says')")
    assert health(jobs_db, "rollup_live") == "failing"
    assert changed(jobs_db, "rollup_live") == (3 if status == "live" else 1)
    assert health(jobs_db, "rollup_live") == "ok"


# When there were good runs, and others, since a live webinar was counted two hours ago; whether it is held for long.
RUNS: dict[str, tuple[list[str], list[str], bool]] = {
    "none": ([], [], False),
    "before that": (["2 hours 1 minute", "3 hours"], [], False),
    "one a moment ago": (["1 second"], [], False),
    "for less than max_age": (["2 hours 1 minute", "4 minutes", "3 minutes"], [], False),
    "one that failed": (["2 hours 1 minute"], ["1 hour", "6 minutes"], False),
    "for longer": (["6 minutes", "5 minutes", "4 minutes"], [], True),
    "told for long": (["119 minutes", "116 minutes"], ["115 minutes", "1 hour", "1 minute"], True),
}


@pytest.mark.parametrize(("good", "bad", "told"), RUNS.values(), ids=list(RUNS))
def test_what_was_not_counted_for_long_is_held_for_long_only_where_runs_have_passed_it_by(
    jobs_db: EventliveDatabase, good: list[str], bad: list[str], told: bool
) -> None:
    jobs_db.webinar()
    jobs_db.admin.execute("update eventlive.jobs set max_age = '5 minutes'")
    jobs_db.admin.execute("update eventlive.webinar_live set as_of = clock_timestamp() - interval '2 hours'")
    ran(jobs_db, *good)
    ran(jobs_db, *bad, error="passed by")
    with held(jobs_db, "select 1 from eventlive.webinar_live for update"):
        if told:
            with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="nobody could count"):
                changed(jobs_db, "rollup_live")
        else:
            assert changed(jobs_db, "rollup_live") == 0
    assert changed(jobs_db, "rollup_live") == 1


def change_after_the_count(db: EventliveDatabase, statement: str) -> tuple[UUID, int]:
    """Count two people; before that is stored, they go and the webinar is changed. How many webinars were counted.

    The change is worked out before the count and committed after it.
    """
    webinar_id = db.webinar()
    present(db, webinar_id, count=2)
    patiently(db)
    with ExitStack() as stack, fault(db, "rollup_live_step", *PAUSED_COUNT):
        # The change commits, then the gate opens.
        with closed_gate(db), open_statement(db, f"delete from eventlive.webinar_live_presence; {statement}"):
            running = start(db, "rollup_live")
            stack.callback(running.background.thread.join)
            wait_until_blocked(db.admin, running.pid)
        return webinar_id, int(running.result()["rows"])


@pytest.mark.parametrize(("statement", "stored"), CHANGES.values(), ids=list(CHANGES))
def test_a_change_between_the_count_and_its_storing_is_not_overwritten(
    jobs_db: EventliveDatabase, statement: str, stored: str
) -> None:
    webinar_id, rows = change_after_the_count(jobs_db, statement)
    assert rows == 0
    assert live(jobs_db, webinar_id, stored, "participants", "sample_count") == (True, 0, 0)


@pytest.mark.parametrize("new", ["v_live.as_of >= v_now", "false"])
def test_by_the_clock_or_with_no_look_the_older_count_would_be_stored(jobs_db: EventliveDatabase, new: str) -> None:
    with fault(jobs_db, "rollup_live_step", "v_live.as_of is distinct from v_counted.as_of", new):
        webinar_id, rows = change_after_the_count(jobs_db, CHANGES["status"][0])
    assert rows == 1
    assert live(jobs_db, webinar_id, "participants", "sample_count") == (2, 1)


def test_while_a_webinar_is_counted_nothing_of_it_is_locked(jobs_db: EventliveDatabase) -> None:
    patiently(jobs_db)
    scene = Scene(jobs_db, "one")
    with fault(jobs_db, "rollup_live_step", *PAUSED_COUNT), closed_gate(jobs_db):
        running = start(jobs_db, "rollup_live")
        wait_until_blocked(jobs_db.admin, running.pid)
        said_meanwhile = [said(scene.step(call).attempt()) for call in ("heartbeat:1", "ping", "leave:1", "end")]
    running.result()
    assert said_meanwhile == ["open", "done", "done", "closed-0"]


def two_counts_at_once(db: EventliveDatabase) -> tuple[list[int], int]:
    """What two counts of one webinar report that overlap, and how many samples that makes."""
    webinar_id = db.webinar()
    count = "select eventlive.rollup_live_step(%s)"
    connections = [db.connect() for _ in range(2)]
    with fault(db, "rollup_live_step", *PAUSED_COUNT), closed_gate(db):
        counting = []
        for connection in connections:

            def once(connection: psycopg.Connection[tuple[int]] = connection) -> int:
                row = connection.execute(count, [webinar_id]).fetchone()
                assert row
                return row[0]

            counting.append(in_background(once))
            wait_until_blocked(db.admin, connection.info.backend_pid)
    return sorted(each.result() for each in counting), int(live(db, webinar_id, "sample_count")[0])


def test_of_two_counts_that_overlap_one_is_stored(jobs_db: EventliveDatabase) -> None:
    assert two_counts_at_once(jobs_db) == ([0, 1], 1)


def test_without_the_look_both_would_be(jobs_db: EventliveDatabase) -> None:
    looking = "v_live.as_of is distinct from v_counted.as_of"
    waiting = fault(jobs_db, "rollup_live_step", "for no key update of l skip locked", "for no key update of l")
    with waiting, fault(jobs_db, "rollup_live_step", looking, "false"):
        assert two_counts_at_once(jobs_db) == ([1, 1], 2)


def count_while_deleted(db: EventliveDatabase) -> bool:
    """Count a webinar whose deletion waits for somebody who is coming in; whether the count got by without waiting."""
    webinar_id, user_id = db.webinar(), new_id()
    db.register(webinar_id, user_id)
    deleting = db.connect()
    with held(db, "select from eventlive.registrations for update"):
        gone = in_background(lambda: deleting.execute("select eventlive.delete_webinar(%s)", [webinar_id]))
        wait_until_blocked(db.admin, deleting.info.backend_pid)
        try:
            changed(db, "rollup_live")
            got_by = True
        except psycopg.errors.LockNotAvailable:
            got_by = False
        finally:
            db.admin.execute("select pg_advisory_unlock_all()")
    gone.result()  # a connection must not be closed under a call
    return got_by and db.count("webinars") == 0


def test_a_webinar_that_is_being_deleted_is_not_waited_for(jobs_db: EventliveDatabase) -> None:
    assert count_while_deleted(jobs_db)


def count_beside_a_locked_webinar(db: EventliveDatabase) -> list[int]:
    """Count three webinars while somebody holds the row of the first one; how many samples each has then."""
    webinars = sorted(db.webinar() for _ in range(3))
    with held(db, "select from eventlive.webinars where id = %s for update", webinars[0]):
        with suppress(psycopg.errors.LockNotAvailable):
            changed(db, "rollup_live")
        db.admin.execute("select pg_advisory_unlock_all()")
    return [int(live(db, webinar_id, "sample_count")[0]) for webinar_id in webinars]


def test_a_webinar_whose_row_is_held_keeps_none_of_the_others_from_being_counted(jobs_db: EventliveDatabase) -> None:
    assert count_beside_a_locked_webinar(jobs_db) == [0, 1, 1]


def test_without_the_look_at_the_row_both_would_wait(jobs_db: EventliveDatabase) -> None:
    with fault(jobs_db, "rollup_live_step", "for key share of w skip locked", ""):
        assert count_beside_a_locked_webinar(jobs_db) == [0, 0, 0]
        jobs_db.admin.execute("delete from eventlive.webinars")
        assert not count_while_deleted(jobs_db)


# Tab 1 of a user, or of a guest, has expired and is about to be closed when another call is made: before the job's
# step, which must not wait for it, or after. What the call is told, how the session ended, how many the step closed,
# and whether the call waited for the step.
MEETINGS = """
given   call              | first: told     ended    closed | second: waits  told        ended
one     leave:1           | done            expired  0      | yes            done        expired
one     take_over:2       | created         expired  0      | yes            created     expired
one     enter:2           | created         expired  0      | yes            created     expired
one     eject             | closed-1        expired  0      | yes            closed-0    expired
one     end               | closed-1        expired  0      | yes            closed-0    expired
one     heartbeat:1       | expired         expired  1      | no             expired     expired
guest   guest_leave:1     | done            expired  0      | yes            done        expired
guest   eject_guest:1     | closed-1        expired  0      | yes            closed-0    expired
guest   end               | closed-1        expired  0      | yes            closed-0    expired
"""
ROWS = [line.replace("|", " ").split() for line in MEETINGS.strip().split("\n")[1:]]
IDS = [" ".join(row[:2]) for row in ROWS]


def about_to_close(db: EventliveDatabase, given: str) -> Scene:
    """The scene, its session expired."""
    scene = Scene(db, given)
    db.shift_time("20 minutes")
    patiently(db)
    return scene


def ending(scene: Scene) -> list[tuple[str, int]]:
    """How the session of tab 1 ended, and how often the log has that."""
    return scene.db.rows(
        "select s.exit_reason, (select count(*)::integer from eventlive.event_access_logs e"
        "  where e.session_id = s.session_id and e.event <> 'entered') from eventlive.webinar_user_sessions s"
        " where s.session_id = %s",
        scene.sessions["1"],
    )


@pytest.mark.parametrize("commits", [True, False], ids=["commits", "rolls back"])
@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_a_call_that_has_the_session_is_not_waited_for_and_it_ends_once(
    jobs_db: EventliveDatabase, row: list[str], commits: bool
) -> None:
    given, call, told, ended, closed, *_ = row
    scene = about_to_close(jobs_db, given)
    step = scene.step(call, 1)
    with step.actor.transaction() as transaction:
        assert said(transaction.call(step.function, **step.arguments) or None) == told
        assert changed(jobs_db, "close_expired_sessions") == int(closed)
        if not commits:
            raise psycopg.Rollback
    # What was left over is done by the next run, and no more than that.
    left_over = 1 - int(closed) if not commits else 0
    assert changed(jobs_db, "close_expired_sessions") == left_over
    assert ending(scene) == [(ended, 1)]
    assert_invariants(jobs_db, *scene.actors)


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_a_call_that_comes_while_the_job_has_the_session_finds_it_ended(
    jobs_db: EventliveDatabase, row: list[str]
) -> None:
    given, call, *_, waits, told, ended = row
    scene = about_to_close(jobs_db, given)
    calling, waited = close_then_call(jobs_db, scene, call)
    assert (said(calling.result()), waited) == (told, waits == "yes")
    assert ending(scene) == [(ended, 1)]
    assert violations(jobs_db, *scene.actors) == []


def close_then_call(db: EventliveDatabase, scene: Scene, call: str) -> tuple[Background, bool]:
    """Make a call while the job's step is done and its transaction open."""
    step = scene.step(call, 2)
    holder = db.connect()
    [(webinar_id, ids, _, _)] = work(db, "close_expired_sessions")
    with holder.transaction():
        row = holder.execute("select eventlive.close_expired_sessions_step(%s, %s)", [webinar_id, ids]).fetchone()
        assert row == (1,)
        calling = in_background(step.attempt)
        waited = settled(db, calling, step.actor)
    return calling, waited


def renewed_while_listed(db: EventliveDatabase) -> list[tuple[str | None]]:
    """A session that was about to expire when the job made its list is renewed before its turn; how it ended."""
    scene = Scene(db, "one")
    db.admin.execute("update eventlive.webinar_user_sessions set expires_at = clock_timestamp()")
    listed = work(db, "close_expired_sessions")
    assert listed
    db.admin.execute("update eventlive.webinar_user_sessions set expires_at = clock_timestamp() + interval '1 hour'")
    assert said(scene.step("heartbeat:1").attempt()) == "open"
    db.value("select eventlive.job_step('close_expired_sessions', %s, %s, %s, %s)", *listed[0])
    return db.rows("select exit_reason from eventlive.webinar_user_sessions")


def test_a_session_renewed_since_it_was_listed_stays_open(jobs_db: EventliveDatabase) -> None:
    assert renewed_while_listed(jobs_db) == [(None,)]


def test_without_the_second_look_it_would_be_closed(jobs_db: EventliveDatabase) -> None:
    looking = "and (s.expires_at <= v_now or v_closed_at is not null)"
    with fault(jobs_db, "close_expired_sessions_step", looking, ""):
        assert renewed_while_listed(jobs_db) != [(None,)]


def leave_while_it_is_closed(db: EventliveDatabase, *, waits: bool) -> list[tuple[str, int]]:
    """The end of a session that is being left when the job comes to it."""
    scene = about_to_close(db, "one")
    leave = scene.step("leave:1", 1)
    with leave.actor.transaction() as transaction:
        transaction.call(leave.function, **leave.arguments)
        running = start(db, "close_expired_sessions")
        if waits:
            wait_until_blocked(db.admin, running.pid)
        else:
            running.result()
    running.result()
    return ending(scene)


def test_a_session_that_is_being_left_is_not_closed_twice(jobs_db: EventliveDatabase) -> None:
    assert leave_while_it_is_closed(jobs_db, waits=False) == [("expired", 1)]


def test_with_no_look_at_what_is_closed_already_it_would_be(jobs_db: EventliveDatabase) -> None:
    looking = "and s.exit_reason is null"
    with (
        fault(jobs_db, "close_expired_sessions_step", "for no key update skip locked", "for no key update"),
        fault(jobs_db, "close_expired_sessions_step", looking, ""),
        fault(jobs_db, "close_sessions", looking, ""),
    ):
        assert leave_while_it_is_closed(jobs_db, waits=True) == [("expired", 2)]
        assert "the log has one entry of each session, and its end once it ended" in violations(jobs_db)
