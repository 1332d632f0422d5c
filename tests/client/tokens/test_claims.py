"""A token whose signature holds is refused all the same where a claim is not what it must be (R7)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlive_db.client import Identity
from eventlive_db.client.errors import UnauthenticatedError
from eventlive_db.client.tokens import Expected, TokenVerifier
from tests.client.tokens.minting import (
    AUDIENCE,
    CLAIMS,
    EXPECTED,
    ISSUER,
    NOW,
    SECRET,
    USER_ID,
    failure,
    hmac,
    now,
    sealed,
    shared,
)
from tests.support.errors import assert_conforms

VERIFIER = TokenVerifier.hs256(SECRET, EXPECTED, clock=now)


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in CLAIMS.items() if name not in names}


def verdict(token: str, verifier: TokenVerifier = VERIFIER) -> str:
    """Empty where the token is accepted, else its error's token and payload."""
    error = failure(UnauthenticatedError, verifier.verify, token)
    if error is None:
        return ""
    assert_conforms(error)
    assert error.status == 401
    assert not error.retry
    assert not any(part in repr(error) + str(error.payload) for part in token.split(".") if len(part) > 3)
    return " ".join([error.token, *map(str, error.payload.values())])


REFUSED = {
    "exp-missing": (without("exp"), "token_not_accepted exp"),
    "exp-null": (CLAIMS | {"exp": None}, "token_not_accepted exp"),
    "exp-text": (CLAIMS | {"exp": str(NOW + 60)}, "token_not_accepted exp"),
    "exp-true": (CLAIMS | {"exp": True}, "token_not_accepted exp"),
    "exp-milliseconds": (CLAIMS | {"exp": int(NOW + 3600) * 1000}, "token_not_accepted exp"),
    "exp-huge": (CLAIMS | {"exp": 10**300}, "token_not_accepted exp"),
    "exp-huge-exponent": (CLAIMS | {"exp": 1e300}, "token_not_accepted exp"),
    "exp-huge-and-negative": (CLAIMS | {"exp": -(10**300)}, "token_not_accepted exp"),
    "exp-over": (CLAIMS | {"exp": NOW - 30}, "token_expired"),
    "exp-negative": (CLAIMS | {"exp": -1}, "token_expired"),
    "nbf-later": (CLAIMS | {"nbf": NOW + 31}, "token_not_accepted nbf"),
    "nbf-text": (CLAIMS | {"nbf": "0"}, "token_not_accepted nbf"),
    "nbf-null": (CLAIMS | {"nbf": None}, "token_not_accepted nbf"),
    "iat-later": (CLAIMS | {"iat": NOW + 31}, "token_not_accepted iat"),
    "iat-list": (CLAIMS | {"iat": [0]}, "token_not_accepted iat"),
    "iss-missing": (without("iss"), "token_not_accepted iss"),
    "iss-another": (CLAIMS | {"iss": "https://elsewhere.example"}, "token_not_accepted iss"),
    "iss-longer": (CLAIMS | {"iss": f"{ISSUER}/"}, "token_not_accepted iss"),
    "iss-list": (CLAIMS | {"iss": [ISSUER]}, "token_not_accepted iss"),
    "aud-missing": (without("aud"), "token_not_accepted aud"),
    "aud-another": (CLAIMS | {"aud": "other"}, "token_not_accepted aud"),
    "aud-longer": (CLAIMS | {"aud": f"{AUDIENCE} "}, "token_not_accepted aud"),
    "aud-others": (CLAIMS | {"aud": ["other", "another"]}, "token_not_accepted aud"),
    "aud-empty": (CLAIMS | {"aud": []}, "token_not_accepted aud"),
    "aud-object": (CLAIMS | {"aud": {AUDIENCE: True}}, "token_not_accepted aud"),
    "aud-mixed": (CLAIMS | {"aud": [AUDIENCE, 1]}, "token_not_accepted aud"),
    "sub-missing": (without("sub"), "token_not_accepted sub"),
    "sub-null": (CLAIMS | {"sub": None}, "token_not_accepted sub"),
    "sub-no-uuid": (CLAIMS | {"sub": "admin"}, "invalid_claims"),
    "sub-urn": (CLAIMS | {"sub": f"urn:uuid:{USER_ID}"}, "invalid_claims"),
    "sub-with-nul": (CLAIMS | {"sub": f"{USER_ID}\0"}, "invalid_claims"),
    "sub-with-newline": (CLAIMS | {"sub": f"{USER_ID}\n"}, "invalid_claims"),
    "sub-in-other-digits": (CLAIMS | {"sub": USER_ID.replace("3", "٣")}, "invalid_claims"),
    "sub-list": (CLAIMS | {"sub": [USER_ID]}, "invalid_claims"),
    "sub-number": (CLAIMS | {"sub": 5}, "invalid_claims"),
    "sub-no-uuid-of-a-guest": (CLAIMS | {"role": "anon", "sub": "admin"}, "invalid_claims"),
    "role-of-the-owner": (CLAIMS | {"role": "eventlive_owner"}, "token_not_accepted role"),
    "role-of-the-connection": (CLAIMS | {"role": "none"}, "token_not_accepted role"),
    "role-empty": (CLAIMS | {"role": ""}, "token_not_accepted role"),
    "role-null": (CLAIMS | {"role": None}, "token_not_accepted role"),
    "role-list": (CLAIMS | {"role": ["authenticated"]}, "token_not_accepted role"),
}

ACCEPTED = {
    "all": CLAIMS,
    "exp-within-the-leeway": CLAIMS | {"exp": NOW - 29},
    "exp-with-a-fraction": CLAIMS | {"exp": NOW + 0.5},
    "nbf-within-the-leeway": CLAIMS | {"nbf": NOW + 30},
    "iat-within-the-leeway": CLAIMS | {"iat": NOW + 30},
    "iat-missing": without("iat"),
    "aud-of-several": CLAIMS | {"aud": ["other", AUDIENCE]},
    "guest": without("sub", "role"),
    "guest-with-null": CLAIMS | {"sub": None, "role": "anon"},
    "service": without("sub") | {"role": "service_role"},
    "upper-case-uuid": CLAIMS | {"sub": USER_ID.upper()},
    "more-claims": CLAIMS | {"email": "ada@example.org", "app_metadata": {"a": [1, 2.5, None]}},
}


@pytest.mark.parametrize(("claims", "expected"), REFUSED.values(), ids=REFUSED)
def test_a_claim_that_is_missing_or_not_what_it_must_be_is_refused(claims: dict[str, Any], expected: str) -> None:
    assert verdict(shared(claims)) == expected


@pytest.mark.parametrize("claims", ACCEPTED.values(), ids=ACCEPTED)
def test_claims_that_are_right_come_back_as_they_are(claims: dict[str, Any]) -> None:
    assert VERIFIER.verify(shared(claims)) == claims


def test_a_verified_token_makes_an_identity() -> None:
    assert Identity.of(VERIFIER.verify(shared())) == Identity("authenticated", dict(CLAIMS))


def test_a_signature_comes_before_the_claims() -> None:
    for claims, _ in REFUSED.values():
        assert verdict(shared(claims, "another secret of more than thirty-two bytes")) == "token_not_accepted signature"


BAD_PAYLOADS = {
    "list": b"[]",
    "text": b'"claims"',
    "null": b"null",
    "empty": b"",
    "rubbish": b"{",
    "two-objects": b"{}{}",
    "sub-twice": json.dumps(dict(CLAIMS)).encode()[:-1] + b', "sub": "00000000-0000-4000-8000-000000000000"}',
    "twice-within": json.dumps(dict(CLAIMS)).encode()[:-1] + b', "a": {"b": 1, "b": 2}}',
    "exp-nan": json.dumps({**CLAIMS, "exp": float("nan")}).encode(),
    "exp-infinity": json.dumps({**CLAIMS, "exp": float("inf")}).encode(),
    "exp-overflows": json.dumps(dict(CLAIMS)).replace(str(CLAIMS["exp"]), "1e999").encode(),
    "exp-of-5000-digits": json.dumps(dict(CLAIMS)).replace(str(CLAIMS["exp"]), "9" * 5000).encode(),
    "infinity-within": json.dumps({**CLAIMS, "a": [float("-inf")]}).encode(),
    "utf-16": json.dumps(dict(CLAIMS)).encode("utf-16"),
    "utf-8-with-mark": b"\xef\xbb\xbf" + json.dumps(dict(CLAIMS)).encode(),
    "latin-1": json.dumps({**CLAIMS, "name": "ü"}, ensure_ascii=False).encode("latin-1"),
    "too-deep": json.dumps(dict(CLAIMS)).encode()[:-1] + b', "a": ' + b"[" * 5000 + b"]" * 5000 + b"}",
}


@pytest.mark.parametrize("payload", BAD_PAYLOADS.values(), ids=BAD_PAYLOADS)
def test_a_payload_that_is_no_json_object_or_can_be_read_in_two_ways_is_refused(payload: bytes) -> None:
    assert verdict(sealed(b'{"alg":"HS256"}', payload, hmac(SECRET))) == "invalid_claims"


def test_no_audience_is_expected_where_a_token_has_none_and_not_taken_for_any() -> None:
    verifier = TokenVerifier.hs256(SECRET, Expected(ISSUER, None), clock=now)
    assert verdict(shared(without("aud")), verifier) == ""
    assert verdict(shared(), verifier) == "token_not_accepted aud"
    assert verdict(shared(CLAIMS | {"aud": []}), verifier) == "token_not_accepted aud"


def test_one_of_several_audiences_is_enough() -> None:
    verifier = TokenVerifier.hs256(SECRET, Expected(ISSUER, {"app", AUDIENCE}), clock=now)
    assert verdict(shared(), verifier) == ""
    assert verdict(shared(CLAIMS | {"aud": ["x", "app"]}), verifier) == ""
    assert verdict(shared(CLAIMS | {"aud": "other"}), verifier) == "token_not_accepted aud"


def test_fewer_roles_may_be_taken() -> None:
    verifier = TokenVerifier.hs256(SECRET, Expected(ISSUER, AUDIENCE, roles={"authenticated"}), clock=now)
    assert verdict(shared(), verifier) == ""
    assert verdict(shared(CLAIMS | {"role": "service_role"}), verifier) == "token_not_accepted role"


def test_without_leeway_the_second_counts() -> None:
    verifier = TokenVerifier.hs256(SECRET, Expected(ISSUER, AUDIENCE, leeway_s=0), clock=now)
    assert verdict(shared(CLAIMS | {"exp": NOW}), verifier) == "token_expired"
    assert verdict(shared(CLAIMS | {"exp": NOW + 1, "nbf": NOW, "iat": NOW}), verifier) == ""


@pytest.mark.parametrize(
    "arguments",
    [
        {"issuer": ""},
        {"audience": ""},
        {"audience": []},
        {"audience": ["app", ""]},
        {"roles": []},
        {"roles": "authenticated"},
        {"leeway_s": -1},
        {"leeway_s": float("nan")},
        {"leeway_s": float("inf")},
        {"max_length": 0},
    ],
)
def test_what_would_let_everybody_in_or_nobody_cannot_be_expected(arguments: dict[str, Any]) -> None:
    Expected(ISSUER, AUDIENCE)
    with pytest.raises(ValueError, match="must be"):
        Expected(**({"issuer": ISSUER, "audience": AUDIENCE} | arguments))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(changes=st.dictionaries(st.sampled_from([*CLAIMS, "nbf"]), JSON, min_size=1))
def test_whatever_stands_in_the_claims_is_an_identity_or_a_refusal(changes: dict[str, Any]) -> None:
    claims = CLAIMS | changes
    if verdict(shared(claims)) == "":
        assert claims["iss"] == ISSUER
        assert AUDIENCE in (claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]])
        assert not isinstance(claims["exp"], bool)
        assert NOW - 30 < claims["exp"] < NOW * 1000
        assert claims["role"] in {"anon", "authenticated", "service_role"}
        assert claims["sub"] == USER_ID or claims["sub"] is None


@given(st.floats() | st.integers())
def test_an_expiry_is_in_the_future_or_refused(expires: float) -> None:
    payload = json.dumps({**CLAIMS, "exp": expires}).encode()
    accepted = verdict(sealed(b'{"alg":"HS256"}', payload, hmac(SECRET))) == ""
    assert accepted == (NOW - 30 < expires <= 253_402_300_799)
