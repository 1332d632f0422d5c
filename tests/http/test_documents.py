"""What docs/postgrest.md and docs/supabase.md show is what runs: SQL in Postgres, config in PostgREST, JavaScript in
Node.

The set-up of docs/postgrest.md is that of all these tests: ``conftest.py`` reads it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.http.conftest import CLIENT_ROLES, DOCUMENT, OpenDoor, have
from tests.support import http_parts
from tests.support.actors import new_id
from tests.support.http_door import Caller, Door, token
from tests.support.http_driver import Supabase
from tests.support.http_scene import Scene
from tests.support.http_server import SECRET, snippet

SUPABASE = DOCUMENT.with_name("supabase.md")


def blocks(document: Path, language: str) -> list[str]:
    """All fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", document.read_text(), re.M | re.S)


def test_all_blocks_are_known_here() -> None:
    assert [len(blocks(DOCUMENT, language)) for language in ("sql", "ini", "js", "sh")] == [3, 1, 1, 0]
    assert [len(blocks(SUPABASE, language)) for language in ("sql", "ini", "js", "sh")] == [2, 0, 5, 2]


@pytest.mark.parametrize(("document", "number"), [(DOCUMENT, 1), (SUPABASE, 1)])
def test_the_settings_of_tokens_are_set(document: Path, number: int, door: Door) -> None:
    script = snippet(document, "sql", number)
    door.db.admin.execute(script.encode())
    asked = dict(re.findall(r"set_setting\('(\w+)', '\"(.*)\"'\)", script))
    stored = dict(door.db.rows("select key, value #>> '{}' from eventlive.settings where key = any (%s)", list(asked)))
    assert stored == asked
    assert asked


def test_the_schema_is_read_anew(another_door: OpenDoor) -> None:
    with another_door() as door:
        door.db.admin.execute("create function eventlive_api.one() returns integer language sql stable return 1")
        door.db.admin.execute(snippet(DOCUMENT, "sql", 2).encode())
        wait_for(lambda: door.call("one", Caller("anon")).data == 1)


def wait_for(holds: object) -> None:
    """Wait until something holds."""
    for _ in range(600):
        if holds():  # type: ignore[operator]
            return
        time.sleep(0.05)
    pytest.fail("it does not come true")


def test_a_postgrest_that_supabase_runs_is_told_in_sql(another_door: OpenDoor, authenticator: tuple[str, str]) -> None:
    """It starts on the schema public, as Supabase's does, and has no pre-request."""
    script = snippet(SUPABASE, "sql").replace("authenticator", authenticator[0])
    as_supabase: dict[str, str | int | bool | None] = {
        "db-schemas": "public",
        "db-pre-request": None,
        "db-extra-search-path": None,
    }
    here = {"Content-Profile": "eventlive_api"}
    without_exp = here | {"Authorization": f"Bearer {token('authenticated', new_id(), exp=None)}"}
    with another_door(as_supabase) as door:
        path, body = (
            "/rpc/webinar_client_settings",
            {"_webinar_id": str(door.db.webinar(access_policy="guest_allowed"))},
        )
        assert door.http.post(path, json=body, headers=here).status_code == 406
        try:
            door.db.admin.execute(script.encode())
            wait_for(lambda: door.http.post(path, json=body, headers=here).status_code == 200)
            assert door.http.post(path, json=body).status_code == 404
            assert (
                door.http.post(path, json=body, headers=without_exp).json()["details"].startswith("token_not_accepted")
            )
        finally:
            for setting in ("db_schemas", "db_pre_request"):
                door.db.admin.execute(f'alter role "{authenticator[0]}" reset pgrst.{setting}'.encode())


def test_the_script_runs_in_an_editor_as_somebody_who_is_no_superuser(empty_database: str) -> None:
    """The editor sends it in one piece."""
    command = [sys.executable, "-m", "eventlive_db", "migrate", "sql", "--owner"]
    migrator = f"migrator_{new_id().hex[:12]}"
    script = subprocess.run([*command, migrator], capture_output=True, check=True).stdout
    with psycopg.connect(empty_database, autocommit=True) as admin:
        for role in CLIENT_ROLES:
            if admin.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone() is None:
                admin.execute(f"create role {role} nologin".encode())
        name, password = admin.info.dbname, new_id().hex
        admin.execute(f"create role {migrator} login createrole bypassrls password '{password}'".encode())
        admin.execute(f"alter database {name} owner to {migrator}".encode())
        try:
            with psycopg.connect(make_conninfo(empty_database, user=migrator, password=password)) as editor:
                editor.execute(script)
            found = admin.execute("select count(*) from pg_proc where pronamespace = 'eventlive_api'::regnamespace")
            assert (found.fetchone() or [0])[0] > 10
        finally:
            admin.execute(f"alter database {name} owner to current_user".encode())
            admin.execute(f"reassign owned by {migrator} to current_user".encode())
            admin.execute(f"drop owned by {migrator}".encode())
            admin.execute(f"drop role {migrator}".encode())


def under_node(program: str, folder: Path, **constants: object) -> str:
    """Run a program of a page under Node, and return what it prints."""
    have(http_parts.node)
    have(http_parts.supabase_js)
    (folder / "node_modules").symlink_to(http_parts.PACKAGES)
    given = "".join(f"const {name} = {json.dumps(value, default=str)}\n" for name, value in constants.items())
    # Of a browser, what Node does not have. A beacon is a request without headers of the page's own.
    browser = """
        const sent = []
        globalThis.confirm = () => true
        navigator.sendBeacon = (url, body) => sent.push(fetch(url, { method: 'POST', body })) > 0
    """
    end = "\nfor (const answer of sent) console.log((await answer).status)\nprocess.exit(0)\n"
    file = folder / "page.mjs"
    file.write_text(f"{given}{browser}{program}{end}")
    done = subprocess.run([http_parts.node(), file], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_of_supabase_enters_beats_leaves_and_reads(door: Door, supabase: Supabase, tmp_path: Path) -> None:
    scene = Scene(door)
    attendee = scene.people["attendee"]
    door.db.admin.execute(
        "update eventlive.webinars set duplicate_login_policy = 'ask' where id = %s", [scene.webinar_id]
    )
    scene.enter(attendee)
    # Several blocks declare the same names, as several functions of a page would.
    first, *others = blocks(SUPABASE, "js")
    program = first + "".join(
        block if "async function" in block or "const answer" in block else f"{{\n{block}}}\n" for block in others
    )
    printed = under_node(
        program, tmp_path, url=supabase.url, key=supabase.key, token=attendee.token, webinar=scene.webinar_id
    )
    assert printed.splitlines() == re.findall(r"console\.log\(.*\) // (.+)$", program, re.M)
    sessions = door.db.rows(
        "select exit_reason from eventlive.webinar_user_sessions where webinar_id = %s order by 1", scene.webinar_id
    )
    assert sessions == [("left",), ("replaced",)]


def test_a_page_leaves_by_a_beacon(door: Door, tmp_path: Path) -> None:
    scene = Scene(door)
    session_id, leave_token = scene.enter(scene.people["attendee"])
    names = {"url": door.server.url, "webinar": scene.webinar_id, "session": session_id, "leaveToken": leave_token}
    assert under_node(snippet(DOCUMENT, "js"), tmp_path, **names) == "204\n"
    query = "select exit_reason from eventlive.webinar_user_sessions where session_id = %s"
    assert door.db.value(query, session_id) == "left"


def test_the_secret_of_the_document_is_not_that_of_the_tests() -> None:
    assert SECRET not in DOCUMENT.read_text()
