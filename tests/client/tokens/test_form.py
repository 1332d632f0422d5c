"""What is no token of the pinned algorithm and key is refused before its claims are looked at (R7)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlive_db.client.errors import UnauthenticatedError
from eventlive_db.client.tokens import Expected, TokenVerifier
from eventlive_db.client.tokens.compact import expiry
from tests.client.tokens.minting import (
    AUDIENCE,
    CLAIMS,
    EXPECTED,
    ISSUER,
    NOW,
    SECRET,
    failure,
    hmac,
    jwk,
    mint,
    now,
    part,
    pem,
    sealed,
    shared,
    signer,
)

PAYLOAD = json.dumps(dict(CLAIMS)).encode()
KEYS = {"keys": [jwk("ES256", "k1"), jwk("RS256", "r1")]}


def refused_part(verifier: TokenVerifier, token: str) -> str:
    """Empty where it is accepted, else the part that is wrong."""
    error = failure(UnauthenticatedError, verifier.verify, token)
    if error is None:
        return ""
    assert (error.status, error.token) == (401, "token_not_accepted")
    assert not any(piece in repr(error) for piece in str(token).split(".") if len(piece) > 3)
    return str(error.payload["part"])


BY_KEY = TokenVerifier.jwks(lambda: KEYS, EXPECTED, clock=now)
BY_SECRET = TokenVerifier.hs256(SECRET, EXPECTED, clock=now)


def es256(header: bytes) -> str:
    return sealed(header, PAYLOAD, signer("ES256"))


def nothing(_: bytes) -> bytes:
    return b""


REFUSED_BY_KEY: dict[str, tuple[Callable[[], str], str]] = {
    "alg-none": (lambda: sealed(b'{"alg":"none","kid":"k1"}', PAYLOAD, nothing), "alg"),
    "alg-None": (lambda: sealed(b'{"alg":"None","kid":"k1"}', PAYLOAD, nothing), "alg"),
    "alg-empty": (lambda: sealed(b'{"alg":"","kid":"k1"}', PAYLOAD, nothing), "alg"),
    "alg-missing": (lambda: es256(b'{"kid":"k1"}'), "alg"),
    "alg-null": (lambda: es256(b'{"alg":null,"kid":"k1"}'), "alg"),
    "alg-list": (lambda: es256(b'{"alg":["ES256"],"kid":"k1"}'), "alg"),
    "alg-lower-case": (lambda: es256(b'{"alg":"es256","kid":"k1"}'), "alg"),
    "alg-not-pinned": (lambda: mint(alg="RS512", kid="r1"), "alg"),
    "public-key-as-secret": (lambda: shared(secret=pem("RS256"), kid="r1"), "alg"),
    "public-jwk-as-secret": (lambda: shared(secret=json.dumps(jwk("RS256", "r1")), kid="r1"), "alg"),
    "public-key-as-secret-under-its-alg": (
        lambda: sealed(b'{"alg":"RS256","kid":"r1"}', PAYLOAD, hmac(pem("RS256"))),
        "signature",
    ),
    "alg-of-another-key": (lambda: sealed(b'{"alg":"ES256","kid":"r1"}', PAYLOAD, signer("RS256")), "kid"),
    "kid-missing": (lambda: mint(kid=None), "kid"),
    "kid-unknown": (lambda: mint(kid="k2"), "kid"),
    "kid-empty": (lambda: mint(kid=""), "kid"),
    "kid-null": (lambda: es256(b'{"alg":"ES256","kid":null}'), "kid"),
    "kid-list": (lambda: es256(b'{"alg":"ES256","kid":["k1"]}'), "kid"),
    "kid-path": (lambda: mint(kid="../../dev/null"), "kid"),
    "signed-by-another": (lambda: mint(name="attacker"), "signature"),
    "signed-by-the-key-it-brings": (
        lambda: mint(name="attacker", jwk=jwk("ES256", "k1", "attacker"), jku="https://evil.example"),
        "signature",
    ),
    "signature-missing": (lambda: mint().rpartition(".")[0] + ".", "signature"),
    "signature-of-zeros": (lambda: mint().rpartition(".")[0] + "." + part(bytes(64)).decode(), "signature"),
    "signature-too-long": (lambda: mint() + "AAAA", "signature"),
    "payload-changed": (lambda: swapped(mint(), 1, part(json.dumps({**CLAIMS, "role": "anon"}).encode())), "signature"),
    "header-changed": (lambda: swapped(mint(), 0, part(b'{"alg":"ES256","kid":"k1" }')), "signature"),
    "crit-unknown": (lambda: mint(crit=["exp"], exp=1), "crit"),
    "crit-empty": (lambda: mint(crit=[]), "crit"),
    "crit-b64": (lambda: mint(crit=["b64"], b64=False), "crit"),
    "b64-alone": (lambda: mint(b64=False), "crit"),
    "typ-of-a-logout-token": (lambda: mint(typ="logout+jwt"), "typ"),
    "typ-list": (lambda: mint(typ=["JWT"]), "typ"),
    "header-list": (lambda: es256(b"[]"), "form"),
    "header-empty": (lambda: mint()[mint().index(".") :], "form"),
    "header-no-json": (lambda: es256(b"{"), "form"),
    "header-alg-twice": (lambda: es256(b'{"alg":"none","alg":"ES256","kid":"k1"}'), "form"),
    "header-kid-twice": (lambda: es256(b'{"alg":"ES256","kid":"k2","kid":"k1"}'), "form"),
    "header-nan": (lambda: es256(b'{"alg":"ES256","kid":"k1","a":NaN}'), "form"),
    "header-too-deep": (lambda: es256(b'{"alg":"ES256","kid":"k1","a":' + b"[" * 5000 + b"]" * 5000 + b"}"), "form"),
    "empty": (str, "form"),
    "one-part": (lambda: "a", "form"),
    "two-parts": (lambda: mint().rpartition(".")[0], "form"),
    "four-parts": (lambda: mint() + ".a", "form"),
    "encrypted": (lambda: mint() + ".a.a", "form"),
    "bearer": (lambda: f"Bearer {mint()}", "form"),
    "newline": (lambda: f"{mint()}\n", "form"),
    "padding": (lambda: f"{mint()}==", "form"),
    "plain-base64": (lambda: swapped(mint(), 1, b"ab+/"), "form"),
    "loose-bits": (lambda: swapped(mint(), 2, b"AB"), "form"),
    "no-ascii": (lambda: mint() + "é", "form"),
    "surrogate": (lambda: mint() + "\ud800", "form"),
    "too-long": (lambda: mint(CLAIMS | {"a": "a" * 16_384}), "form"),
    "bytes": (lambda: mint().encode(), "form"),  # type: ignore[dict-item, return-value]
    "nothing": (lambda: None, "form"),  # type: ignore[dict-item, return-value]
}


def swapped(token: str, index: int, piece: bytes) -> str:
    """A token with one part another."""
    parts = token.split(".")
    parts[index] = piece.decode()
    return ".".join(parts)


@pytest.mark.parametrize(("make", "expected"), REFUSED_BY_KEY.values(), ids=REFUSED_BY_KEY)
def test_what_no_key_of_the_issuer_signed_as_pinned_is_refused(make: Callable[[], str], expected: str) -> None:
    assert refused_part(BY_KEY, make()) == expected


@pytest.mark.parametrize(
    "make",
    [
        mint,
        lambda: mint(alg="RS256", kid="r1"),
        lambda: mint(typ="JWT"),
        lambda: mint(typ="at+jwt"),
        lambda: mint(typ="application/at+JWT"),
        lambda: mint(jwk=jwk("ES256", "k1", "attacker"), cty="x", exp=1),
        lambda: es256(b' {"kid" : "k1",\n"alg":"ES256"} '),
    ],
)
def test_what_a_key_of_the_issuer_signed_is_accepted(make: Callable[[], str]) -> None:
    assert BY_KEY.verify(make()) == CLAIMS


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES384", "ES512", "EdDSA"])
def test_each_algorithm_is_verified_where_it_is_pinned_and_nowhere_else(algorithm: str) -> None:
    keys = {"keys": [jwk(algorithm, "k", alg=None)]}
    token = mint(alg=algorithm, kid="k")
    assert TokenVerifier.jwks(lambda: keys, EXPECTED, algorithms=[algorithm], clock=now).verify(token) == CLAIMS
    other = TokenVerifier.jwks(lambda: keys, EXPECTED, algorithms=["ES256"], clock=now)
    assert refused_part(other, token) == "alg"


REFUSED_BY_SECRET: dict[str, tuple[Callable[[], str], str]] = {
    "alg-none": (lambda: sealed(b'{"alg":"none"}', PAYLOAD, nothing), "alg"),
    "alg-HS512": (lambda: shared(alg="HS512"), "alg"),
    "alg-RS256": (lambda: mint(alg="RS256"), "alg"),
    "another-secret": (lambda: shared(secret=SECRET + " "), "signature"),
    "empty-secret": (lambda: shared(secret=b""), "signature"),
    "crit": (lambda: shared(crit=["b64"]), "crit"),
    "kid-number": (lambda: shared(kid=1), "kid"),
}


@pytest.mark.parametrize(("make", "expected"), REFUSED_BY_SECRET.values(), ids=REFUSED_BY_SECRET)
def test_what_the_secret_did_not_sign_is_refused(make: Callable[[], str], expected: str) -> None:
    assert refused_part(BY_SECRET, make()) == expected
    assert refused_part(BY_SECRET, shared(kid="any")) == ""


@pytest.mark.parametrize("secret", ["", "short", "x" * 31, b"x" * 31])
def test_a_secret_that_can_be_guessed_is_not_taken(secret: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"32 \(RFC 7518, section 3\.2\)"):
        TokenVerifier.hs256(secret, EXPECTED)
    TokenVerifier.hs256(secret + type(secret)(b"x" * 32) if isinstance(secret, bytes) else "x" * 32, EXPECTED)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_public_key_is_not_taken_for_a_secret(algorithm: str) -> None:
    for text in (pem(algorithm), json.dumps(jwk(algorithm, "k"))):
        with pytest.raises(ValueError, match="is a public key or a certificate"):
            TokenVerifier.hs256(text, EXPECTED)


@pytest.mark.parametrize("algorithms", [[], ["none"], ["HS256"], ["ES256", "HS256"], ["ES256K"], "ES256"])
def test_algorithms_that_no_public_key_verifies_are_not_taken(algorithms: Any) -> None:
    with pytest.raises(ValueError, match="algorithms must be some of"):
        TokenVerifier.jwks(lambda: KEYS, EXPECTED, algorithms=algorithms)


def test_a_token_is_as_long_as_it_may_be_and_not_longer() -> None:
    token = shared()
    exact = TokenVerifier.hs256(SECRET, Expected(ISSUER, AUDIENCE, max_length=len(token)), clock=now)
    below = TokenVerifier.hs256(SECRET, Expected(ISSUER, AUDIENCE, max_length=len(token) - 1), clock=now)
    assert refused_part(exact, token) == ""
    assert refused_part(below, token) == "form"


@given(st.text() | st.from_regex(r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}", fullmatch=True))
def test_whatever_is_no_token_is_refused(text: str) -> None:
    assert refused_part(BY_KEY, text)
    assert refused_part(BY_SECRET, text)


@given(header=st.binary(max_size=80), signature=st.binary(max_size=80))
def test_whatever_the_header_and_the_signature_are_they_are_refused(header: bytes, signature: bytes) -> None:
    for start in (header, b'{"alg":"ES256","kid":"k1"}', b'{"alg":"RS256","kid":"r1"}'):
        assert refused_part(BY_KEY, sealed(start, PAYLOAD, lambda _: signature))


@given(index=st.integers(0, 10_000), letter=st.sampled_from("ABCxyz019-_."))
def test_a_token_with_one_letter_changed_is_refused(index: int, letter: str) -> None:
    for verifier, token in ((BY_KEY, TOKENS[0]), (BY_SECRET, TOKENS[1])):
        at = index % len(token)
        changed = token[:at] + letter + token[at + 1 :]
        assert bool(refused_part(verifier, changed)) == (changed != token)


TOKENS = (mint(), shared())


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (shared(), NOW + 3600),
        (shared({}), None),
        (shared({"exp": "1"}), None),
        (shared({"exp": True}), None),
        ("opaque", None),
        ("a.b.c", None),
        ("a.é.c", None),
        ("..", None),
        (sealed(b"{}", b"[]", nothing), None),
        ("a" * 20_000, None),
    ],
)
def test_a_token_says_by_itself_when_it_expires_where_it_can(token: str, expected: float | None) -> None:
    assert expiry(token) == expected
