"""A session of a client role cannot slip code of its own under the functions, which run as the owner."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest

from tests.support.actors import new_id
from tests.support.database import EventliveDatabase

CALLS: dict[str, dict[str, object]] = {
    "webinar_register": {},
    "webinar_client_settings": {},
    "webinar_presence_ping": {},
    "webinar_enter": {"session_id": new_id()},
    "webinar_messages_poll": {},
    "webinar_message_post": {"client_message_id": new_id(), "kind": "chat", "body": "Hello"},
}


def plant(connection: psycopg.Connection[tuple[object, ...]], user_id: UUID) -> None:
    """Temporary types with the names that the functions use, each with a check that makes the user an administrator.

    Temporary relations and types are found before all others, unless search_path names pg_temp itself.
    """
    connection.execute(
        f"""
        create function pg_temp.hijack() returns boolean language plpgsql as $$
        begin
            if current_user = 'eventlive_owner' then
                insert into eventlive.profiles (user_id, is_admin) values ('{user_id}', true) on conflict do nothing;
            end if;
            return true;
        end
        $$
        """.encode()
    )
    for name in ("uuid", "text", "jsonb", "json", "timestamptz"):
        connection.execute(f"create domain pg_temp.{name} as pg_catalog.{name} check (pg_temp.hijack())".encode())


def become_admin(db: EventliveDatabase, function: str) -> bool:
    """Call with the types planted; whether it made the caller an administrator."""
    user, webinar_id = db.user(), db.webinar()
    assert user.user_id
    db.register(webinar_id, user.user_id)
    # From the very connection that calls, as whoever logs in as a client role could.
    user.connection.execute("set role authenticated")
    plant(user.connection, user.user_id)
    user.connection.execute("reset role")
    user.call(function, webinar_id=webinar_id, **CALLS[function])
    return bool(db.count("profiles"))


@pytest.mark.parametrize("function", CALLS)
def test_temporary_types_are_not_taken_for_the_real_ones(db: EventliveDatabase, function: str) -> None:
    assert not become_admin(db, function)


def test_with_an_empty_search_path_they_would_be(db: EventliveDatabase) -> None:
    db.admin.execute("alter function eventlive.webinar_register(uuid, text) set search_path = ''")
    db.admin.execute("alter function eventlive.require_user() set search_path = ''")
    assert become_admin(db, "webinar_register")
