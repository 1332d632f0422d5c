"""What cannot be what a parameter must be is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from eventlive_db.client import Call, rpc
from eventlive_db.client.contract import WEBINAR_REGISTER
from eventlive_db.client.errors import InvalidCallError

ONE = "00000000-0000-0000-0000-000000000001"


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: rpc.webinar_register("seven"), "_webinar_id"),
        (lambda: rpc.webinar_register(""), "_webinar_id"),
        (lambda: rpc.webinar_register(None), "_webinar_id"),  # type: ignore[arg-type]
        (lambda: rpc.webinar_register(ONE, 5), "_registered_via"),  # type: ignore[arg-type]
        (lambda: rpc.webinar_enter(ONE, ONE, "text"), "_client"),  # type: ignore[arg-type]
        (lambda: rpc.webinar_enter(ONE, ONE, take_over="yes"), "_take_over"),  # type: ignore[arg-type]
        (lambda: rpc.webinar_presence_ping_many(ONE, [ONE, "x"]), "_user_ids"),
        (lambda: rpc.webinar_presence_ping_many(ONE, [ONE, None]), "_user_ids"),  # type: ignore[list-item]
        (lambda: rpc.webinar_allow_emails(ONE, "a@b.example"), "_emails"),
        (lambda: rpc.webinar_allow_emails(ONE, [1]), "_emails"),  # type: ignore[list-item]
        (lambda: rpc.webinar_create("x", starts_at=datetime(2026, 1, 1)), "_starts_at"),  # noqa: DTZ001
        (lambda: rpc.webinar_create("x", starts_at="now"), "_starts_at"),  # type: ignore[arg-type]
    ],
)
def test_it_is_named(make: Callable[[], Call[Any]], argument: str) -> None:
    with pytest.raises(InvalidCallError) as caught:
        make()
    assert (caught.value.status, caught.value.token) == (400, "invalid_argument")
    assert caught.value.payload["argument"] == argument
    assert not caught.value.retry


def test_an_id_may_be_text() -> None:
    assert rpc.webinar_register(ONE) == rpc.webinar_register(UUID(ONE))


def test_what_is_left_out_takes_the_functions_default() -> None:
    assert list(rpc.webinar_register(ONE).arguments) == ["_webinar_id"]


def test_a_parameter_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="webinar_register has no parameter colour"):
        WEBINAR_REGISTER.call(webinar_id=ONE, colour="red")


@pytest.mark.parametrize("name", ["", "Upper", "a b", 'a"', "a;b", "a.b", "ä", "1a", "a" * 64, "a\n"])
def test_a_name_that_would_need_quotes_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a function or parameter"):
        Call(name)
    with pytest.raises(ValueError, match="not the name of a function or parameter"):
        Call("f", {name: 1})
    with pytest.raises(ValueError, match="not the name of a function or parameter"):
        Call("f").statement(name)


def test_arguments_become_json_for_postgrest() -> None:
    user = uuid4()
    call: Call[object] = Call(
        "f", {"_a": user, "_b": [user], "_c": {"at": datetime(2026, 1, 2, tzinfo=UTC)}, "_d": None, "_e": "x"}
    )
    assert call.body() == {
        "_a": str(user),
        "_b": [str(user)],
        "_c": {"at": "2026-01-02T00:00:00+00:00"},
        "_d": None,
        "_e": "x",
    }
