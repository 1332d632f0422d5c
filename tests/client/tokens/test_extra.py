"""The sources need the standard library alone; a verifier without its extra says what to install (R7)."""

from __future__ import annotations

import subprocess
import sys

import pytest

BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocked())
from eventlive_db.client.tokens import AsyncTokenSource, Expected, KeyRing, TokenSource
assert TokenSource(lambda: "opaque").get() == "opaque"
try:
    from eventlive_db.client.tokens import TokenVerifier
    {then}
except ModuleNotFoundError as error:
    print(error.name, error)
else:
    print("there")
"""
MAKE = 'TokenVerifier.jwks("https://auth.example", Expected("i", "a"))'
FETCH = "from eventlive_db.client.tokens.fetching import JwksAddress; JwksAddress('https://auth.example')()"


def said(blocked: set[str], then: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCK.format(blocked=blocked, then=then)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("blocked", "then", "module"),
    [({"jwt"}, "pass", "jwt"), ({"cryptography"}, MAKE, "cryptography"), ({"httpx"}, FETCH, "httpx")],
    ids=["jwt", "cryptography", "httpx"],
)
def test_what_is_missing_is_named_with_what_to_install(blocked: set[str], then: str, module: str) -> None:
    found = said(blocked, then)
    assert found.startswith(module)
    assert "pip install 'eventlive-db[http]'" in found


def test_with_the_extra_nothing_is_missing() -> None:
    assert said(set(), MAKE) == "there"


def test_a_secret_needs_no_cryptography() -> None:
    assert said({"cryptography"}, 'TokenVerifier.hs256("x" * 32, Expected("i", "a"))') == "there"


def test_an_unknown_name_is_an_attribute_error() -> None:
    from eventlive_db.client import tokens

    assert tokens.TokenVerifier.__name__ == "TokenVerifier"
    with pytest.raises(AttributeError, match="no attribute 'Verifier'"):
        _ = tokens.Verifier
