"""The traffic of the outage, sent through PostgREST: many at once, each repeated, some given up on the way."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

from tests.support.actors import new_id
from tests.support.http_door import TIMEOUT_S, Answer, Caller, Door

AT_ONCE = 50
REPEATS = 3


@dataclass(slots=True)
class Traffic:
    """Requests to one webinar, and all that was answered.

    Attributes:
        expected: Who may be registered at the end: whoever was, entered or registered.
        answers: Function and answer, in the order in which they came.
        given_up: How many connections were closed before the answer came.
    """

    door: Door
    webinar_id: UUID
    expected: set[UUID] = field(default_factory=set)
    answers: list[tuple[str, Answer]] = field(default_factory=list)
    given_up: int = 0
    # Counted here, not in a client: httpx takes time with the square of what it has under way.
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def call(self, function: str, caller: Caller, /, **arguments: object) -> Answer:
        """One call for the webinar, on a connection of its own."""
        async with self._slots, asyncio.timeout(TIMEOUT_S * 3):
            reader, writer = await self._send(function, caller, arguments)
            answer = _answer(await reader.read())
            writer.close()
            await writer.wait_closed()
        self.answers.append((function, answer))
        return answer

    async def give_up(self, function: str, caller: Caller, /, **arguments: object) -> None:
        """Send a call, and hang up while it is under way."""
        async with self._slots:
            _, writer = await self._send(function, caller, arguments)
            await asyncio.sleep(0.003)
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()
        self.given_up += 1

    async def _send(
        self, function: str, caller: Caller, arguments: dict[str, object]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Send a request; whoever enters or registers may be registered by it, answered or not."""
        if function in {"webinar_register", "webinar_enter"} and caller.user_id:
            self.expected.add(caller.user_id)
        named = {"_webinar_id": self.webinar_id} | {f"_{name}": value for name, value in arguments.items()}
        body = json.dumps(named, default=str).encode()
        url = httpx.URL(self.door.server.url)
        headers = caller.headers() | {
            "Host": url.host,
            "Connection": "close",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }
        lines = [f"POST /rpc/{function} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write("\r\n".join(lines).encode() + body)
        await writer.drain()
        return reader, writer

    async def several(
        self, chance: random.Random, function: str, caller: Caller, /, **arguments: object
    ) -> list[Answer]:
        """The same call several times at once, of which one is given up."""
        calls: list[Coroutine[Any, Any, Answer | None]] = [
            self.call(function, caller, **arguments) for _ in range(REPEATS)
        ]
        calls.insert(chance.randrange(len(calls)), self.give_up(function, caller, **arguments))
        return [answer for answer in await asyncio.gather(*calls) if answer]

    async def one_viewer(self, caller: Caller, chance: random.Random) -> None:
        """What the page of one viewer did: enter, ping, beat and leave, each of them several times at once."""
        session = {"session_id": new_id()}
        steps: list[tuple[str, dict[str, object]]] = [
            ("webinar_enter", {**session}),
            ("webinar_presence_ping", {}),
            ("webinar_session_heartbeat", {**session}),
            ("webinar_register", {}),
        ]
        for function, arguments in steps:
            await self.several(chance, function, caller, **arguments)

    async def one_visit(self, caller: Caller, chance: random.Random) -> None:
        """What somebody does who stays a while: a second tab takes over from the first, and is closed.

        A guest has one tab. It is closed as ``sendBeacon`` does it, without saying who calls.
        """
        user = caller.user_id is not None
        tab = {"session_id": new_id()}
        await self.several(chance, "webinar_client_settings", caller)
        [entered, *_] = await self.several(chance, "webinar_enter", caller, **tab)
        if user:
            await self.several(chance, "webinar_presence_ping", caller)
            await self.several(chance, "webinar_register", caller)
        await self.several(chance, "webinar_session_heartbeat", caller, **tab)
        if user:
            second = {"session_id": new_id()}
            [entered, *_] = await self.several(chance, "webinar_enter", caller, **second, take_over=True)
            await self.several(chance, "webinar_session_heartbeat", caller, **tab)
            tab = second
        token = (entered.data or {}).get("leave_token") or new_id()
        await self.several(chance, "webinar_leave", Caller("beacon"), **tab, leave_token=token)
        await self.several(chance, "webinar_session_heartbeat", caller, **tab)

    async def only_pings(self, caller: Caller) -> None:
        """Somebody who never entered, and whose page repeats what was refused."""
        for _ in range(2):
            await asyncio.gather(
                *(self.call("webinar_presence_ping", caller) for _ in range(REPEATS)),
                self.give_up("webinar_presence_ping", caller),
            )

    async def only_beats(self, caller: Caller, chance: random.Random) -> None:
        """Somebody who never entered, and whose page beats for a session that does not exist, and pings."""
        await self.several(chance, "webinar_session_heartbeat", caller, session_id=new_id())
        await self.several(chance, "webinar_presence_ping", caller)


async def storm(traffic: Traffic, viewers: Iterable[Caller], onlookers: Iterable[Caller], seed: int = 1) -> None:
    """All viewers and onlookers at once."""
    chance = random.Random(seed)
    pages = [traffic.one_viewer(caller, chance) for caller in viewers]
    pages += [traffic.only_pings(caller) for caller in onlookers]
    chance.shuffle(pages)
    await asyncio.gather(*pages)


async def visits(traffic: Traffic, visitors: Iterable[Caller], onlookers: Iterable[Caller], seed: int = 1) -> None:
    """All visitors, guests among them, and onlookers at once."""
    chance = random.Random(seed)
    pages = [traffic.one_visit(caller, chance) for caller in visitors]
    pages += [traffic.only_beats(caller, chance) for caller in onlookers]
    chance.shuffle(pages)
    await asyncio.gather(*pages)


def _answer(received: bytes) -> Answer:
    """Read a whole response."""
    head, _, rest = received.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    body = rest
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(rest.partition(b"\r\n")[0], 16):
            start = rest.index(b"\r\n") + 2
            body, rest = body + rest[start : start + size], rest[start + size + 2 :]
    return Answer.of(httpx.Response(int(status_line.split()[1]), content=body))


def promises_broken(traffic: Traffic) -> set[str]:
    """Which promises of the issue do not hold after the traffic, by name."""
    db, webinar_id = traffic.door.db, traffic.webinar_id
    registered = dict(
        db.rows("select user_id, registered_at from eventlive.registrations where webinar_id = %s", webinar_id)
    )
    logged = Counter(
        user_id
        for (user_id,) in db.rows(
            "select user_id from eventlive.event_access_logs where webinar_id = %s and event = 'registered'", webinar_id
        )
    )
    told: dict[str, set[str]] = {}
    for function, answer in traffic.answers:
        if function in {"webinar_enter", "webinar_register"} and not answer.code:
            registration = answer.data if function == "webinar_register" else answer.data["registration"]
            if registration is None:
                continue  # a guest
            told.setdefault(registration["user_id"], set()).add(registration["registered_at"])
    answers = [answer for _, answer in traffic.answers]
    checks = {
        "no ping registers": set(registered) <= traffic.expected,
        "no duplicate key": not any(answer.code == "23505" for answer in answers),
        "no 400 for a well-formed call": not any(answer.status == 400 for answer in answers),
        "no 5xx": not any((answer.status or 0) >= 500 for answer in answers),
        "each registration is logged once": all(number == 1 for number in logged.values()),
        "every caller is told of the one registration": all(len(times) == 1 for times in told.values())
        and {UUID(user_id) for user_id in told} <= set(registered),
    }
    return {name for name, holds in checks.items() if not holds}
