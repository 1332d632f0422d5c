"""What must not come out does not, and what a reader needs stays."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlive_db.logs import redact

KEPT = [
    "column r.id does not exist at character 8",
    'column "id" of relation "registrations" does not exist',
    'duplicate key value violates unique constraint "registrations_pkey"',
    'relation "eventlive.webinar_live_presence" does not exist',
    "function eventlive_api.webinar_presence_ping(unknown) does not exist",
    "canceling statement due to statement timeout",
    "permission denied for table registrations",
    "PL/pgSQL function eventlive.webinar_enter(uuid,uuid,jsonb,boolean) line 42 at SQL statement",
    "select r.id::text, a.b from eventlive.registrations r where r.user_id = $1 limit 10",
    'insert or update on table "a" violates foreign key constraint "webinar_live_presence_webinar_id_user_id_fkey1"',
    "/rpc/webinar_presence_ping",
    "/registrations?select=id,user_id",
    "Starting PostgREST 12.0.2...",
    "at 2026-11-21 22:23:08.123 UTC",
    "remaining connection slots are reserved for roles with the SUPERUSER attribute",
    "the server can't do that",
    "Process 12345 waits for ShareLock",
]


@pytest.mark.parametrize("text", KEPT)
def test_what_names_the_fault_stays(text: str) -> None:
    assert redact(text) == text


def test_the_same_id_has_the_same_mark() -> None:
    one, two = "11111111-2222-3333-4444-555555555555", "11111111-2222-3333-4444-555555555556"
    marks = re.findall("<uuid [0-9a-f]{6}>", redact(f"{one} {two} {one.upper()} {one.replace('-', '')}"))
    assert len(marks) == 4
    assert marks[0] == marks[2] == marks[3] != marks[1]
    assert redact(one) == marks[0]


def test_columns_of_a_key_stay() -> None:
    assert redact("Key (webinar_id, lower(email))=(1, a) b) already exists.") == (
        "Key (webinar_id, lower(email))=(<values>) already exists."
    )


def test_a_huge_text_is_cut() -> None:
    assert len(redact("a b " * 100_000)) < 70_000


names = st.from_regex(r"[a-z][a-z0-9._+-]{2,30}", fullmatch=True).filter(lambda name: not name.endswith("."))
emails = st.builds(
    lambda name, host: f"{name}@{host}.example", names, st.from_regex(r"[a-z][a-z0-9]{1,20}", fullmatch=True)
)
values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30).map(
    lambda text: f"zq{text}qz"
)
segments = st.text("abcXYZ019_-", min_size=20, max_size=60)
tokens = st.builds(lambda one, two, three: f"eyJ{one}.eyJ{two}.{three}", segments, segments, segments)
secrets = st.from_regex(r"[A-Za-z0-9_.~+/-]{8,40}", fullmatch=True).map(lambda text: f"zq{text}qz")
ips = st.one_of(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str).filter(lambda ip: len(ip) > 4))
phones = st.from_regex(r"\+[1-9][0-9]{1,2} ?[0-9]{3}[ -]?[0-9]{4,6}", fullmatch=True)

IDS: dict[str, st.SearchStrategy[Any]] = {
    "email": emails,
    "uuid": st.uuids(),
    "ip": ips,
    "token": tokens,
    "phone": phones,
}
AROUND = [
    "{}",
    "user {} is gone",
    "({})",
    "a,{},b",
    "id={}",
    "<{}>",
    "/users/{}/x",
    "?x={}&y=1",
    "[{}]",
    '"{}"',
    "'{}'",
    "{}\n",
]


@pytest.mark.parametrize("kind", IDS)
@given(data=st.data(), around=st.sampled_from(AROUND))
@settings(max_examples=40)
def test_an_id_goes_wherever_it_stands(kind: str, around: str, data: st.DataObject) -> None:
    value = str(data.draw(IDS[kind]))
    assert value.lower() not in redact(around.format(value)).lower()


VALUES: dict[str, Callable[[str], str]] = {
    "literal": lambda value: f"select * from t where a = '{value.replace(chr(39), chr(39) * 2)}' and b = 1",
    "open literal": lambda value: f"select * from t where a = '{value.replace(chr(39), chr(39) * 2)}",
    "escaped literal": lambda value: "select E'" + value.replace("\\", "\\\\").replace("'", "\\'") + "', 1",
    "dollar": lambda value: f"do $a$ {value.replace('$', '')} $a$",
    "parameters": lambda value: f"Parameters: $1 = '{value.replace(chr(39), chr(39) * 2)}', $2 = NULL",
    "key": lambda value: f"Key (a, b)=({value}, 1) already exists.",
    "key of a torn record": lambda value: f"Key (a, b)=({value}",
    "row": lambda value: f"Failing row contains (1, {value}, null).",
    "syntax": lambda value: f'invalid input syntax for type uuid: "{value.replace(chr(34), "")}"',
    "copy": lambda value: f'COPY t, line 1, column email: "{value.replace(chr(34), "")}"',
}


@pytest.mark.parametrize("place", VALUES)
@given(value=values)
@settings(max_examples=25)
def test_a_value_goes_whatever_is_in_it(place: str, value: str) -> None:
    said = redact(VALUES[place](value))
    assert "zq" not in said
    assert "qz" not in said


SECRETS = [
    "Authorization: Bearer {}",
    "bearer {}",
    "password={} user=x",
    '{{"password":"{}"}}',
    "apikey={}&x=1",
    "/realtime/v1/websocket?apikey={}&vsn=1",
    "postgres://app:{}@db.example/app",
    "refresh_token: {}",
    "sb_secret_{}",
]


@pytest.mark.parametrize("around", SECRETS)
@given(secret=secrets)
@settings(max_examples=15)
def test_a_secret_goes(around: str, secret: str) -> None:
    if "://" in around:
        secret = secret.replace("/", "")
    if around.startswith("sb_"):
        secret = re.sub(r"\W", "", secret)
    said = redact(around.format(secret))
    assert "zq" not in said
    assert "qz" not in said


def test_the_negative_control() -> None:
    """The properties above would notice a redaction that does nothing."""
    assert str(UUID(int=1)) in f"user {UUID(int=1)}"
    assert redact("zq stays where nothing says that it is a value qz").startswith("zq")
