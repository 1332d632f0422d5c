"""What PostgREST calls before each request ends one whose token is not meant for this service (R7)."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import psycopg
import pytest

from eventlive_db.client.errors import rpc_error
from tests.support.actors import new_id
from tests.support.database import EventliveDatabase

LATER, EARLIER = int(time.time()) + 3600, int(time.time()) - 3600
ISSUER, AUDIENCE, SERVICE_ISSUER = "https://auth.example/v1", "authenticated", "keys"
USER = {"sub": str(new_id()), "role": "authenticated", "exp": LATER, "iss": ISSUER, "aud": AUDIENCE}
SERVICE = {"role": "service_role", "iss": SERVICE_ISSUER, "exp": LATER}


def without(claims: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Claims less some."""
    return {name: value for name, value in claims.items() if name not in names}


def verdict(db: EventliveDatabase, role: str, claims: object) -> str:
    """Empty where the request goes on, else status, token and payload."""
    text = claims if isinstance(claims, str) else json.dumps(claims)
    with db.acting(role, text) as connection:
        try:
            connection.execute("select eventlive_api.pre_request()")
        except psycopg.Error as error:
            known = rpc_error(error)
            if known is None or known.status != 401:
                raise
            return " ".join([known.token, *map(str, (known.payload or {}).values())])
    return ""


@pytest.fixture
def strict(db: EventliveDatabase) -> EventliveDatabase:
    """Issuers and audience are set."""
    for key, value in {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_service_issuer": SERVICE_ISSUER}.items():
        db.value("select eventlive.set_setting(%s, to_jsonb(%s::text))", key, value)
    return db


ALWAYS_REFUSED = [
    ("authenticated", {}, "token_not_accepted sub"),
    ("authenticated", "", "token_not_accepted sub"),
    ("authenticated", without(USER, "sub"), "token_not_accepted sub"),
    ("authenticated", USER | {"sub": None}, "token_not_accepted sub"),
    ("authenticated", USER | {"sub": "admin"}, "invalid_claims"),
    ("authenticated", USER | {"sub": [USER["sub"]]}, "invalid_claims"),
    ("authenticated", "rubbish", "invalid_claims"),
    ("authenticated", "[]", "invalid_claims"),
    ("authenticated", without(USER, "exp"), "token_not_accepted exp"),
    ("authenticated", USER | {"exp": None}, "token_not_accepted exp"),
    ("authenticated", USER | {"exp": str(LATER)}, "token_not_accepted exp"),
    ("authenticated", USER | {"exp": True}, "token_not_accepted exp"),
    ("authenticated", USER | {"exp": 10**300}, "token_not_accepted exp"),
    ("authenticated", USER | {"exp": EARLIER}, "token_expired"),
    ("authenticated", USER | {"exp": -1}, "token_expired"),
    # Of a role of the application's own, as of a user.
    ("eventlive_owner", without(USER, "sub"), "token_not_accepted sub"),
    # Whoever says who they are is a user, whatever their role.
    ("anon", without(USER, "exp"), "token_not_accepted exp"),
    ("anon", USER | {"exp": EARLIER}, "token_expired"),
    ("anon", {"role": "anon", "exp": EARLIER}, "token_expired"),
    ("anon", {"role": "anon", "exp": "soon"}, "token_not_accepted exp"),
    ("service_role", SERVICE | {"exp": EARLIER}, "token_expired"),
    ("service_role", SERVICE | {"exp": "soon"}, "token_not_accepted exp"),
]
REFUSED_WHERE_SET = [
    ("authenticated", USER | {"iss": "https://elsewhere.example"}, "token_not_accepted iss"),
    ("authenticated", without(USER, "iss"), "token_not_accepted iss"),
    ("authenticated", USER | {"iss": [ISSUER]}, "token_not_accepted iss"),
    ("authenticated", USER | {"aud": "other"}, "token_not_accepted aud"),
    ("authenticated", USER | {"aud": []}, "token_not_accepted aud"),
    ("authenticated", USER | {"aud": [[AUDIENCE]]}, "token_not_accepted aud"),
    ("authenticated", USER | {"aud": [10**300, None]}, "token_not_accepted aud"),
    ("authenticated", USER | {"aud": ["other", "another"]}, "token_not_accepted aud"),
    ("authenticated", USER | {"aud": {AUDIENCE: True}}, "token_not_accepted aud"),
    ("authenticated", USER | {"aud": None}, "token_not_accepted aud"),
    ("authenticated", without(USER, "aud"), "token_not_accepted aud"),
    ("anon", USER | {"iss": "https://elsewhere.example"}, "token_not_accepted iss"),
    ("service_role", SERVICE | {"iss": ISSUER}, "token_not_accepted iss"),
    ("service_role", without(SERVICE, "iss"), "token_not_accepted iss"),
]
TAKEN = [
    ("authenticated", USER),
    ("authenticated", USER | {"aud": ["other", AUDIENCE]}),
    ("authenticated", USER | {"exp": LATER + 0.5}),
    ("authenticated", USER | {"exp": 10**14}),
    *(
        ("authenticated", json.dumps(USER).replace(str(LATER), f"{exp}"))
        for exp in ("4.1024448005e9", "4.102444800123456e9", "41024448E+2", "4102444800.123456789", "41024448000e-1")
    ),
    ("anon", ""),
    ("anon", {"role": "anon"}),
    ("anon", {"role": "anon", "iss": "whoever", "exp": LATER}),
    ("anon", USER),
    ("service_role", SERVICE),
    ("service_role", without(SERVICE, "exp")),
]


@pytest.mark.parametrize(("role", "claims", "expected"), ALWAYS_REFUSED)
def test_a_token_that_is_malformed_or_has_expired_is_refused(
    strict: EventliveDatabase, role: str, claims: object, expected: str
) -> None:
    assert verdict(strict, role, claims) == expected
    strict.admin.execute("update eventlive.settings set value = default_value")
    assert verdict(strict, role, claims) == expected


@pytest.mark.parametrize(("role", "claims", "expected"), REFUSED_WHERE_SET)
def test_a_token_of_another_issuer_or_for_another_audience_is_refused_where_they_are_set(
    strict: EventliveDatabase, role: str, claims: object, expected: str
) -> None:
    assert verdict(strict, role, claims) == expected
    strict.admin.execute("update eventlive.settings set value = default_value")
    assert verdict(strict, role, claims) == ""


@pytest.mark.parametrize(("role", "claims"), TAKEN)
def test_a_token_that_is_meant_for_this_service_passes(strict: EventliveDatabase, role: str, claims: object) -> None:
    assert verdict(strict, role, claims) == ""


@pytest.mark.parametrize(
    ("key", "role", "claims", "expected"),
    [
        ("jwt_issuer", "authenticated", USER, "token_not_accepted iss"),
        ("jwt_issuer", "authenticated", without(USER, "iss"), "token_not_accepted iss"),
        ("jwt_audience", "authenticated", USER, "token_not_accepted aud"),
        ("jwt_service_issuer", "service_role", SERVICE, "token_not_accepted iss"),
    ],
)
def test_a_setting_that_is_gone_lets_nobody_in(
    db: EventliveDatabase, key: str, role: str, claims: object, expected: str
) -> None:
    db.admin.execute("delete from eventlive.settings where key = %s", [key])
    assert verdict(db, role, claims) == expected


def test_it_runs_in_a_transaction_that_may_not_write(strict: EventliveDatabase) -> None:
    with strict.acting("authenticated", json.dumps(USER)) as connection:
        connection.execute("set transaction_read_only = on")
        connection.execute("select eventlive_api.pre_request()")
