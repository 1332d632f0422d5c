"""The verification through a real PostgREST: the canary as browsers call, and what PostgREST's own log can tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
from psycopg.conninfo import conninfo_to_dict
from typer.testing import CliRunner

from eventlive_db.cli.app import app
from eventlive_db.verify import Check, Report, State, Trigger, Verdict
from eventlive_db.verify.canary import HttpDoor
from eventlive_db.verify.canary.doors import read_tokens, sign
from eventlive_db.verify.run import Question, verify
from tests.http.conftest import OpenDoor
from tests.support.actors import new_id
from tests.support.http_door import TIMEOUT_S, Door, token
from tests.support.http_server import SECRET, running
from tests.support.own_server import wait_for

BUT_THE_CANARY = frozenset({"dod-1", "answers", "dod-2", "dod-3", "schema", "functions", "jobs"})


def try_it(door: Door, secret: str = SECRET) -> Report:
    """The canary alone."""

    def opened() -> HttpDoor:
        tokens, ids = sign(secret, {})
        return HttpDoor(door.server.url, tokens, ids, made_up=True)

    return verify(Question(datetime.now(UTC), without=BUT_THE_CANARY, dsn=door.db.dsn, open_door=opened))


def left(door: Door) -> tuple[int, int]:
    """Canary webinars and profiles that are there."""
    webinars = door.db.value("select count(*) from eventlive.webinars where starts_with(slug, 'verify-canary-')")
    return webinars, door.db.value(
        "select count(*) from eventlive.profiles where starts_with(display_name, 'verify-canary-')"
    )


def unwell(report: Report) -> list[Check]:
    """What did not pass."""
    return [check for check in report.checks if check.state is not State.PASSED]


def test_the_canary_passes_through_the_front_door_and_is_removed(door: Door) -> None:
    report = try_it(door)
    assert report.verdict is Verdict.GO, unwell(report)
    assert len(report.checks) > 40
    assert left(door) == (0, 0)


def test_the_command_signs_tokens_as_the_database_demands_them(door: Door) -> None:
    for key, value in (("jwt_issuer", "https://auth.example"), ("jwt_audience", "authenticated")):
        door.db.admin.execute("select eventlive.set_setting(%s, %s)", [key, json.dumps(value)])
    arguments = [
        "verify",
        "--since",
        "1m",
        "--canary",
        "--dsn",
        door.db.dsn,
        "--api-url",
        door.server.url,
        "--json",
        "-",
    ]
    for group in sorted(BUT_THE_CANARY):
        arguments += ["--without", group]
    done = CliRunner().invoke(app, arguments, env={"EVENTLIVE_JWT_SECRET": SECRET})
    assert done.exit_code == 0, done.output
    assert SECRET not in done.output
    # And without them nobody comes in: that is our token's fault, not the release's.
    report = try_it(door)
    assert report.verdict is Verdict.COULD_NOT_TELL
    assert "token_not_accepted" in unwell(report)[0].says
    assert left(door) == (0, 0)


def test_a_secret_that_is_not_postgrest_s_is_no_verdict(door: Door) -> None:
    report = try_it(door, "another-secret-of-more-than-32-bytes")
    assert report.verdict is Verdict.COULD_NOT_TELL
    [check] = report.checks
    assert check.state is State.NO_DATA
    assert "401" in check.says
    assert left(door) == (0, 0)


def test_tokens_that_were_given_are_of_users_who_stay_as_they_are(door: Door, tmp_path: Path) -> None:
    ids = {who: new_id() for who in ("registered", "unregistered", "admin")}
    tokens = {who: token("authenticated", user) for who, user in ids.items()} | {"service": token("service_role")}
    file = tmp_path / "tokens.json"
    file.write_text(json.dumps(tokens))

    def report() -> Report:
        def opened() -> HttpDoor:
            return HttpDoor(door.server.url, *read_tokens(file), made_up=False)

        return verify(Question(datetime.now(UTC), without=BUT_THE_CANARY, dsn=door.db.dsn, open_door=opened))

    stranger = report()
    assert stranger.verdict is Verdict.COULD_NOT_TELL
    assert {check.name.partition(": ")[2] for check in unwell(stranger)} == {"administrator enters"}
    assert door.db.rows("select * from eventlive.profiles where user_id = %s", ids["admin"]) == []
    door.db.make_admin(ids["admin"])
    assert report().verdict is Verdict.GO
    assert door.db.rows("select is_admin from eventlive.profiles where user_id = %s", ids["admin"]) == [(True,)]
    assert left(door) == (0, 0)


def test_a_ping_that_registers_is_seen_through_the_front_door(another_door: OpenDoor) -> None:
    with another_door() as door:
        door.db.admin.execute(
            """
            create or replace function eventlive.webinar_presence_ping(_webinar_id uuid) returns void
            language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
            begin
                insert into eventlive.registrations (webinar_id, user_id)
                values (_webinar_id, eventlive.current_user_id()) on conflict do nothing;
            end $$
            """
        )
        report = try_it(door)
        assert report.triggers[0] is Trigger.PING_REGISTERS
        assert report.verdict is Verdict.ROLL_BACK
        assert left(door) == (0, 0)


def test_postgrest_s_own_log_tells_of_400s_and_not_why(
    door: Door, configured: Callable[[str], str], webinar: UUID
) -> None:
    config = configured(str(conninfo_to_dict(door.db.dsn)["dbname"])) + 'log-level = "info"\n'
    with running(config) as server, httpx.Client(base_url=server.url, timeout=TIMEOUT_S) as http:
        path = server.child.log
        assert path
        ours = Door(door.db, server, http)
        user = ours.user()

        def requests(number: int) -> None:
            wait_for("the log", lambda: path.read_text().count("HTTP/1.1") >= number)

        assert ours.call("webinar_register", user, webinar_id=webinar).status == 200
        requests(1)
        # A log's times are in whole seconds, and its first line has to be before the release.
        since = datetime.now(UTC).replace(microsecond=0)
        for _ in range(2):
            session = new_id()
            ours.call("webinar_enter", user, webinar_id=webinar, session_id=session)
        for _ in range(10):
            assert ours.call("webinar_presence_ping", user, webinar_id=webinar).status == 204
        requests(13)
        question = Question(since, logs=[path], without=frozenset({"dod-3", "dod-4", "schema", "functions", "jobs"}))
        clean = verify(question)
        assert clean.verdict is Verdict.GO, unwell(clean)

        def select_id() -> int:
            return ours.get("/registrations?select=id", user).status_code

        assert select_id() == 400
        requests(14)
        few = verify(question)
        assert few.verdict is Verdict.COULD_NOT_TELL
        assert [select_id() for _ in range(9)] == [400] * 9
        requests(23)
        many = verify(question)
        assert many.triggers == [Trigger.HTTP_400_RATE]
        [check] = [check for check in many.checks if check.state is State.FAILED]
        assert check.count == 10
        assert check.first
        assert "select=id" in check.first.text


def test_what_postgrest_refuses_by_itself_is_in_its_own_log_alone(
    door: Door, configured: Callable[[str], str], tmp_path: Path
) -> None:
    """A column and a function that its schema cache does not have: Postgres hears of neither."""
    config = configured(str(conninfo_to_dict(door.db.dsn)["dbname"])) + 'log-level = "info"\n'
    with running(config) as server, httpx.Client(base_url=server.url, timeout=TIMEOUT_S) as http:
        path = server.child.log
        assert path
        ours = Door(door.db, server, http)
        user = ours.user()

        def asked(where: str, number: int) -> None:
            """Post what has no such column, and return when the log has so many requests."""
            answer = http.post(where, headers=user.headers(), json={"no_such_column": 1})
            assert answer.json()["code"] in {"PGRST202", "PGRST204"}, answer.text
            wait_for("the log", lambda: path.read_text().count("HTTP/1.1") >= number)

        assert ours.get("/registrations?select=role", user).status_code == 200
        wait_for("the log", lambda: path.read_text().count("HTTP/1.1") >= 1)
        since = datetime.now(UTC).replace(microsecond=0)
        postgres = tmp_path / "postgres.log"
        postgres.write_text(f"{since:%Y-%m-%d %H:%M:%S}.000 UTC [77] LOG:  checkpoint starting: time\n")
        asked("/registrations", 2)
        without = frozenset({"dod-3", "dod-4", "schema", "functions", "jobs"})
        few = verify(Question(since, logs=[path, postgres], without=without))
        assert few.verdict is Verdict.COULD_NOT_TELL
        check, successes = unwell(few)
        assert check.name == "HTTP 400"
        assert successes.says.endswith("fewer than 10 show nothing")
        assert "Postgres's log has no error for 1 of them" in check.says
        for number in range(3, 9):
            asked("/rpc/webinar_of_tomorrow", number)
        # A few could be somebody's typing error.
        some = verify(Question(since, logs=[path, postgres], without=without))
        assert some.verdict is Verdict.COULD_NOT_TELL
        for number in range(9, 26):
            asked("/rpc/webinar_of_tomorrow", number)
        gone = verify(Question(since, logs=[path, postgres], without=without))
        assert gone.triggers == [Trigger.FUNCTIONS_NOT_FOUND]


def test_an_address_where_something_else_answers_is_no_verdict(door: Door) -> None:
    def opened() -> HttpDoor:
        tokens, ids = sign(SECRET, {})
        return HttpDoor(door.server.admin_url, tokens, ids, made_up=True)

    report = verify(Question(datetime.now(UTC), without=BUT_THE_CANARY, dsn=door.db.dsn, open_door=opened))
    assert report.verdict is Verdict.COULD_NOT_TELL
    assert left(door) == (0, 0)
