"""A ping or heartbeat alone commits asynchronously; what must survive a crash never does.

``synchronous_commit`` is read inside the transaction, after the calls: what it says when the transaction ends is what
counts (Postgres manual, 20.5.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import pytest

from tests.support.actors import Actor, new_id
from tests.support.database import EventliveDatabase

SHOW = "select current_setting('synchronous_commit')"
ASYNCHRONOUS = ("webinar_presence_ping", "webinar_session_heartbeat", "webinar_presence_ping_many")


@dataclass(frozen=True)
class Stage:
    """A host who is an administrator, present and watching; past the throttle. And a webinar not yet entered."""

    db: EventliveDatabase
    host: Actor
    webinar_id: UUID
    session_id: UUID
    leave_token: UUID
    elsewhere: UUID
    viewer_id: UUID
    message_id: int

    def arguments(self, function: str) -> dict[str, object]:
        """Arguments with which the host's call writes."""
        arguments: dict[str, dict[str, object]] = {
            "webinar_presence_ping": {"webinar_id": self.webinar_id},
            "webinar_session_heartbeat": {"webinar_id": self.webinar_id, "session_id": self.session_id},
            "webinar_presence_ping_many": {"webinar_id": self.webinar_id, "user_ids": [self.host.user_id]},
            "webinar_register": {"webinar_id": self.elsewhere},
            "webinar_enter": {"webinar_id": self.elsewhere, "session_id": new_id()},
            "webinar_leave": {
                "webinar_id": self.webinar_id, "session_id": self.session_id, "leave_token": self.leave_token,
            },
            "webinar_create": {"slug": f"w-{new_id()}"},
            "webinar_configure": {"webinar_id": self.webinar_id, "changes": {"title": "Changed"}},
            "webinar_set_status": {"webinar_id": self.webinar_id, "status": "ended"},
            "webinar_grant_role": {"webinar_id": self.webinar_id, "user_id": self.viewer_id, "role": "speaker"},
            "webinar_allow_emails": {"webinar_id": self.webinar_id, "emails": ["a@b.example"]},
            "webinar_eject": {"webinar_id": self.webinar_id, "user_id": self.viewer_id},
            "webinar_message_post": {
                "webinar_id": self.webinar_id, "client_message_id": new_id(), "kind": "chat", "body": "Hello",
            },
            "webinar_message_hide": {"webinar_id": self.webinar_id, "message_id": self.message_id},
        }  # fmt: skip
        return arguments[function]

    def setting_after(self, *functions: str, actor: Actor | None = None) -> list[str]:
        """``synchronous_commit`` after each of the calls in one transaction, and then after its commit."""
        actor = actor or self.host
        seen = []
        with actor.transaction() as transaction:
            for function in functions:
                transaction.call(function, **self.arguments(function))
                seen.append(show(actor))
        return [*seen, show(actor)]


def show(actor: Actor) -> str:
    """What the connection has now."""
    row = actor.connection.execute(SHOW).fetchone()
    assert row
    return str(row[0])


@pytest.fixture
def stage(db: EventliveDatabase) -> Stage:
    """Everything there is to call with."""
    host, viewer_id, session_id = db.user(), new_id(), new_id()
    assert host.user_id
    db.make_admin(host.user_id)
    webinar_id = db.webinar(host=host.user_id)
    db.register(webinar_id, viewer_id)
    reply = host.call("webinar_enter", webinar_id=webinar_id, session_id=session_id)
    message: dict[str, object] = {"client_message_id": new_id(), "kind": "chat", "body": "Hello"}
    message_id = host.call("webinar_message_post", webinar_id=webinar_id, **message)["message_id"]
    db.shift_time("5 minutes")
    return Stage(db, host, webinar_id, session_id, UUID(reply["leave_token"]), db.webinar(), viewer_id, message_id)


def volatile_functions(db: EventliveDatabase) -> set[str]:
    """The functions of the exposed schema that may write."""
    query = "select proname from pg_proc where pronamespace = 'eventlive_api'::regnamespace and provolatile = 'v'"
    return {name for (name,) in db.rows(query)}


DURABLE = (
    "webinar_register",
    "webinar_enter",
    "webinar_leave",
    "webinar_create",
    "webinar_configure",
    "webinar_set_status",
    "webinar_grant_role",
    "webinar_allow_emails",
    "webinar_eject",
    "webinar_message_post",
    "webinar_message_hide",
)


def test_every_function_that_writes_is_known_to_these_tests(db: EventliveDatabase) -> None:
    assert volatile_functions(db) == {*DURABLE, *ASYNCHRONOUS}


@pytest.mark.parametrize("function", ["webinar_presence_ping", "webinar_session_heartbeat"])
def test_alone_it_commits_asynchronously_and_the_session_is_as_before(stage: Stage, function: str) -> None:
    assert stage.setting_after(function) == ["off", "on"]


def test_a_batch_of_pings_alone_commits_asynchronously(stage: Stage) -> None:
    assert stage.setting_after("webinar_presence_ping_many", actor=stage.db.service()) == ["off", "on"]


def test_the_first_ping_commits_asynchronously_too(stage: Stage) -> None:
    stage.db.admin.execute("delete from eventlive.webinar_live_presence")
    assert stage.setting_after("webinar_presence_ping") == ["off", "on"]


def test_the_heartbeat_of_a_guest_commits_asynchronously(stage: Stage) -> None:
    stage.db.admin.execute("update eventlive.webinars set access_policy = 'guest_allowed'")
    guest = stage.db.guest()
    guest.call("webinar_enter", webinar_id=stage.webinar_id, session_id=(session_id := new_id()))
    stage.db.shift_time("5 minutes")
    with guest.transaction() as transaction:
        transaction.call("webinar_session_heartbeat", webinar_id=stage.webinar_id, session_id=session_id)
        assert show(guest) == "off"


@pytest.mark.parametrize("function", ["webinar_presence_ping", "webinar_session_heartbeat"])
def test_a_throttled_call_changes_nothing(stage: Stage, function: str) -> None:
    stage.setting_after(function)
    assert stage.setting_after(function) == ["on", "on"]


@pytest.mark.parametrize("function", ["webinar_presence_ping", "webinar_session_heartbeat"])
def test_after_the_caller_wrote_something_it_leaves_the_commit_durable(stage: Stage, function: str) -> None:
    stage.db.admin.execute("create table public.notes (note text)")
    stage.db.admin.execute("grant insert on public.notes to authenticated")
    with stage.host.transaction() as transaction:
        transaction.connection.execute("insert into public.notes values ('mine')")
        transaction.call(function, **stage.arguments(function))
        assert show(stage.host) == "on"


@pytest.mark.parametrize("ping", ["webinar_presence_ping", "webinar_session_heartbeat"])
@pytest.mark.parametrize("function", DURABLE)
def test_after_a_ping_in_the_same_transaction_it_commits_durably(stage: Stage, function: str, ping: str) -> None:
    assert stage.setting_after(ping, function) == ["off", "on", "on"]


@pytest.mark.parametrize("function", DURABLE)
def test_a_ping_after_it_leaves_the_commit_durable(stage: Stage, function: str) -> None:
    again = "webinar_session_heartbeat" if function not in {"webinar_leave", "webinar_set_status"} else function
    assert stage.setting_after(function, again) == ["on", "on", "on"]


def test_a_repeated_registration_writes_nothing_and_so_leaves_the_ping_asynchronous(stage: Stage) -> None:
    stage.host.call("webinar_register", webinar_id=stage.elsewhere)
    assert stage.setting_after("webinar_presence_ping", "webinar_register") == ["off", "off", "on"]


@pytest.mark.parametrize("before", ["on", "remote_write", "local", "remote_apply", "off"])
def test_what_is_restored_is_what_the_session_had(stage: Stage, before: str) -> None:
    stage.host.connection.execute(f"set synchronous_commit = {before}".encode())
    functions = ("webinar_presence_ping", "webinar_register", "webinar_session_heartbeat", "webinar_configure")
    assert stage.setting_after(*functions) == ["off", *[before] * 3, before]


def test_a_ping_that_is_rolled_back_to_a_savepoint_relaxes_nothing(stage: Stage) -> None:
    with stage.host.transaction() as transaction:
        transaction.connection.execute("savepoint before")
        transaction.call("webinar_presence_ping", **stage.arguments("webinar_presence_ping"))
        transaction.connection.execute("rollback to before")
        assert show(stage.host) == "on"


def test_the_next_transaction_on_the_connection_starts_as_the_session_was(stage: Stage) -> None:
    stage.setting_after("webinar_presence_ping")
    assert stage.setting_after("webinar_register") == ["on", "on"]


def test_a_setting_of_the_function_would_revert_before_the_commit(stage: Stage) -> None:
    relax = "function eventlive.relax_durability() returns boolean language sql return true"
    stage.db.admin.execute(f"create or replace {relax}".encode())
    stage.db.admin.execute("alter function eventlive.webinar_presence_ping(uuid) set synchronous_commit = off")
    assert stage.setting_after("webinar_presence_ping") == ["on", "on"]


@pytest.mark.parametrize("function", DURABLE)
def test_without_the_restoring_call_it_would_commit_asynchronously(stage: Stage, function: str) -> None:
    restore = "function eventlive.restore_durability() returns boolean language sql return false"
    stage.db.admin.execute(f"create or replace {restore}".encode())
    assert stage.setting_after("webinar_presence_ping", function) == ["off", "off", "on"]
