"""A token that is forged, stale or meant for somebody else ends in 401 (a role that is not the caller's in 403 or 400)
before anything runs: no statement of the request reaches the database, and nothing in it changes (R7)."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from eventlive_db.server import Server
from tests.http.conftest import OpenDoor
from tests.support.actors import new_id
from tests.support.http_door import Answer, Caller, Door, sign, token

NOW, DAY = int(time.time()), 86_400
ISSUER, AUDIENCE, SERVICE_ISSUER = "https://auth.example/v1", "authenticated", "keys"
USER = {"sub": str(new_id()), "role": "authenticated", "exp": NOW + DAY, "iss": ISSUER, "aud": AUDIENCE}
SERVICE = {"role": "service_role", "exp": NOW + DAY, "iss": SERVICE_ISSUER}
GOOD = sign(USER)


def tampered() -> str:
    """The signature of one token under the claims of another."""
    header, _, signature = GOOD.split(".")
    claims = base64.urlsafe_b64encode(json.dumps(USER | {"role": "service_role"}).encode()).decode().rstrip("=")
    return f"{header}.{claims}.{signature}"


FORGED = {
    "alg-none": sign(USER, "", "none"),
    "alg-none-with-the-signature": ".".join([*sign(USER, "", "none").split(".")[:2], GOOD.split(".")[2]]),
    "another-secret": sign(USER, "x" * 40),
    "another-secret-512": sign(USER, "x" * 64, "HS512"),
    "empty-secret": sign(USER, "\0" * 32),
    "other-claims-below-the-signature": tampered(),
    "no-signature": GOOD.rpartition(".")[0] + ".",
    "cut-short": GOOD[:-5],
    "rubbish": "rubbish",
    "three-dots": "...",
    "megabyte": "x" * 40_000,
    "claims-no-object": sign([USER]),
    "sub-array": sign(USER | {"sub": [USER["sub"]]}),
    "sub-number": sign(USER | {"sub": 5}),
    "expired": sign(USER | {"exp": NOW - 3600}),
    "expired-long-ago": sign(USER | {"exp": -1}),
    "exp-text": sign(USER | {"exp": str(NOW + DAY)}),
    "not-yet-valid": sign(USER | {"nbf": NOW + DAY}),
    "issued-tomorrow": sign(USER | {"iat": NOW + DAY}),
}


def stale() -> dict[str, tuple[dict[str, object], str]]:
    """Claims that PostgREST takes and pre_request does not, and the token of the error.

    PostgREST lets a clock be 30 s wrong; in pre_request it is the database's that counts. So these are made at once.
    """
    just_now: dict[str, object] = {"exp": int(time.time()) - 3}
    return {
        "expired-just-now": (USER | just_now, "token_expired"),
        "no-exp": ({name: value for name, value in USER.items() if name != "exp"}, "token_not_accepted"),
        "no-sub": ({name: value for name, value in USER.items() if name != "sub"}, "token_not_accepted"),
        "sub-no-uuid": (USER | {"sub": "admin"}, "invalid_claims"),
        "sub-with-nul": (USER | {"sub": f"{USER['sub']}\0"}, "invalid_claims"),
        "service-expired-just-now": (SERVICE | just_now, "token_expired"),
        "anon-expired-just-now": (just_now | {"role": "anon"}, "token_expired"),
    }


ELSEWHERE = {
    "iss-of-another-service": (USER | {"iss": "https://elsewhere.example"}, "iss"),
    "iss-missing": ({name: value for name, value in USER.items() if name != "iss"}, "iss"),
    "aud-of-another-service": (USER | {"aud": "other"}, "aud"),
    "aud-of-several-others": (USER | {"aud": ["other", "another"]}, "aud"),
    "aud-missing": ({name: value for name, value in USER.items() if name != "aud"}, "aud"),
    "service-of-another-issuer": (SERVICE | {"iss": ISSUER}, "iss"),
    "service-of-no-issuer": ({name: value for name, value in SERVICE.items() if name != "iss"}, "iss"),
    "user-of-the-services-issuer": (USER | {"iss": SERVICE_ISSUER}, "iss"),
}


def strict(door: Door) -> None:
    """Set issuers and audience."""
    for key, value in {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_service_issuer": SERVICE_ISSUER}.items():
        door.db.value("select eventlive.set_setting(%s, to_jsonb(%s::text))", key, value)


Log = Callable[[], str]


@pytest.fixture
def statements(pg_server: Server, migrated: str, authenticator: tuple[str, str]) -> Iterator[Log]:
    """What PostgREST has had the database do since the last look, as the server logs it."""
    log = pg_server.log
    if log is None:
        pytest.skip("this Postgres has no log to read")
    setting = f'"{authenticator[0]}" in database "{migrated}"'
    with psycopg.connect(pg_server.dsn(migrated), autocommit=True) as admin:
        admin.execute(f"alter role {setting} set log_statement = 'all'".encode())
        # Connections that are open keep the settings they began with.
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", [authenticator[0]])
        yield Look(log)
        admin.execute(f"alter role {setting} reset log_statement".encode())


class Look:
    """Reads on from where it stopped."""

    def __init__(self, path: Path) -> None:
        self._path, self._position = path, path.stat().st_size

    def __call__(self) -> str:
        """What was written since."""
        with self._path.open("rb") as file:
            file.seek(self._position)
            found = file.read()
        self._position += len(found)
        return found.decode("utf-8", "replace")


REQUESTS = ("webinar_register", "webinar_enter", "webinar_create", "registrations", "webinars")


def attempts(door: Door, bearer: str) -> list[Answer]:
    """Write and read with a token, in all ways."""
    webinar_id = door.db.webinar(access_policy="guest_allowed")
    caller = Caller("somebody", bearer)
    calls: list[tuple[str, dict[str, object]]] = [
        ("webinar_register", {"webinar_id": webinar_id}),
        ("webinar_enter", {"webinar_id": webinar_id, "session_id": new_id()}),
        ("webinar_create", {"slug": f"w-{new_id()}"}),
    ]
    before = door.db.contents()
    answers = [door.call(function, caller, **arguments) for function, arguments in calls]
    answers += [Answer.of(door.get(f"/{view}", caller)) for view in ("registrations", "webinars")]
    assert door.db.contents() == before
    return answers


@pytest.fixture
def connected(door: Door, statements: Log) -> Log:
    """The log, once PostgREST has new connections that are logged."""
    for _ in range(200):
        answer = door.get("/webinars?limit=1", Caller("good", GOOD))
        if answer.status_code == 200 and "webinars" in statements():
            return statements
        time.sleep(0.05)
    raise AssertionError("PostgREST did not come back")


def ran(log: str) -> list[str]:
    """Which of the requests reached the database."""
    return [name for name in REQUESTS if f'"{name}"' in log]


def test_a_forged_token_is_refused_before_anything_runs(door: Door, connected: Log) -> None:
    for name, bearer in FORGED.items():
        answers = attempts(door, bearer)
        assert {(answer.status, answer.code) for answer in answers} == {(401, "PGRST301")}, name
        assert connected().count("set_config") == 0, name
    # The log tells: with a good token the same requests run.
    Door.get(door, "/registrations", Caller("good", GOOD))
    assert ran(connected()) == ["registrations"]


def test_a_stale_token_is_refused_before_anything_runs(door: Door, connected: Log) -> None:
    for name, (claims, expected) in stale().items():
        answers = attempts(door, sign(claims))
        assert {answer.said() for answer in answers} == {f"401 {expected}"}, name
        log = connected()
        assert ("pre_request" in log, ran(log)) == (True, []), name


def test_a_token_for_another_service_is_refused_before_anything_runs(door: Door, connected: Log) -> None:
    for claims, _ in ELSEWHERE.values():
        assert door.get("/webinars", Caller("known", sign(claims))).status_code == 200
    strict(door)
    connected()
    for name, (claims, claim) in ELSEWHERE.items():
        answers = attempts(door, sign(claims))
        assert {(answer.said(), answer.payload["claim"]) for answer in answers} == {("401 token_not_accepted", claim)}
        assert ran(connected()) == [], name
    for claims in (USER, USER | {"aud": ["other", AUDIENCE]}, SERVICE):
        assert door.get("/webinars", Caller("good", sign(claims))).status_code == 200
    assert door.get("/webinars", Caller("anon")).status_code == 200


def test_nobody_becomes_a_role_that_is_not_a_callers(
    door: Door, connected: Log, authenticator: tuple[str, str]
) -> None:
    for role in (
        "postgres",
        "eventlive_owner",
        "pg_read_all_data",
        authenticator[0],
        "nobody_knows",
        "",
        "none",
        5,
        [1],
    ):
        answers = attempts(door, sign(USER | {"role": role}))
        assert {answer.status for answer in answers} <= {400, 403}, role
        assert {answer.code for answer in answers} <= {"42501", "22023"}, role
        assert ran(connected()) == [], role


def test_a_user_is_no_service_whatever_else_the_token_says(door: Door) -> None:
    webinar_id = door.db.webinar()
    extra = {
        "user_role": "service_role",
        "app_metadata": {"role": "service_role"},
        "is_admin": True,
        "roles": ["admin"],
    }
    eve = Caller("eve", sign(USER | extra))
    calls: dict[str, dict[str, object]] = {
        "webinar_presence_ping_many": {"user_ids": [new_id()]},
        "webinar_set_status": {"status": "ended"},
        "webinar_eject": {"user_id": new_id()},
    }
    for function, arguments in calls.items():
        assert door.call(function, eve, webinar_id=webinar_id, **arguments).status == 403


def test_identity_comes_from_the_token_alone(door: Door) -> None:
    """No header and no parameter makes somebody else of the caller."""
    webinar_id, victim = door.db.webinar(), str(new_id())
    caller = door.user()
    lies = {
        "request.jwt.claims": json.dumps({"sub": victim}),
        "X-Request-Jwt-Claims": json.dumps({"sub": victim}),
        "X-User-Id": victim,
        "Role": "service_role",
        "apikey": token("service_role"),
        "Cookie": f"token={token('service_role')}",
    }
    response = door.http.post(
        "/rpc/webinar_register", json={"_webinar_id": str(webinar_id)}, headers=caller.headers() | lies
    )
    assert response.json()["user_id"] == str(caller.user_id)
    ignored = door.http.get(f"/webinars?jwt={token('service_role')}")
    assert ignored.status_code == 400


def test_without_pre_request_a_token_for_another_service_passes(another_door: OpenDoor) -> None:
    """The negative control: what the tests above see is the doing of pre_request."""
    with another_door({"db-pre-request": None}) as door:
        strict(door)
        for name, (claims, _) in ELSEWHERE.items():
            assert door.get("/webinars", Caller(name, sign(claims))).status_code == 200, name
        webinar_id = door.db.webinar()
        wrong = Caller("wrong", sign(ELSEWHERE["iss-of-another-service"][0]))
        assert door.call("webinar_register", wrong, webinar_id=webinar_id).data["created"] is True
        # A function checks who is calling all the same.
        assert door.call(
            "webinar_register", Caller("x", sign(stale()["sub-no-uuid"][0])), webinar_id=webinar_id
        ).said() == ("401 invalid_claims")
