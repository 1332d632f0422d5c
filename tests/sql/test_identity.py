"""Who is calling: the claims of the token, and nothing else, say so (R7)."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from eventlive_db.client import Identity
from tests.support.actors import Actor
from tests.support.bad_input import MALFORMED_CLAIMS
from tests.support.cast import USERS, WEBINAR, assemble
from tests.support.database import EventliveDatabase
from tests.support.faults import break_function

USER = "00000000-0000-0000-0000-000000000077"
SUB = {"sub": USER}
USER_CLAIMS = {**SUB, "role": "authenticated"}
ADDRESS = {**SUB, "email": "ana@example.com"}
VERIFIED = {**ADDRESS, "email_verified": True}

# Log in as one of these: a superuser; what PostgREST logs in as; a back end that is service_role by inheritance.
LOGINS = {
    "superuser": "set local session authorization default",
    "authenticator": "create role test_authenticator login noinherit;"
    " grant anon, authenticated, service_role to test_authenticator;"
    " set local session authorization test_authenticator",
    "backend": "create role test_backend login inherit; grant service_role to test_backend;"
    " set local session authorization test_backend",
    "owner": "set local session authorization eventlive_owner",
    "stranger": "set local session authorization pg_monitor",
}


def asked(
    db: EventliveDatabase, expression: str, claims: object, login: str = "superuser", role: str | None = None
) -> Any:
    """The value of an expression inside a definer function, with claims (a string: as it is), login and role."""
    connection = db.admin
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(
                "create function eventlive_api.asked() returns text language sql security definer"
                f" set search_path = '' as $$ select ({expression})::text $$".encode()
            )
            connection.execute("grant usage on schema eventlive_api to public")
            if claims is not None:
                text = claims if isinstance(claims, str) else json.dumps(claims)
                connection.execute("select set_config('request.jwt.claims', %s, true)", [text])
            connection.execute(LOGINS[login].encode())
            if role:
                connection.execute("select set_config('role', %s, true)", [role])
            return db.value("select eventlive_api.asked()")
    except psycopg.Error as error:
        return f"{error.sqlstate} {error.diag.message_detail}"


@pytest.mark.parametrize(
    ("claims", "user_id"),
    [
        pytest.param(SUB, USER, id="sub"),
        pytest.param({**SUB, "role": "anon"}, USER, id="the-role-claim-does-not-matter"),
        pytest.param({"sub": USER.upper()}, USER, id="upper-case"),
        pytest.param(None, None, id="claims-never-set"),
        pytest.param("", None, id="claims-empty"),
        pytest.param({}, None, id="no-sub"),
        pytest.param({"sub": None}, None, id="sub-null"),
        pytest.param({"role": "authenticated", "user_id": USER}, None, id="another-claim-is-no-sub"),
        pytest.param({"user_metadata": SUB, "app_metadata": SUB}, None, id="sub-inside-metadata-is-no-sub"),
    ],
)
def test_the_sub_of_the_claims_is_the_user(db: EventliveDatabase, claims: object, user_id: str | None) -> None:
    assert asked(db, "eventlive.current_user_id()", claims) == user_id


@pytest.mark.parametrize(
    "expression", ["eventlive.current_user_id()", "eventlive.current_email(true)", "eventlive.is_service()"]
)
@pytest.mark.parametrize("claims", MALFORMED_CLAIMS.values(), ids=list(MALFORMED_CLAIMS))
def test_malformed_claims_are_an_error_and_never_a_guest(db: EventliveDatabase, expression: str, claims: str) -> None:
    assert asked(db, expression, claims) == "PT401 invalid_claims"


@pytest.mark.parametrize(
    "expression", ["eventlive.current_user_id()", "eventlive.current_email(true)", "eventlive.is_service()"]
)
@pytest.mark.parametrize("number", ["1e200000", "-0.0", "1" * 400])
def test_numbers_that_json_allows_and_jsonb_may_not_do_no_harm(
    db: EventliveDatabase, expression: str, number: str
) -> None:
    plain = json.dumps({**VERIFIED, "role": "authenticated"})
    assert asked(db, expression, plain[:-1] + f', "exp": {number}}}') == asked(db, expression, plain)


@pytest.mark.parametrize(
    ("claims", "verified", "any_email"),
    [
        pytest.param(VERIFIED, "ana@example.com", "ana@example.com", id="verified"),
        pytest.param(ADDRESS, None, "ana@example.com", id="not-said-to-be-verified"),
        pytest.param({**ADDRESS, "email_verified": False}, None, "ana@example.com", id="unverified"),
        pytest.param({**ADDRESS, "email_verified": "true"}, None, "ana@example.com", id="true-as-text"),
        pytest.param({**ADDRESS, "email_verified": 1}, None, "ana@example.com", id="one"),
        pytest.param({**ADDRESS, "email_verified": [True]}, None, "ana@example.com", id="array"),
        pytest.param({**VERIFIED, "email": " Ana@Example.COM "}, "ana@example.com", "ana@example.com", id="normalised"),
        pytest.param({**VERIFIED, "email": ""}, None, None, id="empty"),
        pytest.param({**VERIFIED, "email": "  "}, None, None, id="blank"),
        pytest.param({**VERIFIED, "email": None}, None, None, id="null"),
        pytest.param({**SUB, "email_verified": True}, None, None, id="absent"),
        pytest.param({"email": "ana@example.com", "email_verified": True}, None, None, id="a-guest-has-none"),
        pytest.param({**SUB, "user_metadata": VERIFIED}, None, None, id="user-metadata-is-ignored"),
        pytest.param(
            {**ADDRESS, "user_metadata": VERIFIED}, None, "ana@example.com", id="user-metadata-verifies-nothing"
        ),
        pytest.param(None, None, None, id="no-claims"),
    ],
)
def test_the_email_is_the_top_level_claim_and_counts_when_verified(
    db: EventliveDatabase, claims: object, verified: str | None, any_email: str | None
) -> None:
    assert asked(db, "eventlive.current_email(true)", claims) == verified
    assert asked(db, "eventlive.current_email(false)", claims) == any_email


SERVICE_CLAIMS = {"role": "service_role"}


@pytest.mark.parametrize(
    ("login", "role", "claims", "service"),
    [
        pytest.param("superuser", None, None, True, id="administrator-at-a-prompt"),
        pytest.param("superuser", None, SERVICE_CLAIMS, True, id="administrator-with-service-claims"),
        pytest.param("superuser", None, USER_CLAIMS, False, id="administrator-with-the-claims-of-a-user"),
        pytest.param("superuser", None, {"role": "anon"}, False, id="administrator-with-the-claims-of-a-guest"),
        pytest.param("superuser", "authenticated", None, False, id="administrator-as-authenticated"),
        pytest.param("superuser", "anon", None, False, id="administrator-as-anon"),
        pytest.param("superuser", "service_role", None, True, id="administrator-as-service-role"),
        pytest.param("superuser", "service_role", SERVICE_CLAIMS, True, id="service-role"),
        pytest.param("superuser", "service_role", USER_CLAIMS, False, id="service-role-with-the-claims-of-a-user"),
        pytest.param("superuser", "authenticated", SERVICE_CLAIMS, False, id="user-who-claims-to-be-the-service"),
        pytest.param("superuser", "anon", SERVICE_CLAIMS, False, id="guest-who-claims-to-be-the-service"),
        pytest.param("authenticator", None, None, False, id="gateway-that-set-no-role"),
        pytest.param("authenticator", None, SERVICE_CLAIMS, False, id="gateway-that-set-claims-alone"),
        pytest.param("authenticator", "service_role", SERVICE_CLAIMS, True, id="gateway-as-service-role"),
        pytest.param("authenticator", "authenticated", USER_CLAIMS, False, id="gateway-as-a-user"),
        pytest.param(
            "authenticator", "authenticated", SERVICE_CLAIMS, False, id="gateway-as-a-user-with-service-claims"
        ),
        pytest.param("backend", None, None, True, id="back-end-that-inherits-service-role"),
        pytest.param("backend", None, USER_CLAIMS, False, id="back-end-with-the-claims-of-a-user"),
        pytest.param("owner", None, None, False, id="owner-of-the-schema"),
        pytest.param("stranger", None, SERVICE_CLAIMS, False, id="login-role-that-owns-nothing"),
    ],
)
def test_service_rights_need_the_role_and_claims_that_do_not_say_otherwise(
    db: EventliveDatabase, login: str, role: str | None, claims: object, service: bool
) -> None:
    assert asked(db, "eventlive.is_service()", claims, login, role) == str(service).lower()


def test_the_claims_of_a_user_on_a_superuser_connection_administer_nothing(db: EventliveDatabase) -> None:
    cast = assemble(db)
    for name, role in (("stranger", "none"), ("attendee", "none"), ("stranger", "service_role")):
        actor = Actor(db.connect(), Identity(role, {"sub": str(USERS[name]), "role": "authenticated"}))
        assert actor.refused("webinar_set_status", webinar_id=WEBINAR, status="ended").token == "not_allowed"
    cast.actor("service").call("webinar_set_status", webinar_id=WEBINAR, status="ended")


@pytest.mark.parametrize(
    ("function", "old", "new", "expression", "claims", "right"),
    [
        pytest.param(
            "is_service", "= 'service_role'", "is not null", "eventlive.is_service()", USER_CLAIMS, "false",
            id="claims-not-looked-at",
        ),
        pytest.param(
            "current_email", "v_claims ->> 'email'", "coalesce(v_claims -> 'user_metadata' ->> 'email', '')",
            "eventlive.current_email(false)", {**SUB, "user_metadata": VERIFIED}, None, id="user-metadata-believed",
        ),
        pytest.param(
            "claimed_user_id", "v_claims::pg_catalog.json", "(v_claims::pg_catalog.json -> 'user_metadata')",
            "eventlive.current_user_id()", {"user_metadata": SUB}, None, id="sub-of-metadata-believed",
        ),
    ],
)  # fmt: skip
def test_a_function_that_believes_too_much_is_seen(
    db: EventliveDatabase, function: str, old: str, new: str, expression: str, claims: object, right: str | None
) -> None:
    assert asked(db, expression, claims) == right
    break_function(db, function, old, new)
    assert asked(db, expression, claims) != right
