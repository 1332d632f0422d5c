"""Every function, called by everybody through each of three clients: what the contract says is what they get."""

from __future__ import annotations

from typing import Any, Protocol

import pytest

from tests.support.http_door import CALLERS, Answer, Caller, Door
from tests.support.http_driver import Supabase
from tests.support.http_python import PythonClient
from tests.support.http_scene import REPLIES, STABLE, Scene
from tests.support.tables import read_table

MAY_CALL = read_table("""
function                    anon   stranger        attendee     host         admin           service
webinar_register            42501  200             200          200          200             42501
webinar_enter               200    200             200          200          200             42501
webinar_presence_ping       42501  not_registered  204          204          not_registered  42501
webinar_session_heartbeat   200    200             200          200          200             42501
webinar_leave               204    204             204          204          204             42501
webinar_client_settings     200    200             200          200          200             200
webinar_messages_poll       200    200             200          200          200             200
webinar_message_post        42501  not_registered  200          200          not_registered  42501
pre_request                 204    204             204          204          204             204
webinar_presence_ping_many  42501  42501           42501        42501        42501           200
webinar_create              42501  not_allowed     not_allowed  not_allowed  200             200
webinar_configure           42501  not_allowed     not_allowed  200          200             200
webinar_set_status          42501  not_allowed     not_allowed  200          200             200
webinar_grant_role          42501  not_allowed     not_allowed  200          200             200
webinar_allow_emails        42501  not_allowed     not_allowed  200          200             200
webinar_eject               42501  not_allowed     not_allowed  200          200             200
webinar_message_hide        42501  not_allowed     not_allowed  200          200             200
webinar_stats_access        42501  not_allowed     not_allowed  200          200             200
webinar_participants        42501  not_allowed     not_allowed  200          200             200
""")


# A query string has no objects, only texts; a repeated registration writes nothing.
ALSO_ON_GET = {"webinar_configure": {"400 invalid_argument"}, "webinar_register": {"200"}}


class Client(Protocol):
    """One of the ways to call."""

    def call(self, function: str, caller: Caller, /, **arguments: object) -> Answer:
        """Call a function."""


@pytest.fixture(params=["httpx", "supabase-js", "postgrest-py"])
def client(request: pytest.FixtureRequest, door: Door) -> Client:
    """A client, made only where it is asked for."""
    if request.param == "httpx":
        return door
    name = "supabase" if request.param == "supabase-js" else "python_client"
    found: Supabase | PythonClient = request.getfixturevalue(name)
    return found


def test_the_table_has_every_function(door: Door) -> None:
    exposed = door.db.rows("select proname from pg_proc where pronamespace = 'eventlive_api'::regnamespace")
    assert set(MAY_CALL) == set(REPLIES) == {name for (name,) in exposed}


@pytest.mark.parametrize("function", MAY_CALL)
def test_everybody_gets_what_the_contract_says(function: str, client: Client, door: Door) -> None:
    observed = {}
    for name in CALLERS:
        scene = Scene(door)
        caller = scene.people[name]
        answer = client.call(function, caller, **scene.arguments(function, caller))
        void = REPLIES[function] is None
        observed[name] = answer.token or answer.code or ("204" if void else "200")
        check_status(answer, observed[name], caller)
        if not answer.code:
            assert answer.data in ([], None) if void else set(answer.data) >= (REPLIES[function] or set())
    assert observed == MAY_CALL[function]


def check_status(answer: Answer, expected: str, caller: Caller) -> None:
    """Whether status and reason phrase are those of what was said, where the client tells them."""
    if answer.status is None:
        return
    if answer.token:
        assert answer.code == f"PT{answer.status}"
        assert answer.reason == answer.message
    elif answer.code == "42501":
        assert answer.status == (401 if caller.name == "anon" else 403)
    else:
        assert answer.status == int(expected)


@pytest.mark.parametrize("function", MAY_CALL)
def test_reading_never_writes(function: str, door: Door) -> None:
    """GET and HEAD run read-only: a function that may write is refused, also to those who may call it."""
    for name in CALLERS:
        scene = Scene(door)
        caller = scene.people[name]
        arguments = scene.arguments(function, caller)
        query = {f"_{key}": in_url(value) for key, value in arguments.items()}
        before = door.db.contents()
        got, head = (
            door.http.request(method, f"/rpc/{function}", params=query, headers=caller.headers())
            for method in ("GET", "HEAD")
        )
        # Of what a function that only reads returns, HEAD needs nothing, and Postgres leaves the call out: nobody is
        # refused, and nobody is told anything.
        assert head.status_code == got.status_code or (function in STABLE and head.status_code == 200)
        assert head.content == b""
        assert door.db.contents() == before
        expected = MAY_CALL[function][name]
        if expected == "42501":
            allowed = {"401 42501" if name == "anon" else "403 42501"}
        elif function in STABLE:
            allowed = {expected if expected.isdecimal() else f"403 {expected}"}
        else:
            # Read-only; but a refusal of the contract, or all of a repeated registration, may come before a write.
            allowed = {"405 25006", f"403 {expected}", *ALSO_ON_GET.get(function, set())}
        assert Answer.of(got).said() in allowed


def test_a_dashboard_reads_by_get_page_after_page(door: Door) -> None:
    scene = Scene(door)
    host = scene.people["host"]
    present = [door.user() for _ in range(3)]
    for caller in present:
        scene.enter(caller)
    door.db.admin.execute("call eventlive.run_job('rollup_live')")

    def get(function: str, **query: object) -> Any:
        parameters = {f"_{name}": in_url(value) for name, value in query.items()}
        response = door.http.get(f"/rpc/{function}", params=parameters, headers=host.headers())
        assert response.status_code == 200
        return response.json()

    stats = get("webinar_stats_access", webinar_id=scene.webinar_id)
    assert (stats["current_participants"], len(stats["timeline"])) == (3, 1)
    again = get("webinar_stats_access", webinar_id=scene.webinar_id, since=stats["timeline"][0]["time_bucket"])
    assert again["timeline"] == stats["timeline"]
    assert get("webinar_stats_access", webinar_id=scene.webinar_id, since=stats["as_of"])["timeline"] == []
    page = get("webinar_participants", webinar_id=scene.webinar_id, limit=2)
    rest = get("webinar_participants", webinar_id=scene.webinar_id, limit=2, after=page["cursor"])
    assert (page["more"], rest["more"]) == (True, False)
    found = [one["user_id"] for one in (*page["participants"], *rest["participants"])]
    assert found == sorted(str(door.id_of(caller)) for caller in present)


def in_url(value: object) -> str:
    """A value as a query string has it: arrays in Postgres's form."""
    if isinstance(value, list):
        return "{" + ",".join(map(str, value)) + "}"
    return "{}" if isinstance(value, dict) else str(value)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "BREW"])
def test_a_function_takes_no_other_method(method: str, door: Door) -> None:
    scene = Scene(door)
    before = door.db.contents()
    for function in MAY_CALL:
        response = door.http.request(method, f"/rpc/{function}", headers=scene.people["service"].headers())
        assert response.status_code == 405
    assert door.db.contents() == before


def test_supabase_js_may_read_and_filter_and_is_told_how_many(supabase: Supabase, door: Door) -> None:
    scene = Scene(door)
    steps = (["from", "registrations"], ["select", "role"], ["eq", "webinar_id", scene.webinar_id], ["order", "role"])
    answer = supabase.run(scene.people["host"], *steps)
    assert [row["role"] for row in answer.data] == ["attendee", "attendee", "host"]
    assert supabase.run(scene.people["stranger"], *steps).data == []


def test_many_tabs_of_supabase_js_at_once(supabase: Supabase, door: Door) -> None:
    scene = Scene(door)
    users = [door.user() for _ in range(20)]
    call = ["rpc", "webinar_register", {"_webinar_id": scene.webinar_id}]
    answers = supabase.run_all([(user, [call]) for user in users * 2])
    assert {answer.status for answer in answers} == {200}
    assert sum(answer.data["created"] for answer in answers) == 20
