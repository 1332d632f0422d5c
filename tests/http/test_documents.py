"""What docs/postgrest.md and docs/supabase.md show is what runs: SQL in Postgres, config in PostgREST.

The JavaScript is run by ``test_pages.py``. The set-up of docs/postgrest.md is that of all these tests: ``conftest.py``
reads it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from eventlive_db.migrate import Options, downgrade, upgrade
from eventlive_db.migrate.errors import StatementError
from tests.http.conftest import CLIENT_ROLES, DOCUMENT, Changes, OpenDoor
from tests.support.actors import new_id
from tests.support.http_door import Answer, Caller, Door, token
from tests.support.http_page import SUPABASE, blocks
from tests.support.http_scene import Scene
from tests.support.http_server import SECRET, snippet


def test_all_blocks_are_known_here() -> None:
    assert [len(blocks(DOCUMENT, language)) for language in ("sql", "ini", "js", "sh")] == [3, 1, 1, 0]
    assert [len(blocks(SUPABASE, language)) for language in ("sql", "ini", "js", "sh")] == [7, 0, 5, 2]


@pytest.mark.parametrize(("document", "number"), [(DOCUMENT, 1), (SUPABASE, 4)])
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


def wait_for(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    for _ in range(600):
        if holds():
            return
        time.sleep(0.05)
    pytest.fail("it does not come true")


HERE = {"Content-Profile": "eventlive_api", "Accept-Profile": "eventlive_api"}
AS_SUPABASE: Changes = {"db-schemas": "public", "db-pre-request": None, "db-extra-search-path": None}
"""It starts on the schema public, as Supabase's does, and has no pre-request."""


@contextmanager
def altering(role: str, door: Door) -> Iterator[Callable[[int], object]]:
    """Run a script of the page for the role that is the authenticator here; its settings are gone afterwards."""
    try:
        yield lambda number: door.db.admin.execute(
            snippet(SUPABASE, "sql", number).replace("authenticator", role).encode()
        )
    finally:
        door.db.admin.execute(f'alter role "{role}" reset all'.encode())


def settings_of(door: Door, webinar: UUID, **claims: object) -> Answer:
    """Ask for the settings of a webinar in our schema."""
    headers = HERE | ({"Authorization": f"Bearer {token('authenticated', None, **claims)}"} if claims else {})
    return Answer.of(
        door.http.post("/rpc/webinar_client_settings", json={"_webinar_id": str(webinar)}, headers=headers)
    )


def test_a_postgrest_that_supabase_runs_is_told_in_sql(another_door: OpenDoor, authenticator: tuple[str, str]) -> None:
    role, _ = authenticator
    with another_door(AS_SUPABASE) as door, altering(role, door) as run:
        webinar = door.db.webinar(access_policy="guest_allowed")
        assert settings_of(door, webinar).code == "PGRST106"
        run(1)
        wait_for(lambda: settings_of(door, webinar).status == 200)
        body = {"_webinar_id": str(webinar)}
        assert door.http.post("/rpc/webinar_client_settings", json=body).status_code == 404
        assert settings_of(door, webinar, sub=str(new_id()), exp=None).token == "token_not_accepted"
        # The page says it of each project with tokens of another service, and of those that step back.
        elsewhere = {"Authorization": f"Bearer {token('authenticated', None, sub='auth0|1')}"}
        assert door.http.get("/", headers=elsewhere).status_code == 401
        asked = snippet(SUPABASE, "sql", 0).replace("authenticator", role)
        assert ("pgrst.db_pre_request=eventlive_api.pre_request",) in door.db.rows(asked)
        downgrade(Options(door.db.dsn, discard_data=True), "0006")
        wait_for(lambda: door.http.get("/").status_code == 404)
        run(3)
        wait_for(lambda: door.http.get("/").status_code == 200)


def test_a_pre_request_of_ones_own_calls_both(another_door: OpenDoor, authenticator: tuple[str, str]) -> None:
    role, _ = authenticator
    with another_door(AS_SUPABASE) as door, altering(role, door) as run:
        webinar = door.db.webinar(access_policy="guest_allowed")
        door.db.admin.execute(
            "create function public.check_request() returns void language plpgsql as $$ begin"
            " if current_setting('request.headers')::json ->> 'x-refuse' is not null then"
            " raise sqlstate 'PT418' using message = 'By the one before'; end if; end $$;"
            "create function public.mine() returns integer language sql as 'select 1'"
        )
        run(1)
        wait_for(lambda: settings_of(door, webinar, sub="auth0|1").token == "invalid_claims")
        run(2)
        elsewhere = {"Authorization": f"Bearer {token('authenticated', None, sub='auth0|1')}"}
        refused = elsewhere | {"X-Refuse": "1"}
        wait_for(lambda: door.http.post("/rpc/mine", json={}, headers=refused).status_code == 418)
        assert door.http.post("/rpc/mine", json={}, headers=elsewhere).json() == 1
        assert door.http.get("/webinars", headers=HERE | {"X-Refuse": "1"}).status_code == 418
        assert door.http.get("/webinars", headers=HERE | elsewhere).status_code == 401
        assert door.http.get("/", headers=HERE | elsewhere).status_code == 401
        assert settings_of(door, webinar).status == 200
        assert settings_of(door, webinar, sub=str(new_id()), is_anonymous=False).status == 200
        anonymous = settings_of(door, webinar, sub=str(new_id()), is_anonymous=True)
        assert (anonymous.status, anonymous.token) == (403, "guests_not_allowed")


def test_parameters_of_postgrest_are_set_by_a_superuser_or_whom_he_grants_it(empty_database: str) -> None:
    migrator, role, password = f"migrator_{new_id().hex[:12]}", f"authenticator_{new_id().hex[:12]}", new_id().hex
    script = snippet(SUPABASE, "sql", 1).replace("authenticator", role)
    parameters = ", ".join(f'"{name}"' for name in re.findall(r"pgrst\.\w+", script))
    with psycopg.connect(empty_database, autocommit=True) as admin:
        admin.execute(f"create role {migrator} login createrole password '{password}'".encode())
        try:
            with psycopg.connect(make_conninfo(empty_database, user=migrator, password=password)) as editor:
                editor.execute(f"create role {role}".encode())
                editor.commit()
                with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied to set parameter"):
                    editor.execute(script.encode())
                editor.rollback()
                admin.execute(f"grant set on parameter {parameters} to {migrator}".encode())
                editor.execute(script.encode())
        finally:
            admin.execute(f"revoke set on parameter {parameters} from {migrator}".encode())
            admin.execute(f"drop role if exists {role}".encode())
            admin.execute(f"drop role {migrator}".encode())


def test_after_the_settings_of_tokens_a_step_back_has_to_be_told_that_they_may_go(empty_database: str) -> None:
    """The README says so; its ``migrate down 0004`` is that of somebody who has not set them."""
    upgrade(Options(empty_database))
    with psycopg.connect(empty_database, autocommit=True) as admin:
        admin.execute(snippet(SUPABASE, "sql", 4).encode())
    with pytest.raises(StatementError, match="settings that hold data"):
        downgrade(Options(empty_database), "0004")
    downgrade(Options(empty_database, discard_data=True), "0004")


def enters(door: Door, webinar: UUID, **claims: object) -> str:
    """What somebody with an address is told who enters."""
    return door.call("webinar_enter", door.user(**claims), webinar_id=webinar, session_id=new_id()).said()


@pytest.mark.parametrize("access_policy", ["invite_only", "email_auth"])
def test_an_address_in_a_token_of_supabase_counts_once_the_claim_is_not_asked_for(
    access_policy: str, door: Door
) -> None:
    webinar = door.db.webinar(access_policy=access_policy)
    door.db.allow_email(webinar, "a@b.example")
    claims: dict[str, object] = {"email": "a@b.example", "user_metadata": {"email_verified": True}}
    assert enters(door, webinar, **claims) == "403 email_not_verified"
    door.db.admin.execute(snippet(SUPABASE, "sql", 5).encode())
    assert enters(door, webinar, **claims) == "200"
    # An anonymous sign-in has none.
    assert enters(door, webinar, email="", is_anonymous=True).startswith("403")


def test_under_auth_an_anonymous_sign_in_is_signed_in(door: Door) -> None:
    assert enters(door, door.db.webinar(access_policy="auth"), email="", is_anonymous=True) == "200"


def test_a_hook_adds_the_claim_for_addresses_that_are_confirmed(another_door: OpenDoor) -> None:
    auth_admin = f"auth_admin_{new_id().hex[:12]}"
    people = {"confirmed": new_id(), "unconfirmed": new_id(), "changed": new_id()}
    with another_door() as door:
        webinar = door.db.webinar(access_policy="email_auth")
        door.db.allow_email(webinar, "a@b.example")
        admin = door.db.admin
        # Of Supabase's schema, what the hook reads, owned as it is there.
        admin.execute(
            f"create role {auth_admin}; create schema auth authorization {auth_admin};"
            " create table auth.users (id uuid, email varchar(255), email_confirmed_at timestamptz);"
            f" alter table auth.users owner to {auth_admin}".encode()
        )
        try:
            for name, user_id in people.items():
                email = "z@b.example" if name == "changed" else "a@b.example"
                confirmed = "now()" if name != "unconfirmed" else "null"
                admin.execute(f"insert into auth.users values (%s, %s, {confirmed})".encode(), [user_id, email])
            admin.execute(snippet(SUPABASE, "sql", 6).replace("supabase_auth_admin", auth_admin).encode())
            told = {}
            for name, user_id in people.items():
                claims = {"email": "a@b.example", "aal": "aal1"}
                with admin.transaction():
                    admin.execute(f"set local role {auth_admin}".encode())
                    event = Jsonb({"user_id": str(user_id), "claims": claims})
                    found = door.db.value("select public.add_email_verified(%s)", event)
                assert found["claims"] == {**claims, "email_verified": name == "confirmed"}
                told[name] = enters(door, webinar, **found["claims"])
            refused = "403 email_not_verified"
            assert told == {"confirmed": "200", "unconfirmed": refused, "changed": refused}
            callers = door.db.rows(
                "select has_function_privilege(rolname, 'public.add_email_verified(jsonb)', 'execute')"
                " from pg_roles where rolname = any (%s)",
                list(CLIENT_ROLES[:2]),
            )
            assert callers == [(False,), (False,)]
        finally:
            admin.execute(f"drop owned by {auth_admin} cascade; drop role {auth_admin}".encode())


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


def test_who_asks_for_no_row_is_told_of_a_success_that_is_none(door: Door) -> None:
    scene = Scene(door)
    stranger, body = scene.people["stranger"], {"_webinar_id": str(scene.webinar_id)}
    before = door.db.contents()
    register, ping = (
        door.http.post(f"/rpc/{function}?limit=0", json=body, headers=stranger.headers())
        for function in ("webinar_register", "webinar_presence_ping")
    )
    assert (register.status_code, register.json(), ping.status_code) == (200, None, 204)
    unknown = f"{door.server.url}/rpc/webinar_client_settings?_webinar_id={new_id()}"
    assert (httpx.get(unknown).status_code, httpx.head(unknown).status_code) == (404, 200)
    assert door.db.contents() == before


def test_a_page_of_another_origin_is_told_in_details_when_to_come_back(door: Door) -> None:
    webinar = door.db.webinar(duplicate_login_policy="allow", settings={"max_open_sessions_per_user": 1})
    user = door.user()
    body = {"_webinar_id": str(webinar)}
    for _ in range(2):
        answer = door.http.post(
            "/rpc/webinar_enter",
            json=body | {"_session_id": str(new_id())},
            headers=user.headers() | {"Origin": "https://page.example"},
        )
    assert answer.status_code == 429
    assert answer.headers["Retry-After"]
    assert "retry-after" not in answer.headers["Access-Control-Expose-Headers"].lower()
    assert Answer.of(answer).payload["retry_after_s"] > 0


def test_geojson_needs_postgis(door: Door) -> None:
    answer = door.get("/registrations", door.user(), Accept="application/geo+json")
    assert (answer.status_code, answer.json()["code"]) == (404, "42883")
    assert "`42883`" in DOCUMENT.read_text()


def test_the_secret_of_the_document_is_not_that_of_the_tests() -> None:
    assert SECRET not in DOCUMENT.read_text()
