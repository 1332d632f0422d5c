"""An issuer for tests: real keys, and tokens that are as good or as bad as a test wants them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eventlive_db.client.tokens import Expected

NOW = 1_800_000_000.0
ISSUER, AUDIENCE = "https://auth.example/v1", "authenticated"
SECRET = "a secret of more than thirty-two bytes, for tests alone"
USER_ID = "3f2b8c1e-7d4a-4b6f-9c1d-0a5e8f7b6c2d"
EXPECTED = Expected(ISSUER, AUDIENCE)
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": USER_ID,
    "role": "authenticated",
    "iat": NOW - 60,
    "exp": NOW + 3600,
}

Failure = TypeVar("Failure", bound=Exception)
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def now() -> float:
    """The time that it always is."""
    return NOW


@cache
def private_key(algorithm: str, name: str = "first") -> PrivateKey:
    """A key of this algorithm; the same one for the same name."""
    if algorithm.startswith(("RS", "PS")):
        return rsa.generate_private_key(65537, 2048)
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    curves: dict[str, type[ec.EllipticCurve]] = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
    return ec.generate_private_key(curves[algorithm]())


def jwk(algorithm: str, kid: str, name: str = "first", **changes: object) -> dict[str, Any]:
    """The public half of a key, as an issuer publishes it; a change to ``None`` leaves a member out."""
    found = jwt.get_algorithm_by_name(algorithm).to_jwk(private_key(algorithm, name).public_key(), as_dict=True)
    # PyJWT writes key_ops for RSA, and others do not.
    members = {**found, "kid": kid, "alg": algorithm, "use": "sig", "key_ops": None, **changes}
    return {member: value for member, value in members.items() if value is not None}


def pem(algorithm: str) -> bytes:
    """The public half of a key as it is often published."""
    return private_key(algorithm).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def mint(
    claims: Mapping[str, Any] = CLAIMS,
    *,
    alg: str = "ES256",
    kid: str | None = "k1",
    name: str = "first",
    **header: Any,
) -> str:
    """A token signed with a private key."""
    return sealed(
        json.dumps({"alg": alg, **({} if kid is None else {"kid": kid}), **header}).encode(),
        json.dumps(dict(claims)).encode(),
        signer(alg, name),
    )


def shared(claims: Mapping[str, Any] = CLAIMS, secret: str | bytes = SECRET, **header: Any) -> str:
    """A token signed with a secret."""
    return sealed(json.dumps({"alg": "HS256", **header}).encode(), json.dumps(dict(claims)).encode(), hmac(secret))


def signer(algorithm: str, name: str = "first") -> Callable[[bytes], bytes]:
    """Signs with a private key."""
    return lambda text: jwt.get_algorithm_by_name(algorithm).sign(text, private_key(algorithm, name))


def hmac(secret: str | bytes) -> Callable[[bytes], bytes]:
    """Signs with a secret, whatever it is: what an attacker does asks no library whether it is wise."""
    import hashlib
    import hmac as stdlib

    raw = secret.encode() if isinstance(secret, str) else secret
    return lambda text: stdlib.new(raw, text, hashlib.sha256).digest()


def sealed(header: bytes, payload: bytes, sign: Callable[[bytes], bytes]) -> str:
    """A token of these very bytes, with a signature that holds."""
    signed = b".".join(map(part, (header, payload)))
    return b".".join((signed, part(sign(signed)))).decode()


def part(text: bytes) -> bytes:
    """As it stands in a token."""
    return base64.urlsafe_b64encode(text).rstrip(b"=")


def failure(kind: type[Failure], do: Callable[..., object], *arguments: object) -> Failure | None:
    """The error of this kind that it raises; ``None`` where it raises none."""
    try:
        do(*arguments)
    except kind as error:
        return error
    return None
