"""What is not exposed cannot be named: tables and functions behind the exposed schema, columns that do not exist."""

from __future__ import annotations

import pytest

from tests.support.http_door import CALLERS, Door
from tests.support.http_scene import Scene

PRIVATE_TABLES = (
    "settings",
    "webinar_live",
    "webinar_access_logs",
    "webinar_messages",
    "webinar_message_feeds",
    "jobs",
    "job_runs",
)


@pytest.fixture
def scene(door: Door) -> Scene:
    """A webinar and its people."""
    return Scene(door)


def exposed(door: Door) -> tuple[set[str], set[str]]:
    """The views and the functions of the exposed schema."""
    views = door.db.rows("select relname from pg_class where relnamespace = 'eventlive_api'::regnamespace")
    functions = door.db.rows("select proname from pg_proc where pronamespace = 'eventlive_api'::regnamespace")
    return {name for (name,) in views}, {name for (name,) in functions}


def test_a_column_that_does_not_exist_is_400_and_reads_nothing(scene: Scene) -> None:
    for path in ("/registrations?select=id", "/registrations?id=eq.1", "/registrations?order=id"):
        answer = scene.door.get(path, scene.people["attendee"])
        assert (answer.status_code, answer.json()["code"]) == (400, "42703")


@pytest.mark.parametrize(
    "path",
    ["/webinar_user_sessions?select=leave_token", "/webinar_user_sessions?select=client", "/webinars?select=settings"],
)
def test_a_column_that_a_view_leaves_out_is_unknown(path: str, scene: Scene) -> None:
    for caller in scene.people.values():
        assert scene.door.get(path, caller).json()["code"] == "42703"


@pytest.mark.parametrize("table", [*PRIVATE_TABLES, "pg_authid", "eventlive.settings", "alembic_version"])
def test_a_private_table_is_unknown(table: str, scene: Scene) -> None:
    for caller in scene.people.values():
        for method in ("GET", "POST", "PATCH", "DELETE"):
            answer = scene.door.http.request(method, f"/{table}", json={"key": "x"}, headers=caller.headers())
            # A write finds no columns and says no more; the others ask the database.
            assert (answer.status_code, answer.json().get("code")) in {(404, "42P01"), (404, None)}, answer.text


@pytest.mark.parametrize("profile", ["eventlive", "public", "pg_catalog", "information_schema", ""])
def test_no_header_leads_to_another_schema(profile: str, scene: Scene) -> None:
    for caller in scene.people.values():
        headers = caller.headers() | {"Accept-Profile": profile, "Content-Profile": profile}
        for method, path in (
            ("GET", "/registrations"),
            ("GET", "/"),
            ("POST", "/rpc/is_service"),
            ("PATCH", "/settings"),
        ):
            answer = scene.door.http.request(method, path, json={}, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (406, "PGRST106")


def test_a_private_function_is_unknown(scene: Scene) -> None:
    _, functions = exposed(scene.door)
    private = {
        name
        for (name,) in scene.door.db.rows("select proname from pg_proc where pronamespace = 'eventlive'::regnamespace")
    } - functions
    assert len(private) > 20
    for name in sorted(private):
        for path in (f"/rpc/{name}", f"/rpc/eventlive.{name}"):
            answer = scene.door.http.post(path, json={}, headers=scene.people["service"].headers())
            assert (answer.status_code, answer.json()["code"]) == (404, "PGRST202")


def test_embedding_shows_no_more_than_the_views_themselves(scene: Scene) -> None:
    """Only the two simple views of which one refers to the other can be embedded, and each keeps its row security."""
    views, _ = exposed(scene.door)
    db, get = scene.door.db, scene.door.get
    db.allow_email(scene.webinar_id, "secret@b.example")
    for caller in scene.people.values():
        for outer in views:
            for inner in views | set(PRIVATE_TABLES):
                answer = get(f"/{outer}?select=*,{inner}(*)", caller)
                if {outer, inner} != {"webinars", "webinar_allowed_emails"}:
                    assert (answer.status_code, answer.json()["code"]) == (400, "PGRST200"), answer.text
                elif caller.name == "anon":
                    assert (answer.status_code, answer.json()["code"]) == (401, "42501")
                elif caller.name in {"stranger", "attendee"}:
                    assert answer.status_code == 200
                    assert "secret@b.example" not in answer.text
    assert "secret@b.example" in get("/webinars?select=*,webinar_allowed_emails(*)", scene.people["host"]).text


def test_a_function_embeds_nothing(scene: Scene) -> None:
    path = "/rpc/webinar_client_settings?select=*,webinars(*)"
    answer = scene.door.http.post(path, json={"_webinar_id": str(scene.webinar_id)})
    assert (answer.status_code, answer.json()["code"]) == (400, "PGRST200")


MAY_SEE = {
    "anon": ({"webinars"}, 6),
    "attendee": (
        {
            "webinars",
            "registrations",
            "webinar_user_sessions",
            "webinar_live_presence",
            "webinar_allowed_emails",
            "event_access_logs",
            "profiles",
        },
        18,
    ),
}


@pytest.mark.parametrize("name", MAY_SEE)
def test_the_description_lists_what_the_caller_may_use_and_nothing_private(name: str, scene: Scene) -> None:
    answer = scene.door.get("/", scene.people[name])
    described = answer.json()
    views, number = MAY_SEE[name]
    paths = {path.strip("/") for path in described["paths"]} - {""}
    assert {path for path in paths if not path.startswith("rpc/")} == views
    assert {path.removeprefix("rpc/") for path in paths - views} <= exposed(scene.door)[1]
    assert len(paths - views) == number
    assert set(described["definitions"]) == views
    for view, definition in described["definitions"].items():
        columns = scene.door.db.rows(
            "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0", f"eventlive_api.{view}"
        )
        assert set(definition["properties"]) == {name for (name,) in columns}


def test_a_plan_is_shown_to_nobody(scene: Scene) -> None:
    for name in CALLERS:
        for accept in ("application/vnd.pgrst.plan", "application/vnd.pgrst.plan+json; options=analyze|verbose"):
            headers = scene.people[name].headers() | {"Accept": accept}
            answers = [scene.door.http.get(path, headers=headers) for path in ("/webinars", "/registrations")]
            answers.append(
                scene.door.http.post(
                    "/rpc/webinar_client_settings", json={"_webinar_id": str(scene.webinar_id)}, headers=headers
                )
            )
            assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(415, "PGRST107")}
