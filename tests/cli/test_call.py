"""``eventlive-db call``: one function of the contract, for people."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from eventlive_db.cli.app import app
from eventlive_db.cli.call import FAILED, REFUSED
from eventlive_db.client.contract import FUNCTIONS
from tests.support.database import EventliveDatabase


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["call", *map(str, arguments)], env={"COLUMNS": "200", "EVENTLIVE_DSN": ""})


@pytest.fixture
def ask(db: EventliveDatabase) -> Any:
    """``ask("webinar_register", "--webinar", id)``: the reply or error as an object, and the exit status."""

    def one(*arguments: object) -> tuple[int, Any]:
        done = run(*arguments, "--dsn", db.dsn, "--json")
        return done.exit_code, json.loads(done.stdout)

    return one


def test_a_webinar_from_its_making_to_its_end(ask: Any) -> None:
    user, session = uuid4(), uuid4()
    status, made = ask("webinar_create", "--slug", "x", "--as", "service", "--starts-at", "2026-11-21T18:00:00+01:00")
    assert (status, made["created"], made["starts_at"]) == (0, True, "2026-11-21T17:00:00+00:00")
    webinar = made["webinar_id"]
    assert ask("webinar_configure", "--webinar", webinar, "--changes", '{"title": "Ü"}', "--as", "service")[0] == 0
    assert ask("webinar_set_status", "--webinar", webinar, "--status", "live", "--as", "service")[1]["changed"]
    assert ask("webinar_register", "--webinar", webinar, "--as", user)[1]["created"]
    status, entry = ask("webinar_enter", "--webinar", webinar, "--session", session, "--take-over", "--as", user)
    assert (status, entry["session"]["session_id"]) == (0, str(session))
    assert ask("webinar_presence_ping", "--webinar", webinar, "--as", user) == (0, None)
    batch = ask(
        "webinar_presence_ping_many", "--webinar", webinar, "--user", user, "--user", session, "--as", "service"
    )
    assert batch[1]["not_registered"] == [str(session)]
    emails = ask("webinar_allow_emails", "--webinar", webinar, "--email", "a@b.example", "--as", "service")
    assert emails[1]["added"] == 1


def test_claims_go_with_the_user(ask: Any, db: EventliveDatabase) -> None:
    webinar = db.webinar(access_policy="invite_only")
    db.allow_email(webinar, "a@b.example")
    claims = '{"email": "a@b.example", "email_verified": true}'
    assert ask("webinar_register", "--webinar", webinar, "--as", uuid4(), "--claims", claims)[1]["created"]


def test_a_refusal_says_what_and_what_to_do(ask: Any, db: EventliveDatabase) -> None:
    webinar = db.webinar()
    status, error = ask("webinar_presence_ping", "--webinar", webinar, "--as", uuid4())
    assert status == REFUSED
    assert (error["status"], error["token"], error["retry"]) == (403, "not_registered", False)
    done = run("webinar_presence_ping", "--webinar", webinar, "--as", uuid4(), "--dsn", db.dsn)
    assert done.exit_code == REFUSED
    assert done.stdout == ""
    assert "403 not_registered: Not registered. Register first" in done.stderr


def test_a_person_sees_names_and_values(db: EventliveDatabase) -> None:
    done = run("webinar_create", "--slug", "x", "--title", "Ünïc", "--as", "service", "--dsn", db.dsn)
    assert done.exit_code == 0
    assert "title                   Ünïc\n" in done.stdout
    assert "created                 true\n" in done.stdout
    user = uuid4()
    webinar = db.webinar()
    db.register(webinar, user)
    done = run("webinar_presence_ping", "--webinar", webinar, "--as", user, "--dsn", db.dsn)
    assert done.stdout == "webinar_presence_ping  done\n"


def test_no_server_is_a_failure_and_not_a_refusal() -> None:
    done = run("webinar_create", "--slug", "x", "--as", "service", "--dsn", "host=127.0.0.1 port=1 connect_timeout=5")
    assert done.exit_code == FAILED
    assert "unreachable" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["webinar_register", "--webinar", "x", "--as", "guest"], "Invalid value for '--webinar'"),
        (["webinar_register", "--as", "guest"], "Missing option '--webinar'"),
        (["webinar_register", "--webinar", uuid4()], "Missing option '--as'"),
        (["webinar_register", "--webinar", uuid4(), "--as", "me"], "neither the id of a user nor guest nor service"),
        (["webinar_configure", "--webinar", uuid4(), "--as", "service", "--changes", "[]"], "a JSON object is wanted"),
        (["webinar_configure", "--webinar", uuid4(), "--as", "service", "--changes", "{"], "Expecting property name"),
        (["webinar_nothing"], "No such command"),
        (["webinar_register", "--webinar", uuid4(), "--as", "guest"], "which database? Give --dsn"),
    ],
)
def test_what_cannot_be_meant_is_told_before_anything_is_sent(arguments: list[object], says: str) -> None:
    done = run(*arguments)
    assert done.exit_code == FAILED
    assert says in done.stderr


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_each_function_explains_itself(name: str) -> None:
    done = run(name, "--help")
    assert done.exit_code == 0
    assert "--as" in done.stdout
