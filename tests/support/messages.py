"""Posting, polling and hiding messages, as tests do it."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from eventlive_db.client import RpcError
from eventlive_db.client.errors import from_psycopg
from tests.support.actors import Actor, new_id
from tests.support.cast import WEBINAR
from tests.support.database import EventliveDatabase


def post(actor: Actor, body: str = "Hello", **arguments: object) -> dict[str, Any]:
    """Post a message."""
    usual: dict[str, object] = {"webinar_id": WEBINAR, "client_message_id": new_id(), "kind": "chat"}
    reply: dict[str, Any] = actor.call("webinar_message_post", **usual | {"body": body} | arguments)
    return reply


def refused(actor: Actor, body: str = "Hello", **arguments: object) -> str:
    """Post a message that is refused; the token."""
    usual: dict[str, object] = {"webinar_id": WEBINAR, "client_message_id": new_id(), "kind": "chat"}
    return actor.refused("webinar_message_post", **usual | {"body": body} | arguments).token


def poll(actor: Actor, after: int = 0, **arguments: object) -> dict[str, Any]:
    """Ask for what has happened since."""
    reply: dict[str, Any] = actor.call("webinar_messages_poll", **{"webinar_id": WEBINAR, "after": after} | arguments)
    return reply


def hide(actor: Actor, message_id: int, **arguments: object) -> dict[str, Any]:
    """Hide a message, or show it again."""
    reply: dict[str, Any] = actor.call(
        "webinar_message_hide", **{"webinar_id": WEBINAR, "message_id": message_id} | arguments
    )
    return reply


def change(db: EventliveDatabase, **properties: object) -> None:
    """Change both webinars by hand."""
    for column, value in properties.items():
        given = Jsonb(value) if isinstance(value, dict) else value
        db.admin.execute(f"update eventlive.webinars set {column} = %s".encode(), [given])


def bodies(page: dict[str, Any]) -> list[str | None]:
    """The texts of a page."""
    return [message["body"] for message in page["messages"]]


def said(actor: Actor, function: str, **arguments: object) -> str:
    """``ok``, the token of the contract, or ``denied`` without the privilege."""
    try:
        actor.call(function, webinar_id=WEBINAR, **arguments)
    except psycopg.errors.InsufficientPrivilege:
        return "denied"
    except psycopg.Error as error:
        return from_psycopg(error).token
    except RpcError as error:
        return error.token
    return "ok"
