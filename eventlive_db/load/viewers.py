"""Kinds of people at a webinar, each a coroutine that behaves as a browser would."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

from eventlive_db.client import Identity, RpcError
from eventlive_db.load.stage import Stage


@dataclass(frozen=True, slots=True)
class Venue:
    """Where a viewer goes, and for how long.

    Attributes:
        webinar_id: The webinar.
        door_s: People arrive within this many seconds.
        until: Time of the event loop at which everybody goes home.
        random: Source of chance; seeded, so that two runs send the same people.
    """

    webinar_id: UUID
    door_s: float
    until: float
    random: Random

    def new_id(self) -> UUID:
        """An id of a user or session."""
        return UUID(int=self.random.getrandbits(128), version=4)


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _wait(venue: Venue, seconds: float) -> bool:
    """Sleep, but not past the end; whether there is time left."""
    await asyncio.sleep(max(0.0, min(seconds, venue.until - _now())))
    return _now() < venue.until


async def _ping(stage: Stage, venue: Venue, identity: Identity, every_s: float) -> None:
    while await _wait(venue, every_s * venue.random.uniform(0.9, 1.1)):
        await stage.call(identity, "webinar_presence_ping", webinar_id=venue.webinar_id)


async def _beat(stage: Stage, venue: Venue, identity: Identity, entered: dict[str, Any]) -> dict[str, Any]:
    session_id = UUID(entered["session"]["session_id"])
    reply: dict[str, Any] = await stage.call(
        identity, "webinar_session_heartbeat", webinar_id=venue.webinar_id, session_id=session_id
    )
    return reply


async def _watch(stage: Stage, venue: Venue, identity: Identity, entered: dict[str, Any]) -> str:
    """Beat until the end, or until the server says that the session is over; the last state."""
    delay, state = entered["first_heartbeat_s"], "open"
    while state == "open" and await _wait(venue, delay):
        beat = await _beat(stage, venue, identity, entered)
        state, delay = beat["state"], beat["next_heartbeat_s"]
    return state


async def attendee(stage: Stage, venue: Venue, *, register_first: bool, leaves_early: bool) -> None:
    """Registers or just enters, pings, beats, and leaves."""
    await _wait(venue, venue.random.uniform(0, venue.door_s))
    identity = Identity.user(venue.new_id())
    if register_first:
        await stage.call(identity, "webinar_register", webinar_id=venue.webinar_id)
    session_id = venue.new_id()
    entered = await stage.call(
        identity, "webinar_enter", webinar_id=venue.webinar_id, session_id=session_id, client={"ua": "demo"}
    )
    if leaves_early:
        left = venue.until - _now()
        venue = Venue(venue.webinar_id, 0, _now() + left * venue.random.uniform(0.2, 0.8), venue.random)
    every_s = float(entered["settings"]["presence_ping_interval_s"])
    pings = asyncio.create_task(_ping(stage, venue, identity, every_s))
    try:
        state = await _watch(stage, venue, identity, entered)
        await pings
    finally:
        pings.cancel()
    if state == "open":
        await stage.call(
            identity,
            "webinar_leave",
            webinar_id=venue.webinar_id,
            session_id=session_id,
            leave_token=UUID(entered["leave_token"]),
        )


async def guest(stage: Stage, venue: Venue) -> None:
    """Enters without signing in and stays to the end."""
    await _wait(venue, venue.random.uniform(0, venue.door_s))
    identity = Identity.guest()
    entered = await stage.call(identity, "webinar_enter", webinar_id=venue.webinar_id, session_id=venue.new_id())
    await _watch(stage, venue, identity, entered)


async def stranger(stage: Stage, venue: Venue, user_id: UUID) -> None:
    """Signed in but not registered, with a client that pings all the same, and again after a while."""
    identity = Identity.user(user_id)
    every_s = 1.0
    while await _wait(venue, venue.random.uniform(0.5, 1.5) * every_s):
        try:
            await stage.call(identity, "webinar_presence_ping", webinar_id=venue.webinar_id)
        except RpcError as error:
            if error.token != "not_registered":
                raise
        every_s = 5.0


async def two_tabs(stage: Stage, venue: Venue, *, takes_over: bool) -> str:
    """One user in two tabs; the state of the first one at the end."""
    await _wait(venue, venue.random.uniform(0, venue.door_s))
    identity = Identity.user(venue.new_id())
    first = await stage.call(identity, "webinar_enter", webinar_id=venue.webinar_id, session_id=venue.new_id())
    watching = asyncio.create_task(_watch(stage, venue, identity, first))
    try:
        await _wait(venue, venue.random.uniform(0.5, 2))
        second_id = venue.new_id()
        try:
            await stage.call(identity, "webinar_enter", webinar_id=venue.webinar_id, session_id=second_id)
        except RpcError as error:
            if error.token != "duplicate_session":
                raise
            if takes_over:
                second = await stage.call(
                    identity, "webinar_enter", webinar_id=venue.webinar_id, session_id=second_id, take_over=True
                )
                await _watch(stage, venue, identity, second)
        state = await watching
        if takes_over and state == "open":
            # Time was up before its next beat; the tab is still there and asks once more.
            state = (await _beat(stage, venue, identity, first))["state"]
        return state
    finally:
        watching.cancel()
