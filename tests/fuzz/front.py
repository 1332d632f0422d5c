"""The world behind PostgREST: sends requests as its people, and says what is wrong with what came of each."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

from tests.fuzz import catalog
from tests.fuzz.claims import Caller
from tests.fuzz.effects import Made, ids_in
from tests.fuzz.harness import CONTRACT, FORBIDDEN, UNREADABLE
from tests.fuzz.recipes import Recipe, recipes
from tests.fuzz.rights import effect_of
from tests.fuzz.values import as_text
from tests.fuzz.world import NEW_SESSION, WATCHING, World, session_of, token_of
from tests.support.cast import ELSEWHERE, USERS, WEBINAR
from tests.support.errors import TOKENS
from tests.support.http_door import TIMEOUT_S, Door, sign
from tests.support.http_fuzz import Request, Targets, call

READ_WHOLE = 8192
"""Bytes of a body that PostgREST's web server reads to its end though the answer is given already. Of a larger one it
leaves the rest and closes the connection, so that the answer may be lost on its way."""

ATTEMPTS = 5
OTHERS = ("guest", "stranger", "attendee")
"""Who else makes every call that somebody has a right to. Through psycopg everybody does."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A response.

    Attributes:
        word: ``done``, the token of a refusal, or the code of any other error.
        faults: What is wrong with it.
    """

    status: int
    word: str
    text: str
    faults: list[str]


class Front:
    """A world, and the door to it.

    Attributes:
        met: How often each status and word was met.
        by_function: How often each function came to each word.
        timeout_s: What takes longer hangs.
    """

    def __init__(self, door: Door, allowed: Collection[int]) -> None:
        self.door = door
        self.allowed = allowed
        self.world = World(door.db)
        self.timeout_s = TIMEOUT_S
        self.views = {view.name: view for view in catalog.views(door.db)}
        self.met: Counter[str] = Counter()
        self.by_function: dict[str, Counter[str]] = defaultdict(Counter)
        self.tokens = {
            name: sign(json.loads(caller.claims)) for name, caller in self.world.callers.items() if name != "guest"
        }

    def forget(self) -> None:
        """Count from nought."""
        self.met.clear()
        self.by_function.clear()

    def fire(self, request: Request) -> Answered:
        """Send a request as one of the people."""
        return self.fire_as(request, self.world.callers[request.caller], self.tokens.get(request.caller))

    def fire_forged(self, request: Request, claims: dict[str, Any]) -> Answered:
        """Send a request with a token of these claims, that a service signed which should not have."""
        sub, role = claims["sub"], claims["role"]
        ids = ids_in(sub) if isinstance(sub, str) else []
        caller = Caller(role, json.dumps(claims), UUID(ids[0]) if ids else None)
        answered = self.fire_as(request, caller, sign(claims))
        if answered.word == "done" and (claims["exp"] == 1 or claims.get("nbf", 0) > 1e9):
            answered.faults.append(f"a token out of its time was taken: {_shown(request)}")
        return answered

    def fire_as(self, request: Request, caller: Caller, bearer: str | None) -> Answered:
        """Send a request with that token."""
        headers = {"Content-Type": "application/json"} | request.headers
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        try:
            response = self._send(request, headers)
        except httpx.InvalidURL:
            return Answered(0, "not sent", "", [])
        except httpx.TransportError as error:
            log = self.door.server.child.log_tail()
            fault = f"no answer, {error!r}: {_shown(request)}\nThe end of PostgREST's log:\n{log}"
            return Answered(0, "no answer", "", [fault])
        answered = self._read(request, caller, response)
        self.met[f"HTTP {answered.status} {answered.word}"] += 1
        if request.function:
            self.by_function[request.function][answered.word] += 1
        said = f"{answered.text} {response.headers}".lower()
        given = f"{request.path} {(request.body or b'').decode('latin-1')}".lower()
        faults = answered.faults + [
            f"{mark.text} was shown"
            for mark in self.world.marks
            if mark.text in said and not mark.may_be_read_by(caller) and mark.text not in given
        ]
        faults += self._effects(request, caller, done=answered.word == "done")
        about = f"{_shown(request)} by {caller.label}: {answered.status} {answered.text[:300]}"
        return Answered(answered.status, answered.word, answered.text, [f"{fault}: {about}" for fault in faults])

    def follow(self, recipe: Recipe) -> list[str]:
        """Make the call of a recipe, and then have others make it."""
        request = call(recipe.function, recipe.caller, recipe.arguments)
        answered = self.fire(request)
        faults = answered.faults
        if answered.word != recipe.outcome:
            faults = [*faults, f"{answered.status} {answered.word} instead of {recipe.outcome}: {_shown(request)}"]
        for name in OTHERS if recipe.outcome == "done" else ():
            if name != recipe.caller:
                faults = faults + self.fire(call(recipe.function, name, recipe.arguments)).faults
        return faults

    def sweep(self, only: str | None = None) -> list[str]:
        """Follow every recipe, or those of one function; returns the faults of the first at fault."""
        for recipe in recipes(self.world):
            faults = self.follow(recipe) if only in {None, recipe.function} else []
            if faults:
                return faults
        return []

    def sweep_views(self) -> list[str]:
        """Have everybody read each view from end to end."""
        return [
            fault
            for view in self.views
            for name in self.world.callers
            for fault in self.fire(Request("GET", f"/{view}", caller=name)).faults
        ]

    def targets(self) -> Targets:
        """What is exposed, and values that are right for it."""
        right: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        for recipe in recipes(self.world):
            if recipe.outcome == "done":
                right.setdefault(recipe.function, []).append((recipe.caller, dict(recipe.arguments)))
        users = [str(user_id) for user_id in USERS.values()]
        good: dict[str, list[object]] = {
            "webinar_id": [str(WEBINAR), str(WEBINAR), *self.world.facts.webinars],
            "id": [*self.world.facts.webinars],
            "session_id": [*(session_of(name) for _, name in WATCHING), str(NEW_SESSION)],
            "leave_token": [token_of(name) for _, name in WATCHING],
            "user_id": [*users],
            "host_id": [*users],
            "user_ids": [users, users[:1], []],
            "client": [{}, {"agent": "x", "campaign": "y"}],
            "take_over": [True, False],
            "remove": [True, False],
            "changes": [{}, {"title": "x"}, {"settings": {"pacing_jitter": 0.2}}],
            "emails": [["a@b.example"], []],
            "slug": ["a-slug", str(ELSEWHERE)],
            "settings": [{}],
        }
        for name, words in self.world.pool.words.items():
            good.setdefault(name, [*words] or [1])
        named = {f"_{name}": values for name, values in good.items()}
        return Targets(
            {function.name: [p.name for p in function.parameters] for function in self.world.functions},
            {name: sorted(view.columns) for name, view in self.views.items()},
            good | named,
            right,
            sorted(self.world.callers),
        )

    def _send(self, request: Request, headers: dict[str, str]) -> httpx.Response:
        """Send, and again where the answer may be lost because of the size of what was sent."""
        is_large = len(request.body or b"") > READ_WHOLE
        if is_large:
            headers = headers | {"Connection": "close"}  # or the next request would meet a connection that closes
        for _ in range(ATTEMPTS - 1 if is_large else 0):
            with suppress(httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                return self._send_once(request, headers)
        return self._send_once(request, headers)

    def _send_once(self, request: Request, headers: dict[str, str]) -> httpx.Response:
        return self.door.http.request(
            request.method, request.path, content=request.body, headers=headers, timeout=self.timeout_s
        )

    def _read(self, request: Request, caller: Caller, response: httpx.Response) -> Answered:
        """Read a response, and hold status and error against the contract."""
        status, text = response.status_code, response.text
        faults = [] if status in self.allowed else [f"{status} is not in the contract"]
        if response.is_success:
            return Answered(status, "done", text, faults)
        try:
            error = json.loads(text)
        except ValueError:
            if request.method != "HEAD":
                faults.append(f"{status} without an error that can be read")
            return Answered(status, str(status), text, faults)
        code, (token, *_) = str(error.get("code")), (error.get("details") or "").split(" ", 1)
        if code.startswith("PT"):
            if TOKENS.get(token) != status or code != f"PT{status}" or CONTRACT.get(token) != error.get("message"):
                faults.append(f"{token} as {status} is not in docs/contract.md")
            return Answered(status, token, text, faults)
        if not self._is_expected(code, request, caller):
            faults.append(f"{code} is not in the contract")
        return Answered(status, code, text, faults)

    def _is_expected(self, code: str, request: Request, caller: Caller) -> bool:
        """Whether an error that is none of the functions' may come of that request."""
        if code in UNREADABLE or code == FORBIDDEN or re.fullmatch(r"PGRST\d{3}", code):
            return True
        if request.function:
            return code == "25006" and request.method in {"GET", "HEAD"}
        # A view has filters, and columns that do not exist; and the service writes to one.
        return code[:2] in {"22", "42"} or (code[:2] == "23" and _writes_profiles(request, caller))

    def _effects(self, request: Request, caller: Caller, *, done: bool) -> list[str]:
        """What was written and should not have been; it is put back."""
        changes = self.world.changes()
        if request.method == "HEAD" and not changes:
            return []  # nothing was asked for, so Postgres need not have called the function
        if not request.function:
            allowed = done and _writes_profiles(request, caller)
            return [f"a view changed {c}" for c in changes if not (allowed and c.table == "profiles")]
        given = {name: as_text(value) for name, value in request.given.items()}
        return effect_of(request.function).faults(Made(self.world.facts, caller, given), changes, done=done)


def _writes_profiles(request: Request, caller: Caller) -> bool:
    return caller.role == "service_role" and request.path.startswith("/profiles")


def _shown(request: Request) -> str:
    return f"{request.method} {request.path[:300]} {(request.body or b'')[:300]!r} {request.headers}"
