"""What each caller reads through the views, and that nobody writes through them."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.support.actors import new_id
from tests.support.http_door import CALLERS, Door
from tests.support.http_scene import Scene
from tests.support.tables import read_table

# Whose rows each caller finds in two webinars, of which the host has one. "guest" is a session without a user.
SEES = read_table("""
view                    anon   stranger  attendee  host                       admin                               service
registrations           401    -         attendee  attendee,bystander,host    attendee,bystander,elsewhere,host   attendee,bystander,elsewhere,host
webinar_user_sessions   401    -         attendee  attendee,guest             attendee,elsewhere,guest            attendee,elsewhere,guest
webinar_live_presence   401    -         attendee  attendee                   attendee,elsewhere                  attendee,elsewhere
event_access_logs       401    -         -         attendee,guest             attendee,elsewhere,guest            attendee,elsewhere,guest
webinar_allowed_emails  401    -         -         a@b.example                a@b.example,c@d.example             a@b.example,c@d.example
""")  # noqa: E501  # a table

KEYS = {
    "registrations": "webinar_id,user_id",
    "webinar_live_presence": "webinar_id,user_id",
    "webinar_user_sessions": "webinar_id,session_id",
    "webinar_allowed_emails": "webinar_id,email",
    "event_access_logs": "webinar_id,session_id",
    "profiles": "user_id",
    "webinars": "id",
}


def names(scene: Scene, rows: list[dict[str, str | None]], others: dict[str, str]) -> str:
    """Whose rows these are, in words."""
    known = {str(who.user_id): who.name for who in (*scene.people.values(), scene.bystander)} | others
    found = {row["email"] or "" if "email" in row else known.get(row["user_id"] or "", "guest") for row in rows}
    return ",".join(sorted(found)) or "-"


@pytest.fixture
def scene(door: Door) -> Scene:
    """A webinar with an attendee and a guest inside, and another one with a viewer and a list of its own."""
    return Scene(door)


@pytest.fixture
def elsewhere(scene: Scene) -> dict[str, UUID]:
    """The other webinar and its viewer."""
    door = scene.door
    webinar_id, viewer = door.db.webinar(access_policy="guest_allowed"), door.user()
    door.db.register(webinar_id, door.id_of(viewer))
    door.call("webinar_enter", viewer, webinar_id=webinar_id, session_id=new_id())
    scene.enter(scene.people["attendee"])
    scene.enter(scene.people["anon"])
    door.db.allow_email(scene.webinar_id, "a@b.example")
    door.db.allow_email(webinar_id, "c@d.example")
    return {"webinar": webinar_id, "viewer": door.id_of(viewer)}


@pytest.mark.parametrize("view", SEES)
def test_everybody_reads_what_is_theirs(view: str, scene: Scene, elsewhere: dict[str, UUID]) -> None:
    both = f"webinar_id=in.({scene.webinar_id},{elsewhere['webinar']})"
    observed = {}
    for name in CALLERS:
        response = scene.door.get(f"/{view}?{both}", scene.people[name])
        if response.status_code != 200:
            assert response.json()["code"] == "42501"
            observed[name] = str(response.status_code)
            continue
        observed[name] = names(scene, response.json(), {str(elsewhere["viewer"]): "elsewhere"})
        if observed[name] in {"-", name}:
            # Nor without a filter: there is nothing else of theirs.
            everything = scene.door.get(f"/{view}", scene.people[name]).json()
            assert names(scene, everything, {}) == observed[name]
    assert observed == SEES[view]


def test_a_profile_is_its_owners(scene: Scene) -> None:
    for name in ("stranger", "attendee", "host", "admin"):
        rows = scene.door.get("/profiles", scene.people[name]).json()
        assert [row["user_id"] for row in rows] == ([str(scene.people["admin"].user_id)] if name == "admin" else [])
    assert scene.door.get("/profiles", scene.people["anon"]).status_code == 401


def test_webinars_are_seen_by_those_who_may_come(scene: Scene) -> None:
    door = scene.door
    of_kind = {policy: door.db.webinar(access_policy=policy) for policy in ("guest_allowed", "auth", "invite_only")}
    of_kind["draft"] = door.db.webinar(status="draft", access_policy="guest_allowed")
    either = ",".join(map(str, of_kind.values()))
    seen = {
        name: {
            kind
            for kind, webinar_id in of_kind.items()
            if str(webinar_id) in door.get(f"/webinars?select=id&id=in.({either})", scene.people[name]).text
        }
        for name in ("anon", "stranger", "admin")
    }
    assert seen == {"anon": {"guest_allowed"}, "stranger": {"guest_allowed", "auth"}, "admin": set(of_kind)}


@pytest.mark.parametrize(
    "filters", ["role=eq.host", "or=(role.eq.host,role.eq.speaker)", "user_id=not.is.null", "and=()"]
)
def test_a_filter_shows_no_more_than_no_filter(filters: str, scene: Scene) -> None:
    rows = scene.door.get(f"/registrations?{filters}", scene.people["stranger"])
    assert rows.status_code == 400 or rows.json() == []


def test_ranges_counts_and_orders_speak_of_the_callers_rows_alone(scene: Scene, elsewhere: dict[str, UUID]) -> None:
    attendee, stranger = scene.people["attendee"], scene.people["stranger"]
    get = scene.door.get
    assert get("/registrations", attendee, Prefer="count=exact").headers["Content-Range"] == "0-0/1"
    assert get("/registrations", stranger, Prefer="count=exact").headers["Content-Range"] == "*/0"
    assert get("/registrations?order=user_id.desc&limit=5", attendee).json()[0]["user_id"] == str(attendee.user_id)
    beyond = get("/registrations?offset=5", attendee, Prefer="count=exact")
    assert (beyond.status_code, beyond.json()["code"]) == (416, "PGRST103")
    assert get("/registrations?webinar_id=eq.x", attendee).json()["code"] == "22P02"


def test_no_answer_has_more_rows_than_the_config_allows(scene: Scene) -> None:
    scene.door.db.admin.execute(
        "insert into eventlive.registrations (webinar_id, user_id)"
        " select %s, gen_random_uuid() from generate_series(1, 1200)",
        [scene.webinar_id],
    )
    of_it = f"/registrations?select=user_id&webinar_id=eq.{scene.webinar_id}"
    assert len(scene.door.get(f"{of_it}&limit=5000", scene.people["host"]).json()) == 1000
    assert len(scene.door.get(f"{of_it}&offset=1000", scene.people["host"]).json()) == 203


@pytest.mark.parametrize("view", KEYS)
def test_a_write_through_a_view_is_refused(view: str, scene: Scene, elsewhere: dict[str, UUID]) -> None:
    row = {key: "a@b.example" if key == "email" else str(new_id()) for key in KEYS[view].split(",")}
    where = "&".join(f"{key}=eq.{value}" for key, value in row.items())
    http, before = scene.door.http, scene.door.db.contents()
    for caller in scene.people.values():
        if (view, caller.name) == ("profiles", "service"):
            continue  # told below
        headers = caller.headers()
        answers = [
            http.post(f"/{view}", json=row, headers=headers),
            http.post(f"/{view}", json=[row], headers=headers | {"Prefer": "resolution=merge-duplicates"}),
            http.patch(f"/{view}?{where}", json=row, headers=headers),
            http.delete(f"/{view}?{where}", headers=headers),
            http.delete(f"/{view}", headers=headers),
        ]
        assert scene.door.db.contents() == before
        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {
            (401 if caller.name == "anon" else 403, "42501")
        }


def test_service_role_keeps_the_profiles(scene: Scene) -> None:
    http, headers, user_id = scene.door.http, scene.people["service"].headers(), str(new_id())
    assert http.post("/profiles", json={"user_id": user_id}, headers=headers).status_code == 201
    one = f"/profiles?user_id=eq.{user_id}"
    assert http.patch(one, json={"display_name": "Ana"}, headers=headers).status_code == 204
    assert http.get(one, headers=headers).json()[0]["display_name"] == "Ana"
    assert http.delete(one, headers=headers).status_code == 204
    assert http.get(one, headers=headers).json() == []
