"""Loops as tasks, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from eventlive_db.client.errors import EventliveError, GoneError, InvalidCallError, UnavailableError
from eventlive_db.client.loops import Ended, HeartbeatLoop, HeartbeatSchedule, Pace
from eventlive_db.client.replies import ClientSettings, Entry, Session
from tests.client.loops.replies import OTHER, SESSION, WEBINAR, AsyncServer, beat
from tests.client.loops.virtual_time import run

AWAY = UnavailableError(503, "unreachable")
FIRST_S = 50.0


def heartbeats(server: AsyncServer, **more: Any) -> HeartbeatLoop:
    schedule = HeartbeatSchedule(300.0, FIRST_S, random=lambda: 0.5)
    return HeartbeatLoop(server, WEBINAR, SESSION, schedule, **more)


def later(at_s: float, what: Any) -> None:
    asyncio.get_running_loop().call_at(at_s, what)


def test_it_beats_as_told_until_the_session_is_over_and_says_why() -> None:
    server = AsyncServer(beat(300.0), beat(280.0), beat(310.0), beat(None, "replaced", OTHER))
    assert run(heartbeats(server).run()) == Ended("replaced", OTHER)
    # The first was too early to be written: its reply said what was left.
    assert server.at == [50.0, 350.0, 630.0, 940.0]
    assert {call.function for call in server.requests} == {"webinar_session_heartbeat"}
    assert server.requests[0].arguments == {"_webinar_id": WEBINAR, "_session_id": SESSION}


def test_it_begins_as_the_entry_said() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    entry = Entry(
        session=Session(webinar_id=WEBINAR, session_id=SESSION, state="open", entered_at=now),
        created=True,
        registration=None,
        status="live",
        settings=ClientSettings(
            presence_ping_interval_s=120,
            session_heartbeat_interval_s=300,
            fallback_poll_interval_s=20,
            fallback_enabled=True,
            settings_version="1",
        ),
        next_heartbeat_s=300.0,
        first_heartbeat_s=123.0,
        leave_token=OTHER,
        other_sessions=(),
        replaced_sessions=0,
        server_time=now,
    )
    server = AsyncServer(beat(None, "left"))
    loop = HeartbeatLoop.after_entry(server, entry)
    assert loop.fallback_poll_s is None  # what the entry said may be for a hall that was not counted yet
    run(loop.run())
    assert server.at == [123.0]


def test_it_knows_from_its_heartbeats_how_often_to_poll() -> None:
    loop = heartbeats(AsyncServer(beat(300.0, poll_s=1000.0), beat(None, "left")))
    run(loop.run())
    assert loop.fallback_poll_s == 1000.0


def test_errors_are_told_with_their_delay_and_the_last_one_is_the_reason() -> None:
    gone = GoneError(410, "webinar_ended")
    told: list[tuple[EventliveError, float | None]] = []
    server = AsyncServer(AWAY, gone)

    def on_error(error: EventliveError, delay_s: float | None) -> None:
        told.append((error, delay_s))
        raise ZeroDivisionError  # a broken callback breaks nothing

    assert run(heartbeats(server, on_error=on_error).run()) == Ended("webinar_ended", error=gone)
    assert [error for error, _ in told] == [AWAY, gone]
    assert told[0][1] == pytest.approx(server.at[1] - server.at[0])
    assert told[1][1] is None


def test_an_id_that_is_none_is_refused_before_it_runs() -> None:
    with pytest.raises(InvalidCallError):
        HeartbeatLoop(AsyncServer(), "webinar", SESSION)


def test_hidden_it_does_not_call_and_seen_again_it_calls_at_once_where_it_is_due() -> None:
    server = AsyncServer(beat(300.0))

    async def main() -> Ended:
        loop = heartbeats(server)
        later(10.0, loop.pause)
        later(1000.0, loop.resume)
        later(1100.0, loop.pause)
        later(1200.0, loop.resume)  # not due: as it was
        later(1500.0, loop.stop)
        return await loop.run()

    assert run(main()) == Ended("stopped")
    assert server.at == [1000.0, 1300.0]


def test_paused_in_the_moment_it_is_due_it_does_not_call() -> None:
    server = AsyncServer(beat(300.0))

    async def main() -> Ended:
        loop = heartbeats(server)
        task = asyncio.create_task(loop.run())
        await asyncio.sleep(1)
        later(FIRST_S, loop.pause)  # after the bell, before the task hears it
        later(400.0, loop.stop)
        return await task

    assert run(main()) == Ended("stopped")
    assert server.at == []


def test_paused_or_stopped_before_it_runs() -> None:
    async def main() -> None:
        server = AsyncServer(beat(None, "left"))
        loop = heartbeats(server)
        loop.pause()
        loop.resume()
        assert await loop.run() == Ended("left")
        loop = heartbeats(server)
        loop.stop()
        assert await loop.run() == Ended("stopped")
        assert len(server.at) == 1

    run(main())


def test_stopped_during_a_call_it_ends_after_it_and_ignores_the_reply() -> None:
    server = AsyncServer(beat(None, "ejected"), latency_s=5.0)

    async def main() -> tuple[Ended, float]:
        loop = heartbeats(server)
        later(FIRST_S + 1, loop.stop)
        return await loop.run(), asyncio.get_running_loop().time()

    assert run(main()) == (Ended("stopped"), FIRST_S + 5.0)


def test_paused_during_a_call_it_takes_the_reply_and_waits() -> None:
    server = AsyncServer(beat(300.0), latency_s=5.0)

    async def main() -> None:
        loop = heartbeats(server)
        later(FIRST_S + 1, loop.pause)
        later(1000.0, loop.resume)
        later(1001.0, loop.stop)
        await loop.run()

    run(main())
    assert server.at == [FIRST_S, 1000.0]


@pytest.mark.parametrize("at_s", [10.0, FIRST_S + 1.0], ids=["waiting", "calling"])
def test_cancelled_it_leaves_nothing_behind_and_can_go_on(at_s: float) -> None:
    server = AsyncServer(beat(None, "left"), latency_s=5.0)

    async def main() -> Ended:
        loop = heartbeats(server)
        task = asyncio.create_task(loop.run())
        await asyncio.sleep(at_s)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}
        loop.pause()
        loop.resume()
        return await loop.run()

    assert run(main()) == Ended("left")


def test_it_runs_once_at_a_time() -> None:
    async def main() -> None:
        loop = heartbeats(AsyncServer(beat()))
        task = asyncio.create_task(loop.run())
        await asyncio.sleep(1)
        with pytest.raises(RuntimeError, match="runs already"):
            await loop.run()
        loop.stop()
        await task

    run(main())


def test_a_thousand_loops_resumed_together_come_one_after_the_other() -> None:
    count = 1000
    server = AsyncServer(beat(300.0))

    async def main() -> None:
        pace = Pace()
        loops = [heartbeats(server, pace=pace) for _ in range(count)]
        tasks = [asyncio.create_task(loop.run()) for loop in loops]
        await asyncio.sleep(1)
        for loop in loops:
            loop.pause()
        await asyncio.sleep(999)
        for loop in loops:
            loop.resume()
        await asyncio.sleep(299)
        for loop in loops:
            loop.stop()
        await asyncio.gather(*tasks)
        assert pace.loops == 0

    run(main())
    assert server.at[0] == 1000.0
    worst = max(sum(at <= other < at + 10 for other in server.at) for at in server.at)
    assert worst <= 2 * count * 10 / 300
    assert len(server.at) >= 0.98 * count


def test_many_loops_need_no_task_but_their_own() -> None:
    async def main() -> None:
        loops = [heartbeats(AsyncServer(beat())) for _ in range(100)]
        tasks = [asyncio.create_task(loop.run()) for loop in loops]
        await asyncio.sleep(1000)
        assert len(asyncio.all_tasks()) == len(tasks) + 1
        for loop in loops:
            loop.stop()
        await asyncio.gather(*tasks)

    run(main())


def test_virtual_time_tells_when_everybody_waits_for_ever() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    waiting: Coroutine[Any, Any, None] = main()
    with pytest.raises(RuntimeError, match="nothing will ever happen"):
        run(waiting)
