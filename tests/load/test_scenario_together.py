"""Who comes together goes together, also where a cancellation is lost; and what is never over is ended."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest

from eventlive_db.client.calls import Call
from eventlive_db.client.replies import ClientSettings, Entry, Session
from eventlive_db.load.scenarios import together as together_module
from eventlive_db.load.scenarios.figures import BEAT, ENTER, PING
from eventlive_db.load.scenarios.ground import Doors
from eventlive_db.load.scenarios.ledger import Ledger
from eventlive_db.load.scenarios.people import Hall, Visit, viewer
from eventlive_db.load.scenarios.run import Run, conduct
from eventlive_db.load.scenarios.together import OverdueError, beside, in_time, run_loop, send_home, together
from eventlive_db.server import Server
from tests.load.scenario_runs import install, plan


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for long before saying it again."""
    monkeypatch.setattr(together_module, "AGAIN_S", 0.01)


async def deaf(losses: int, over: list[str] | None = None) -> None:
    """Goes on after so many cancellations, as ``asyncio.wait_for`` makes it before Python 3.12."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if losses == 0:
                if over is not None:
                    over.append("over")
                raise
            losses -= 1


async def started(*people: Coroutine[Any, Any, None]) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(one) for one in people]
    await asyncio.sleep(0)
    return tasks


async def breaks() -> None:
    await asyncio.sleep(0)
    msg = "broken"
    raise ValueError(msg)


def test_who_is_sent_home_goes_though_it_is_said_twice() -> None:
    async def main() -> list[bool]:
        tasks = await started(deaf(0), deaf(1), deaf(3))
        await send_home(tasks)
        return [task.cancelled() for task in tasks]

    assert asyncio.run(main()) == [True, True, True]


def test_it_is_not_said_for_ever_where_there_has_to_be_an_end() -> None:
    async def main() -> list[bool]:
        [task] = tasks = await started(deaf(5))
        await send_home(tasks, tries=3)
        was_done = task.done()
        await send_home(tasks)
        return [was_done, task.done()]

    assert asyncio.run(main()) == [False, True]


def test_who_sends_others_home_and_is_sent_home_too_goes_after_them() -> None:
    over: list[str] = []

    async def main() -> bool:
        tasks = await started(deaf(3, over))
        [sender] = await started(send_home(tasks))
        sender.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sender
        return tasks[0].done()

    assert asyncio.run(main())
    assert over == ["over"]


@pytest.mark.parametrize("gather", [lambda *people: together(people), beside])
def test_one_who_breaks_sends_home_those_who_do_not_hear_it_at_first(gather: Callable[..., Any]) -> None:
    over: list[str] = []

    async def main() -> None:
        with pytest.raises(ValueError, match="broken"):
            await gather(deaf(2, over), breaks(), deaf(1, over))

    asyncio.run(main())
    assert over == ["over", "over"]


def test_all_who_come_are_there_in_order_and_nobody_is_nobody() -> None:
    async def number(value: int) -> int:
        for _ in range(3 - value):
            await asyncio.sleep(0)
        return value

    async def main() -> list[Any]:
        return [await together(number(value) for value in range(3)), await together([])]

    assert asyncio.run(main()) == [[0, 1, 2], []]


def entry_of(webinar_id: UUID, session_id: UUID) -> Entry:
    """A beat and a ping at once, and then none for long."""
    now = datetime.now(UTC)
    return Entry(
        session=Session(webinar_id=webinar_id, session_id=session_id, state="open", entered_at=now),
        created=True,
        registration=None,
        status="live",
        settings=ClientSettings(
            presence_ping_interval_s=0.001,
            session_heartbeat_interval_s=300.0,
            fallback_poll_interval_s=10.0,
            fallback_enabled=True,
            settings_version="",
        ),
        next_heartbeat_s=300.0,
        first_heartbeat_s=0.0,
        leave_token=uuid4(),
        other_sessions=(),
        replaced_sessions=0,
        server_time=now,
    )


class DeafDoors:
    """A way in on which beats and pings are never answered, and lose the first cancellation."""

    def __init__(self) -> None:
        self.called: set[str] = set()
        self.waiting = asyncio.Event()

    def user(self, *_: object) -> DeafDoors:
        return self

    async def call(self, request: Call[Any]) -> Any:
        self.called.add(request.function)
        if request.function == ENTER:
            webinar_id, session_id = (request.arguments[name] for name in ("_webinar_id", "_session_id"))
            return entry_of(UUID(str(webinar_id)), UUID(str(session_id)))
        if {PING, BEAT} <= self.called:
            self.waiting.set()
        await deaf(1)
        return None


def test_a_viewer_whose_calls_lose_a_cancellation_goes_home_all_the_same() -> None:
    async def main() -> bool:
        doors = DeafDoors()
        hall = Hall(doors, Ledger(), uuid4(), "a", Random(1), ["psycopg"])  # type: ignore[arg-type]
        hall.ledger.begin()
        visit = asyncio.create_task(viewer(hall, Visit(0, 0.0, 3600.0)))
        await doors.waiting.wait()
        visit.cancel()
        await asyncio.wait([visit], timeout=60)
        return visit.cancelled() and asyncio.all_tasks() == {asyncio.current_task()}

    assert asyncio.run(main())


def test_what_is_over_in_time_is_as_it_was() -> None:
    async def quick() -> int:
        return 7

    assert run_loop(in_time(quick(), lambda: 60.0)) == 7
    with pytest.raises(ValueError, match="broken"):
        run_loop(in_time(breaks(), lambda: 60.0))


def test_how_long_it_may_be_is_asked_again() -> None:
    left = iter([0.01, 0.01, 60.0])

    async def main() -> str:
        await asyncio.sleep(0.1)
        return "over"

    assert run_loop(in_time(main(), lambda: next(left))) == "over"


def test_what_is_not_over_in_time_is_told_with_the_tasks_that_went_on() -> None:
    over: list[str] = []
    left = iter([0.01, -1.0])

    async def main() -> None:
        await together([deaf(1, over), deaf(0, over), asyncio.Event().wait()])

    with pytest.raises(OverdueError, match=r"still running: (.*)\. Give it fewer --viewers") as overdue:
        run_loop(in_time(main(), lambda: next(left)))
    assert {"2 deaf", "1 wait", "1 main"} <= set(re.split(", ", str(overdue.value).split("running: ")[1].split(".")[0]))
    assert over == ["over", "over"]


def test_there_is_an_end_even_where_somebody_never_goes() -> None:
    with pytest.raises(OverdueError, match="1 deaf"):
        run_loop(in_time(deaf(10**9), lambda: -1.0))


def test_who_interrupts_it_is_heard_once_everybody_has_gone() -> None:
    over: list[str] = []

    async def main() -> None:
        asyncio.get_running_loop().call_later(0.01, interrupt)
        await together([deaf(1, over), deaf(0, over)])

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_loop(in_time(main(), lambda: 60.0))
    assert over == ["over", "over"]


@pytest.mark.heavy
def test_a_scenario_that_hangs_is_ended_and_nothing_of_it_is_left(pg_server: Server) -> None:
    async def scenario(run: Run, doors: Doors) -> None:
        await run.hall(doors, "stuck")
        run.lasts_s = 0.1
        await beside(together([deaf(1), deaf(1)]), run.report(0.1, lambda: "nothing"))

    before = threading.active_count()
    hanging = plan(pg_server.kind, history=0, connections=2, margin_s=1.0)
    with pytest.raises(OverdueError, match="2 deaf"):
        conduct(hanging, install, lambda _: None, scenario)
    assert threading.active_count() == before
