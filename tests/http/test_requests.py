"""Requests that no good client sends: odd bodies, odd headers, too much of everything. And the limits of each role."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from tests.http.conftest import OpenDoor
from tests.support.actors import in_background, new_id
from tests.support.http_door import Caller, Door, token
from tests.support.http_scene import Scene
from tests.support.http_server import PostgREST


@pytest.fixture
def scene(door: Door) -> Scene:
    """A webinar and its people."""
    return Scene(door)


JSON = "application/json"

# A body with {webinar} in it, its content type, and status and code. "registers": 200 and one registration.
BODIES = {
    "usual": ('{"_webinar_id": "{webinar}"}', JSON, "registers"),
    "spaces": (' {"_webinar_id"\n:\t"{webinar}"} ', JSON, "registers"),
    "charset": ('{"_webinar_id": "{webinar}"}', "application/json; charset=utf-8", "registers"),
    "the-last-of-two": ('{"_webinar_id": "x", "_webinar_id": "{webinar}"}', JSON, "registers"),
    "array-of-one": ('[{"_webinar_id": "{webinar}"}]', JSON, "registers"),
    "array-of-two": ('[{"_webinar_id": "{webinar}"}, {"_webinar_id": "{webinar}"}]', JSON, "registers"),
    "form": ("_webinar_id={webinar}", "application/x-www-form-urlencoded", "registers"),
    "unknown-argument": ('{"_webinar_id": "{webinar}", "_user_id": "{webinar}"}', JSON, "404 PGRST202"),
    "without-underscore": ('{"webinar_id": "{webinar}"}', JSON, "404 PGRST202"),
    "no-argument": ("{}", JSON, "404 PGRST202"),
    "empty-array": ("[]", JSON, "404 PGRST202"),
    "null": ("null", JSON, "404 PGRST202"),
    "number": ("5", JSON, "404 PGRST202"),
    "nothing": ("", JSON, "404 PGRST202"),
    "cut-short": ('{"_webinar_id": "{webinar}"', JSON, "400 PGRST102"),
    "two-values": ('{"_webinar_id": "{webinar}"} {}', JSON, "400 PGRST102"),
    "no-uuid": ('{"_webinar_id": "x"}', JSON, "400 22P02"),
    "number-for-uuid": ('{"_webinar_id": 5}', JSON, "400 22P02"),
    "object-for-uuid": ('{"_webinar_id": {"id": "{webinar}"}}', JSON, "400 22P02"),
    "null-for-uuid": ('{"_webinar_id": null}', JSON, "400 invalid_argument"),
    "nul-for-text": ('{"_webinar_id": "{webinar}", "_registered_via": "\\u0000"}', JSON, "400 22P05"),
    "text": ('{"_webinar_id": "{webinar}"}', "text/plain", "404 PGRST202"),
    "xml": ('{"_webinar_id": "{webinar}"}', "text/xml", "404 PGRST202"),
    "bytes": ('{"_webinar_id": "{webinar}"}', "application/octet-stream", "404 PGRST202"),
    "multipart": ('{"_webinar_id": "{webinar}"}', "multipart/form-data; boundary=x", "400 PGRST102"),
    "unknown-type": ('{"_webinar_id": "{webinar}"}', "application/vnd.nonsense", "400 PGRST102"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_is_understood_or_refused(name: str, scene: Scene) -> None:
    body, content_type, expected = BODIES[name]
    caller = scene.people["stranger"]
    before = scene.door.db.contents()
    answer = scene.door.http.post(
        "/rpc/webinar_register",
        content=body.replace("{webinar}", str(scene.webinar_id)),
        headers=caller.headers() | {"Content-Type": content_type},
    )
    if expected == "registers":
        assert answer.status_code == 200
        assert answer.json()["user_id"] == str(caller.user_id)
        assert (
            scene.door.db.value("select count(*) from eventlive.registrations where user_id = %s", caller.user_id) == 1
        )
    else:
        said = answer.json()
        known = (said["details"] or "").partition(" ")[0] if said["code"].startswith("PT") else said["code"]
        assert f"{answer.status_code} {known}" == expected
        assert scene.door.db.contents() == before


def test_bytes_that_are_no_text_are_refused(scene: Scene) -> None:
    headers = scene.people["stranger"].headers() | {"Content-Type": JSON}
    answer = scene.door.http.post("/rpc/webinar_register", content=b'{"_webinar_id": "\xff\xfe"}', headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "PGRST102")


@pytest.mark.parametrize(
    ("client", "status", "code"),
    [
        pytest.param('{"agent": "' + "x" * 8_000_000 + '"}', 400, "PT400", id="megabytes"),
        pytest.param("{" + ",".join(f'"{n}": {n}' for n in range(200_000)) + "}", 400, "PT400", id="many-keys"),
        pytest.param('{"a": ' + "[" * 20_000 + "]" * 20_000 + "}", 413, "54001", id="deep"),
        pytest.param('{"a": ' + "9" * 200_000 + "}", 400, "22003", id="long-number"),
        pytest.param('"text"', 400, "PT400", id="no-object"),
    ],
)
def test_too_much_is_refused_and_stored_nowhere(client: str, status: int, code: str, scene: Scene) -> None:
    before = scene.door.db.contents()
    answer = scene.door.http.post(
        "/rpc/webinar_enter",
        content=f'{{"_webinar_id": "{scene.webinar_id}", "_session_id": "{new_id()}", "_client": {client}}}',
        headers=scene.people["attendee"].headers() | {"Content-Type": JSON},
    )
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert scene.door.db.contents() == before


@pytest.mark.parametrize("query", ["slug=eq.%C3", "%FF=eq.x", "select=%80", "slug=eq.x&\u00e9=%E9"])
def test_a_query_string_that_is_no_text_reaches_nothing(query: str, scene: Scene) -> None:
    """PostgREST 12.0 answers 500 by itself: told in the document, and nothing of this package's doing."""
    before = scene.door.db.contents()
    for caller in scene.people.values():
        for path in ("/webinars", "/rpc/webinar_client_settings"):
            for method in ("GET", "POST"):
                answer = scene.door.http.request(method, f"{path}?{query}", headers=caller.headers())
                assert (answer.status_code, answer.text) == (500, "Something went wrong")
    assert scene.door.db.contents() == before


def test_a_caller_cannot_have_a_call_rolled_back(scene: Scene) -> None:
    """A client that could would be told that it is registered when it is not."""
    answer = scene.door.http.post(
        "/rpc/webinar_register",
        json={"_webinar_id": str(scene.webinar_id)},
        headers=scene.people["stranger"].headers() | {"Prefer": "tx=rollback"},
    )
    assert answer.status_code == 200
    assert "tx=rollback" not in answer.headers.get("Preference-Applied", "")
    user_id = scene.people["stranger"].user_id
    assert scene.door.db.value("select count(*) from eventlive.registrations where user_id = %s", user_id) == 1


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/png"])
def test_an_answer_in_another_form_is_refused_before_the_call(accept: str, scene: Scene) -> None:
    before = scene.door.db.contents()
    answer = scene.door.http.post(
        "/rpc/webinar_register",
        json={"_webinar_id": str(scene.webinar_id)},
        headers=scene.people["stranger"].headers() | {"Accept": accept},
    )
    assert (answer.status_code, answer.json()["code"]) == (415, "PGRST107")
    assert scene.door.db.contents() == before


def test_each_role_has_the_statement_timeout_of_the_document(another_door: OpenDoor) -> None:
    """Told by a function that comes after PostgREST has started: it is found once the schema cache was reloaded."""
    with another_door() as door:
        callers = [Caller("anon"), door.user(), Caller("service", token("service_role"))]
        assert door.call("limit_of_mine", callers[0]).code == "PGRST202"
        door.db.admin.execute(
            "create function eventlive_api.limit_of_mine() returns text language sql stable"
            " as $$ select current_setting('statement_timeout') $$"
        )
        door.db.admin.execute("grant execute on function eventlive_api.limit_of_mine() to public")
        door.db.admin.execute("notify pgrst, 'reload schema'")
        for _ in range(600):
            if not door.call("limit_of_mine", callers[0]).code:
                break
            time.sleep(0.05)
        assert [door.call("limit_of_mine", caller).data for caller in callers] == ["3s", "5s", "30s"]


@contextmanager
def held(door: Door, webinar_id: UUID) -> Iterator[None]:
    """Hold the lock that entering a webinar and changing its status wait for."""
    with door.db.connect() as holder:
        holder.execute("select pg_advisory_lock(eventlive.webinar_lock_key(%s))", [webinar_id])
        yield
        holder.execute("select pg_advisory_unlock_all()")


def test_a_statement_that_takes_too_long_is_ended(scene: Scene) -> None:
    before = scene.door.db.contents()
    with held(scene.door, scene.webinar_id):
        guest = scene.people["anon"]
        answer = scene.door.call("webinar_enter", guest, webinar_id=scene.webinar_id, session_id=new_id())
    assert (answer.status, answer.code) == (500, "57014")
    assert scene.door.db.contents() == before


def test_a_request_that_finds_no_connection_is_told_so(another_door: OpenDoor) -> None:
    with another_door({"db-pool": 1, "db-pool-acquisition-timeout": 1}) as door:
        webinar_id, service = door.db.webinar(), Caller("service", token("service_role"))
        with held(door, webinar_id):
            waiting = in_background(
                lambda: door.call("webinar_set_status", service, webinar_id=webinar_id, status="ended")
            )
            wait_for_waiter(door)
            answer = door.call("webinar_client_settings", service, webinar_id=webinar_id)
            assert (answer.status, answer.code) == (504, "PGRST003")
        assert waiting.result().status == 200


def wait_for_waiter(door: Door) -> None:
    """Wait until somebody waits for a lock."""
    for _ in range(1000):
        if door.db.value("select count(*) from pg_locks where locktype = 'advisory' and not granted"):
            return
        time.sleep(0.01)
    pytest.fail("nobody waits for the lock")


_HOLDER = """
import sys, time
from tests.support.http_server import running
with running(open(sys.argv[1]).read()) as server:
    print(server.pid, flush=True)
    time.sleep(600)
"""


def test_postgrest_ends_with_its_program(configured: object, migrated: str, tmp_path: Path) -> None:
    config = tmp_path / "postgrest.conf"
    config.write_text(configured(migrated))  # type: ignore[operator]
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", _HOLDER, str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as holder:
        assert holder.stdout
        pid = int(holder.stdout.readline())
        os.kill(pid, 0)
        holder.send_signal(signal.SIGKILL)
    for _ in range(1000):
        if is_gone(pid):
            return
        time.sleep(0.02)
    pytest.fail("PostgREST outlived the program that started it")


def is_gone(pid: int) -> bool:
    """Whether a process has ended, be it that nobody has asked for its status yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_server_without_its_database_says_so_and_comes_back(another_door: OpenDoor) -> None:
    """503 is what a client may repeat; anything else it may not."""
    with another_door() as door:
        door.db.admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
        statuses = {door.call("webinar_client_settings", Caller("anon"), webinar_id=new_id()).status for _ in range(20)}
        assert statuses <= {404, 503}
        assert wait_until_ready(door.server)
        assert door.call("webinar_client_settings", Caller("anon"), webinar_id=new_id()).status == 404


def wait_until_ready(server: PostgREST) -> bool:
    """Wait until a server that lost its database has found it again."""
    for _ in range(600):
        if server.is_ready():
            return True
        time.sleep(0.05)
    return False
