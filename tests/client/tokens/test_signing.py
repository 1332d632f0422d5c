"""Which keys of a JWK set may verify what (R7; RFC 7517, RFC 7518)."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt import get_algorithm_by_name

from eventlive_db.client.tokens.signing import read_jwks, require_algorithms, signature_holds
from tests.client.tokens.minting import jwk, mint, private_key

ALL = require_algorithms(["ES256", "ES384", "RS256", "PS256", "EdDSA"])
EC, RSA = jwk("ES256", "k1"), jwk("RS256", "k1")


def names(*keys: object) -> set[tuple[str, str]]:
    """What may be verified."""
    return set(read_jwks({"keys": list(keys)}, ALL))


def changed(key: dict[str, Any], **changes: object) -> dict[str, Any]:
    return {name: value for name, value in (key | changes).items() if value is not ...}


def short_rsa() -> dict[str, Any]:
    small = rsa.generate_private_key(65537, 1024)  # noqa: S505 - what is to be refused
    return changed(get_algorithm_by_name("RS256").to_jwk(small.public_key(), as_dict=True), kid="k1")


LEFT_OUT: dict[str, object] = {
    "symmetric": {"kty": "oct", "k": "a" * 43, "kid": "k1", "alg": "HS256"},
    "symmetric-that-claims-to-be-RS256": {"kty": "oct", "k": "a" * 43, "kid": "k1", "alg": "RS256"},
    "no-kid": changed(EC, kid=...),
    "kid-empty": changed(EC, kid=""),
    "kid-number": changed(EC, kid=1),
    "for-encryption": changed(EC, use="enc"),
    "use-null": changed(EC, use=None),
    "to-sign-with": changed(EC, key_ops=["sign"]),
    "key_ops-text": changed(EC, key_ops="verify"),
    "alg-of-encryption": changed(RSA, alg="RSA-OAEP"),
    "alg-symmetric": changed(EC, alg="HS256"),
    "alg-of-another-curve": changed(EC, alg="ES384"),
    "alg-of-another-type": changed(EC, alg="RS256"),
    "alg-list": changed(EC, alg=["ES256"]),
    "curve-not-pinned": jwk("ES512", "k1"),
    "curve-unknown": changed(EC, crv="secp256k1"),
    "curve-missing": changed(EC, crv=...),
    "type-missing": changed(EC, kty=...),
    "type-unknown": changed(EC, kty="LWE"),
    "private": get_algorithm_by_name("ES256").to_jwk(private_key("ES256"), as_dict=True) | {"kid": "k1"},
    "private-rsa": get_algorithm_by_name("RS256").to_jwk(private_key("RS256"), as_dict=True)
    | {"kid": "k1", "key_ops": ["verify"]},
    "not-on-the-curve": changed(EC, y=EC["x"]),
    "coordinate-missing": changed(EC, y=...),
    "coordinate-number": changed(EC, y=5),
    "coordinate-short": changed(EC, x="AAAA"),
    "coordinate-no-base64url": changed(EC, x="é" * 43),
    "rsa-short": short_rsa(),
    "rsa-exponent-1": changed(RSA, e="AQ"),
    "rsa-exponent-missing": changed(RSA, e=...),
    "rsa-modulus-empty": changed(RSA, n=""),
    "text": "key",
    "null": None,
    "list": [],
}


@pytest.mark.parametrize("key", LEFT_OUT.values(), ids=LEFT_OUT)
def test_a_key_that_is_of_no_use_is_left_out_and_the_others_stay(key: object) -> None:
    assert names(key) == set()
    assert names(key, jwk("ES256", "k2"), key) == {("k2", "ES256")}


def test_a_key_verifies_the_algorithm_it_names_or_all_that_fit_it() -> None:
    assert names(EC, RSA) == {("k1", "ES256"), ("k1", "RS256")}
    assert names(changed(RSA, alg=...)) == {("k1", "RS256"), ("k1", "PS256")}
    assert names(changed(EC, use=..., key_ops=["verify", "sign"])) == {("k1", "ES256")}
    assert set(read_jwks({"keys": [RSA, EC]}, {"ES256"})) == {("k1", "ES256")}


def test_two_keys_of_one_name_are_none_and_one_key_twice_is_one() -> None:
    assert names(EC, jwk("ES256", "k1", "second")) == set()
    assert names(EC, dict(EC)) == {("k1", "ES256")}


def test_a_key_verifies_with_its_own_algorithm_alone() -> None:
    keys = read_jwks({"keys": [changed(RSA, alg=...)]}, ALL)
    token = mint(alg="RS256", kid="k1")
    assert signature_holds(token, keys["k1", "RS256"])
    assert not signature_holds(token, keys["k1", "PS256"])


@pytest.mark.parametrize("document", [{}, {"keys": None}, {"keys": {}}, {"keys": "k"}, [], None, "keys"])
def test_what_is_no_jwk_set_is_said_to_be_none(document: Any) -> None:
    assert read_jwks({"keys": []}, ALL) == {}
    with pytest.raises(ValueError, match="not a JWK set"):
        read_jwks(document, ALL)


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.lists(st.text(max_size=3), max_size=2)


@given(
    start=st.sampled_from([EC, RSA, jwk("EdDSA", "k1"), {}]),
    changes=st.dictionaries(st.sampled_from([*EC, "n", "e", "d", "k", "key_ops"]), VALUES),
)
def test_whatever_stands_in_a_key_the_others_stay(start: dict[str, Any], changes: dict[str, Any]) -> None:
    assert ("k2", "ES256") in names(start | changes, jwk("ES256", "k2"))
