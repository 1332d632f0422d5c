"""A reply is read strictly where the contract promises something, and keeps what it does not know."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlive_db.client import replies
from eventlive_db.client.contract import FUNCTIONS
from eventlive_db.client.errors import UnreadableReplyError
from eventlive_db.client.reading import reader

ONE = "00000000-0000-0000-0000-000000000001"
BEAT: dict[str, Any] = {
    "state": "open",
    "next_heartbeat_s": 300,
    "server_time": "2026-01-02T03:04:05.6+00:00",
    "settings_version": "abc",
}
read_beat = reader(replies.Heartbeat)
read_batch = reader(replies.PingMany)


def test_a_reply_is_read_as_its_dataclass() -> None:
    assert read_beat(BEAT) == replies.Heartbeat(
        state="open",
        next_heartbeat_s=300.0,
        server_time=datetime(2026, 1, 2, 3, 4, 5, 600000, tzinfo=UTC),
        settings_version="abc",
    )


def test_a_field_that_is_not_known_is_kept_and_otherwise_ignored() -> None:
    reply = read_beat({**BEAT, "colour": {"new": True}})
    assert reply == read_beat(BEAT)
    assert reply.extra == {"colour": {"new": True}}


def test_a_nested_reply_keeps_its_unknown_fields_too() -> None:
    settings = reader(replies.ClientSettings)
    value = {
        "presence_ping_interval_s": 120,
        "session_heartbeat_interval_s": 300,
        "fallback_poll_interval_s": 10,
        "fallback_enabled": True,
        "settings_version": "x",
        "admin_poll_interval_s": 10,
    }
    assert settings(value).extra == {"admin_poll_interval_s": 10}


def test_a_list_of_ids_is_a_tuple_of_uuids() -> None:
    assert read_batch({"refreshed": 2, "not_registered": [ONE]}).not_registered == (UUID(ONE),)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"state": None}, "NoneType in place of str"),
        ({"state": 1}, "int in place of str"),
        ({"next_heartbeat_s": "soon"}, "str in place of float"),
        ({"next_heartbeat_s": True}, "bool in place of float"),
        ({"server_time": "yesterday"}, "yesterday"),
        ({"server_time": 5}, "int in place of str"),
    ],
)
def test_a_field_of_another_type_is_an_error_that_says_which(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(UnreadableReplyError, match=says) as caught:
        read_beat({**BEAT, **wrong})
    assert caught.value.token == "unreadable_reply"
    assert not caught.value.retry


def test_a_field_that_is_missing_is_an_error_that_names_it() -> None:
    with pytest.raises(UnreadableReplyError, match="'state' is missing"):
        read_beat({key: value for key, value in BEAT.items() if key != "state"})


@pytest.mark.parametrize("value", [None, [], "text", 1])
def test_what_is_no_object_is_an_error(value: object) -> None:
    with pytest.raises(UnreadableReplyError, match="in place of an object"):
        read_beat(value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(FUNCTIONS)), json_values)
def test_whatever_comes_is_read_or_unreadable(name: str, value: object) -> None:
    with contextlib.suppress(UnreadableReplyError):
        FUNCTIONS[name].read(value)


@given(st.dictionaries(st.sampled_from([*BEAT, "exited_at", "replaced_by"]), json_values))
def test_whatever_a_known_field_holds_is_read_or_unreadable(fields: dict[str, Any]) -> None:
    with contextlib.suppress(UnreadableReplyError):
        read_beat({**BEAT, **fields})
