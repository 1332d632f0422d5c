"""Keys, and whether a signature holds: the one module that needs PyJWT, which does all of the cryptography."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

from eventlive_db.client.tokens.keyring import KeyId

EXTRA = "Tokens are verified with PyJWT and cryptography: pip install 'eventlive-db[http]'"

try:
    import jwt
    from jwt.algorithms import has_crypto
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(EXTRA, name=error.name) from error

VerifyingKey: TypeAlias = jwt.PyJWK

DEFAULT_ALGORITHMS = ("ES256", "RS256")

# RFC 7518, section 3.1, and RFC 8037, section 3.1: the type, and the curve, that each algorithm takes. Nothing
# symmetric: a secret in a document that anybody may fetch is none.
_FITS: Mapping[str, tuple[str, str | None]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}

# RFC 7518, section 3.2: a key of the size of the hash output, or larger.
_MIN_SECRET_BYTES = 32

_JWS = jwt.PyJWS(options={"verify_signature": True, "enforce_minimum_key_length": True})


def secret_key(secret: str | bytes) -> VerifyingKey:
    """The key of HS256.

    Args:
        secret: At least 32 bytes (RFC 7518, section 3.2); a text is taken as UTF-8, as Supabase and PostgREST do.

    Raises:
        ValueError: It is shorter, or is a public key or a certificate, which is no secret. Its text is not in the
            error.
    """
    raw = secret.encode() if isinstance(secret, str) else bytes(secret)
    if len(raw) < _MIN_SECRET_BYTES:
        msg = f"the secret has {len(raw)} bytes, and HS256 needs {_MIN_SECRET_BYTES} (RFC 7518, section 3.2)"
        raise ValueError(msg)
    key = jwt.PyJWK({"kty": "oct", "k": jwt.utils.base64url_encode(raw).decode(), "alg": "HS256"})
    try:
        key.Algorithm.prepare_key(raw)
    except jwt.InvalidKeyError:
        msg = "the secret is a public key or a certificate: give its issuer's JWKS instead"
        raise ValueError(msg) from None
    return key


def require_algorithms(algorithms: Collection[str]) -> frozenset[str]:
    """These, if each can be verified with a public key.

    Raises:
        ValueError: There is none, or one that cannot: ``none``, HS256, or what is not known here.
        ModuleNotFoundError: cryptography is not installed.
    """
    if isinstance(algorithms, str) or not algorithms or not set(algorithms) <= set(_FITS):
        msg = f"algorithms must be some of {', '.join(sorted(_FITS))}"
        raise ValueError(msg)
    if not has_crypto:
        raise ModuleNotFoundError(EXTRA, name="cryptography")
    return frozenset(algorithms)


def read_jwks(document: Mapping[str, Any], algorithms: Collection[str]) -> dict[KeyId, VerifyingKey]:
    """The keys of a JWK set that one of these algorithms may be verified with, by ``kid`` and ``alg``.

    What is of no use is left out, as RFC 7517, section 5, wants: another type, a key without ``kid``, for encryption,
    for another algorithm, too short, or broken; a private key, for it is one no longer; and two different keys of one
    name, for nobody can say which is meant.

    Args:
        document: The set; its member ``keys`` is a list.
        algorithms: Those of :func:`require_algorithms`.

    Raises:
        ValueError: It is not a JWK set.
    """
    entries = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(entries, list):
        msg = "it is not a JWK set (RFC 7517, section 5)"
        raise ValueError(msg)
    found: dict[KeyId, VerifyingKey] = {}
    sources: dict[KeyId, dict[str, Any]] = {}
    ambiguous: set[KeyId] = set()
    for entry in entries:
        for key_id, key in _keys_of(entry, algorithms):
            if sources.setdefault(key_id, entry) != entry:
                ambiguous.add(key_id)
            found[key_id] = key
    return {key_id: key for key_id, key in found.items() if key_id not in ambiguous}


def _keys_of(entry: object, algorithms: Collection[str]) -> list[tuple[KeyId, VerifyingKey]]:
    if not isinstance(entry, dict) or not _is_to_verify_with(entry):
        return []
    kid, names = entry.get("kid"), [name for name in algorithms if _fits(entry, name)]
    if not isinstance(kid, str) or not kid:
        return []
    return [((kid, name), key) for name in names if (key := _load(entry, name))]


def _is_to_verify_with(entry: Mapping[str, Any]) -> bool:
    """RFC 7517, sections 4.2 and 4.3; and RFC 7518, sections 6.2.2 and 6.3.2: ``d`` makes it private."""
    operations = entry.get("key_ops", ["verify"])
    return (
        entry.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and "d" not in entry
    )


def _fits(entry: Mapping[str, Any], algorithm: str) -> bool:
    kind, curve = _FITS[algorithm]
    return (
        entry.get("kty") == kind
        and (curve is None or entry.get("crv") == curve)
        and entry.get("alg", algorithm) == algorithm
    )


def _load(entry: dict[str, Any], algorithm: str) -> VerifyingKey | None:
    try:
        key = jwt.PyJWK.from_dict(entry, algorithm)
    except (jwt.PyJWTError, ValueError):
        return None
    return None if key.Algorithm.check_key_length(key.key) else key


def signature_holds(token: str, key: VerifyingKey) -> bool:
    """Whether this key, with its own algorithm and no other, made the signature of this token."""
    try:
        _JWS.decode_complete(token, key, algorithms=[key.algorithm_name])
    except jwt.PyJWTError:
        return False
    return True
