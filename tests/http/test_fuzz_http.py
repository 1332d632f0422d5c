"""Whatever is sent through the front door, by whomever: a documented status, soon, and nobody's rows but one's own.

``FUZZ_CALLS`` says how many requests, beside those that every run makes; the same ones for the same ``FUZZ_SEED``.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
from hypothesis import given

from eventlive_db.migrate import Options, upgrade
from eventlive_db.server import Server
from tests.fuzz import plants
from tests.fuzz.budget import CALLS, PROPERTY, examples, seeded
from tests.fuzz.front import Front
from tests.fuzz.plants import Plant, planted
from tests.http.conftest import DOCUMENT
from tests.support.cast import USERS
from tests.support.database import EventliveDatabase
from tests.support.errors import TOKENS
from tests.support.http_door import TIMEOUT_S, Door
from tests.support.http_fuzz import Request, forged_claims, requests
from tests.support.http_server import running

Record = Callable[[str, object], None]

# What hangs is ended all the same.
pytestmark = pytest.mark.timeout(300 + CALLS)

# Those of docs/postgrest.md, and of the errors of docs/contract.md; but the server may never fail.
DOCUMENTED = {int(status) for status in re.findall(r"^\| (\d{3}) \|", DOCUMENT.read_text(), re.M)} | set(
    TOKENS.values()
)
ALLOWED = {status for status in DOCUMENTED if status < 500}


@pytest.fixture(scope="module")
def front(pg_server: Server, configured: Callable[[str], str]) -> Iterator[Front]:
    """The world behind a PostgREST of its own; each request leaves it as it was."""
    name = f"fuzz_http_{secrets.token_hex(8)}"
    dsn = pg_server.create_database(name)
    upgrade(Options(dsn=dsn))
    with (
        closing(EventliveDatabase(dsn)) as db,
        running(configured(name)) as server,
        httpx.Client(base_url=server.url, timeout=TIMEOUT_S) as client,
    ):
        yield Front(Door(db, server, client), ALLOWED)
    pg_server.drop_database(name)


@pytest.fixture(autouse=True)
def counted(front: Front) -> None:
    """Each test counts from nought."""
    front.forget()


def test_whoever_has_a_right_to_a_call_succeeds_and_nobody_else_does(front: Front, record_property: Record) -> None:
    assert front.sweep() == []
    assert front.sweep_views() == []
    record_property(PROPERTY, dict(front.met))
    assert {f.name for f in front.world.functions} == {f for f, met in front.by_function.items() if met["done"]}


def test_any_request_gets_a_documented_status_and_no_row_of_others(front: Front, record_property: Record) -> None:
    @examples(1 + CALLS * 4 // 5)
    @given(request=requests(front.targets()))
    def fuzz(request: Request) -> None:
        assert front.fire(request).faults == []

    seeded(fuzz)()
    record_property(PROPERTY, dict(front.met))
    # It was no shooting at one wall: of each function a good part went through.
    for function in front.world.functions:
        met = front.by_function[function.name]
        assert met["done"] >= met.total() // 40, f"hardly a call of {function.name} went through: {met}"


def test_forged_claims_get_a_documented_status_and_no_row_of_others(front: Front, record_property: Record) -> None:
    @examples(1 + CALLS // 5)
    @given(request=requests(front.targets()), claims=forged_claims(str(USERS["attendee"]), "fuzz"))
    def fuzz(request: Request, claims: dict[str, Any]) -> None:
        assert front.fire_forged(request, claims).faults == []

    seeded(fuzz)()
    record_property(PROPERTY, dict(front.met))


# What is broken, what must be reported, and the function that tells; none where the views do.
BROKEN: dict[str, tuple[Plant, str, str]] = {
    "a ping registers": (
        plants.A_PING_REGISTERS, "was registered without being asked", "webinar_presence_ping"
    ),
    "drafts are public": (plants.DRAFTS_ARE_PUBLIC, "title-draft was shown", ""),
    "an attendee reads all sessions": (plants.ATTENDEES_ARE_STAFF, "was shown", ""),
    "an error in the ejection of a guest": (
        plants.ERROR_IN_EJECT_OF_A_GUEST, "500 is not in the contract", "webinar_eject"
    ),
    "an error for a known key of a client": (
        plants.ERROR_FOR_A_KNOWN_CLIENT_KEY, "500 is not in the contract", "webinar_enter"
    ),
    "a duplicate key at a repeat": (
        plants.DUPLICATE_KEY_AT_A_REPEAT, "23505 is not in the contract", "webinar_register"
    ),
    "a conflict over the last host": (
        # PostgREST tries again and again.
        plants.CONFLICT_OVER_THE_LAST_HOST, "no answer, ReadTimeout", "webinar_grant_role"
    ),
    "a ping touches everybody": (
        plants.A_PING_TOUCHES_EVERYBODY, "wrote what is not its own", "webinar_presence_ping"
    ),
    "leaving asks for no token": (
        plants.ANY_TOKEN_ENDS_A_SESSION, "done, though the caller may not", "webinar_leave"
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_a_fault_is_seen(front: Front, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, told, function = BROKEN[fault]
    if "ReadTimeout" in told:
        monkeypatch.setattr(front, "timeout_s", 1.0)
    with planted(front.world.db, plant):
        faults = front.sweep(function) if function else front.sweep_views()
    assert re.search(told, "\n".join(faults))


def test_a_server_that_is_away_is_told_with_the_end_of_its_log(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    with httpx.Client(base_url="http://127.0.0.1:9") as nobody:
        monkeypatch.setattr(front.door, "http", nobody)
        [fault] = front.fire(Request("GET", "/webinars", caller="guest")).faults
    assert re.search(r"(?s)no answer, ConnectError.*The end of PostgREST's log:.*Listening on port", fault)
