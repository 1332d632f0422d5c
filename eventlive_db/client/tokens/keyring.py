"""Which key a token may have been signed with, and when to ask the issuer again: decisions alone, no I/O, no clock.

A :class:`KeyRing` says for a key's name and the time: here it is, fetch, refused, or nobody can know now. A shell that
has threads or tasks, :mod:`eventlive_db.client.tokens.jwks`, does the fetching.

Known libraries count from the last fetch that succeeded: PyJWT's ``PyJWKClient`` and jose (panva) let 30 seconds pass
before an unknown name makes another one. So while the issuer is down each such token asks it, with PyJWT under the lock
that all others need; and when the cached keys are old, known ones are refused too. Here any two attempts lie
``min_refresh_s`` apart, whatever came of them, and keys outlive an issuer that is down for a while. Only while there is
no usable key at all do attempts begin after a second and double.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

Key = TypeVar("Key")
KeyId: TypeAlias = tuple[str, str]
"""``kid`` and ``alg``: a key is used for one algorithm, whatever it could do (RFC 8725, section 3.1)."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """When keys are fetched again, in seconds.

    Args:
        min_refresh_s: Between two attempts. A key that the issuer signs with sooner than this after publishing it may
            be refused for so long.
        max_age_s: Older keys are fetched again before they are used. A key that the issuer withdrew is refused at the
            latest after this time, if the issuer answers.
        stale_after_s: Older keys are not used at all: for so long an issuer may be down.

    Raises:
        ValueError: They are not in this order, or not above zero.
    """

    min_refresh_s: float = 30.0
    max_age_s: float = 600.0
    stale_after_s: float = 3600.0

    def __post_init__(self) -> None:
        if not 0 < self.min_refresh_s <= self.max_age_s <= self.stale_after_s < math.inf:
            msg = "0 < min_refresh_s <= max_age_s <= stale_after_s must hold"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Have(Generic[Key]):
    """The key, to be used."""

    key: Key


@dataclass(frozen=True, slots=True)
class Fetch:
    """Fetch the keys, or wait for whoever does, and look again."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The issuer has no such key, as far as is known."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can say, for the issuer does not answer; asking again may help after so many seconds."""

    retry_after_s: float


class KeyRing(Generic[Key]):
    """The keys of one issuer. Times are of any clock that does not go back; not safe for threads by itself.

    Args:
        rotation: When keys are fetched again.
    """

    def __init__(self, rotation: Rotation) -> None:
        self._rotation = rotation
        self._keys: Mapping[KeyId, Key] = {}
        self._loaded_at = -math.inf
        self._next_at = -math.inf
        self._failures = 0
        self._fetching = False

    def look(self, key_id: KeyId, now: float, *, may_fetch: bool = True) -> Have[Key] | Fetch | Refuse | Unknown:
        """What to do for a token with this key.

        Args:
            key_id: As the token's header says.
            now: Seconds.
            may_fetch: False after a fetch, for the answer that is then the last.
        """
        usable = self._is_usable(now)
        key = self._keys.get(key_id) if usable else None
        if key is not None and now - self._loaded_at < self._rotation.max_age_s:
            return Have(key)
        if may_fetch and (now >= self._next_at or self._is_worth_waiting(key)):
            return Fetch()
        if key is not None:
            return Have(key)
        if usable and not self._failures:
            return Refuse()
        return Unknown(max(self._next_at - now, 0.0))

    def begin(self, now: float) -> bool:
        """Whether to fetch now; if so, this is an attempt."""
        if now < self._next_at:
            return False
        self._next_at = now + self._rotation.min_refresh_s
        self._fetching = True
        return True

    def loaded(self, keys: Mapping[KeyId, Key], now: float) -> None:
        """A fetch gave these keys; all others are gone."""
        self._keys, self._loaded_at = keys, now
        self._failures, self._fetching = 0, False

    def failed(self, now: float) -> None:
        """A fetch gave nothing."""
        self._failures += 1
        self._fetching = False
        if not self._is_usable(now):
            self._next_at = now + min(self._rotation.min_refresh_s, 2.0 ** min(self._failures - 1, 30))

    def _is_usable(self, now: float) -> bool:
        return now - self._loaded_at < self._rotation.stale_after_s

    def _is_worth_waiting(self, key: Key | None) -> bool:
        # With a key at hand that is old, not where the last attempt failed: an issuer that is down costs time
        # whoever asks it, and nobody else.
        return self._fetching and (key is None or not self._failures)
