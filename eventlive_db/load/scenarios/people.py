"""Who comes to a webinar: viewers with the loops of the client, strangers, dashboards, and those who write messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from uuid import UUID

from eventlive_db.client import rpc
from eventlive_db.client.callers import AsyncCaller
from eventlive_db.client.errors import EventliveError
from eventlive_db.client.loops import FallbackPoller, HeartbeatLoop
from eventlive_db.client.replies import Entry, Message, StatsReply
from eventlive_db.load.scenarios.ground import Doors
from eventlive_db.load.scenarios.ledger import Ledger
from eventlive_db.load.scenarios.reading import PAGE, Noted, Poll, Post
from eventlive_db.load.scenarios.together import send_home

PING_JITTER = 0.1
"""A browser pings every 120 s, give or take 10 s."""
STRANGERS = "strangers"
"""By what the ledger knows the calls of those who never registered."""


@dataclass(slots=True)
class Attendance:
    """What a viewer knows of their own visit, in seconds since the beginning of the run.

    Attributes:
        session_id: Of the visit.
        user_id: Who they are; None for a guest.
        asked_at: When they asked to come in.
        entered_at: When the reply came; None where it was a refusal.
        leaves_at: When they said that they leave.
        left_at: When the reply to that came; None where they vanished, or were never in.
        pinged_at: When they sent the last ping that was answered; None where there was none.
        received: Ids of the messages that they polled, in order.
        polls: Polls for messages that were answered with a page, or refused.
    """

    session_id: UUID
    user_id: UUID | None
    asked_at: float = 0.0
    entered_at: float | None = None
    leaves_at: float = 0.0
    left_at: float | None = None
    pinged_at: float | None = None
    received: list[int] = field(default_factory=list)
    polls: list[Poll] = field(default_factory=list)


@dataclass(slots=True)
class Realtime:
    """Whether Realtime is there, for all who wait for it to go or to come back."""

    gone: asyncio.Event = field(default_factory=asyncio.Event)
    there: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.there.set()

    def cut(self) -> None:
        """It goes away."""
        self.there.clear()
        self.gone.set()

    def restore(self) -> None:
        """It comes back."""
        self.gone.clear()
        self.there.set()


@dataclass(slots=True)
class Hall:
    """A webinar as its visitors see it.

    Attributes:
        doors: The ways in.
        ledger: Keeps the calls, and has the clock.
        webinar_id: The webinar.
        label: By what the ledger knows it.
        chance: Source of chance.
        ways: By which viewers come, in turns.
        realtime: While it is away, viewers poll for messages.
        impatient_s: A client that polls so often, whatever it is told: a fault. None: as it should be.
        came: The visits so far.
    """

    doors: Doors
    ledger: Ledger
    webinar_id: UUID
    label: str
    chance: Random
    ways: Sequence[str]
    realtime: Realtime = field(default_factory=Realtime)
    impatient_s: float | None = None
    came: list[Attendance] = field(default_factory=list)

    def new_id(self) -> UUID:
        """An id of a user or session."""
        return UUID(int=self.chance.getrandbits(128), version=4)

    async def until(self, at: float) -> None:
        """Wait until then, in seconds since the beginning of the run."""
        await asyncio.sleep(max(0.0, at - self.ledger.now()))


@dataclass(frozen=True, slots=True)
class Visit:
    """What a viewer is going to do; times are seconds since the beginning of the run.

    Attributes:
        number: Of the viewer, from which the way follows.
        arrives_at: When they enter.
        leaves_at: When they go.
        registers: Whether they registered before, by a call of their own.
        guest: Whether they are not signed in.
        vanishes: Whether they close the laptop and say nothing.
        reloads_at: When they load the page again, with the session id that they kept; None: never.
    """

    number: int
    arrives_at: float
    leaves_at: float
    registers: bool = False
    guest: bool = False
    vanishes: bool = False
    reloads_at: float | None = None


async def viewer(hall: Hall, visit: Visit) -> None:
    """Enter, beat, ping, poll while Realtime is away, and leave. A call that fails ends it: the ledger has that."""
    await hall.until(visit.arrives_at)
    way = hall.ways[visit.number % len(hall.ways)]
    user_id = None if visit.guest else hall.new_id()
    caller = hall.doors.guest(way, hall.label) if user_id is None else hall.doors.user(user_id, way, hall.label)
    here = Attendance(hall.new_id(), user_id)
    hall.came.append(here)
    try:
        await _visit(hall, visit, caller, here)
    except EventliveError:
        return


async def _visit(hall: Hall, visit: Visit, caller: AsyncCaller, here: Attendance) -> None:
    enter = rpc.webinar_enter(hall.webinar_id, here.session_id, {"user_agent": "load"})
    if visit.registers:
        await caller.call(rpc.webinar_register(hall.webinar_id))
    here.asked_at = hall.ledger.now()
    entry = await caller.call(enter)
    here.entered_at = hall.ledger.now()
    if visit.reloads_at is not None:
        await _watch(hall, caller, entry, here, visit.reloads_at)
        entry = await caller.call(enter)
    await _watch(hall, caller, entry, here, visit.leaves_at)
    if not visit.vanishes:
        here.leaves_at = hall.ledger.now()
        await caller.call(rpc.webinar_leave(hall.webinar_id, here.session_id, entry.leave_token))
        here.left_at = hall.ledger.now()


async def _watch(hall: Hall, caller: AsyncCaller, entry: Entry, here: Attendance, until: float) -> None:
    """Everything that goes on by itself between entering and leaving."""
    beats = HeartbeatLoop.after_entry(caller, entry)
    tasks = [asyncio.create_task(_beating(beats)), asyncio.create_task(_polling(hall, caller, beats, here))]
    if here.user_id is not None:
        tasks.append(asyncio.create_task(_pinging(hall, caller, entry.settings.presence_ping_interval_s, here)))
    try:
        done, _ = await asyncio.wait(
            tasks, timeout=max(0.0, until - hall.ledger.now()), return_when=asyncio.FIRST_EXCEPTION
        )
        for task in done:
            task.result()
    finally:
        await send_home(tasks)


async def _beating(beats: HeartbeatLoop) -> None:
    await beats.run()


async def _pinging(hall: Hall, caller: AsyncCaller, every_s: float, here: Attendance) -> None:
    """As a browser does beside its heartbeats; the first one at random, so that nobody pings in step."""
    delay_s = every_s * hall.chance.random()
    while True:
        await asyncio.sleep(delay_s)
        sent_at = hall.ledger.now()
        try:
            await caller.call(rpc.webinar_presence_ping(hall.webinar_id))
            here.pinged_at = sent_at
        except EventliveError as error:
            if not error.retry:
                return
        delay_s = every_s * hall.chance.uniform(1 - PING_JITTER, 1 + PING_JITTER)


async def _polling(hall: Hall, caller: AsyncCaller, beats: HeartbeatLoop, here: Attendance) -> None:
    """Poll for messages whenever Realtime is away."""
    cursor = 0

    async def take(messages: Sequence[Message]) -> None:
        here.received.extend(message.message_id for message in messages)

    while True:
        await hall.realtime.gone.wait()
        if hall.impatient_s is not None:
            await _hammering(hall, caller, hall.impatient_s)
            continue
        poller = FallbackPoller(
            Noted(caller, hall.ledger.now, here.polls),
            lambda after: rpc.webinar_messages_poll(hall.webinar_id, after, PAGE),
            take,
            cursor,
            beats=beats,
        )
        polls = asyncio.create_task(poller.run())
        back = asyncio.create_task(hall.realtime.there.wait())
        try:
            await asyncio.wait([polls, back], return_when=asyncio.FIRST_COMPLETED)
            poller.stop()
            await polls
            await back  # where the poller was told to stop: until there is nothing to poll for
        finally:
            await send_home([polls, back])
        cursor = poller.cursor


async def _hammering(hall: Hall, caller: AsyncCaller, every_s: float) -> None:
    """The client of the outage: every two seconds, whatever the server says."""
    while hall.realtime.gone.is_set():
        await asyncio.sleep(every_s)
        with suppress(EventliveError):  # the ledger has it
            await caller.call(rpc.webinar_messages_poll(hall.webinar_id))


async def stranger(hall: Hall, number: int, arrives_at: float) -> None:
    """Signed in and not registered, with a client that pings; it is told so, and stops."""
    await hall.until(arrives_at)
    caller = hall.doors.user(hall.new_id(), hall.ways[number % len(hall.ways)], STRANGERS)
    with suppress(EventliveError):  # the ledger has it
        await caller.call(rpc.webinar_presence_ping(hall.webinar_id))


async def dashboard(hall: Hall, caller: AsyncCaller, until: float, shown: Callable[[StatsReply], None]) -> None:
    """Ask for the statistics as often as the server says."""
    delay_s = hall.chance.random()
    while True:
        await hall.until(min(until, hall.ledger.now() + delay_s))
        if hall.ledger.now() >= until:
            return
        with suppress(EventliveError):  # the ledger has it, and the next time is as far off as the last
            stats = await caller.call(rpc.webinar_stats_access(hall.webinar_id))
            shown(stats)
            delay_s = stats.next_poll_s


async def writer(hall: Hall, caller: AsyncCaller, every_s: float, until: float) -> list[Post]:
    """Post a message now and then; all of them, in order."""
    posted: list[Post] = []
    while hall.ledger.now() < until:
        with suppress(EventliveError):  # the ledger has it
            message = rpc.webinar_message_post(hall.webinar_id, hall.new_id(), "chat", f"message {len(posted)}")
            message_id = (await caller.call(message)).message_id
            posted.append(Post(hall.ledger.now(), message_id))
        await hall.until(min(until, hall.ledger.now() + every_s * hall.chance.uniform(0.5, 1.5)))
    return posted
