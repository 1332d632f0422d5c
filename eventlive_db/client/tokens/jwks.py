"""Where a verifier has its keys from: a secret that does not change, or a JWK set that does; for threads and asyncio.

When to fetch is decided by :mod:`eventlive_db.client.tokens.keyring`; here it is done.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, TypeAlias

from eventlive_db.client.errors import EventliveError, UnavailableError
from eventlive_db.client.tokens import refusals
from eventlive_db.client.tokens.flights import AsyncSingleFlight, SingleFlight
from eventlive_db.client.tokens.keyring import Fetch, Have, KeyId, KeyRing, Refuse, Rotation, Unknown
from eventlive_db.client.tokens.signing import VerifyingKey, read_jwks

FetchJwks: TypeAlias = Callable[[], Mapping[str, Any]]
AsyncFetchJwks: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]

_log = logging.getLogger(__name__)


class _Jwks:
    """What the two shells share: the ring, behind a lock, and what comes of a fetch."""

    def __init__(self, algorithms: Collection[str], rotation: Rotation, clock: Callable[[], float]) -> None:
        self._algorithms = algorithms
        self._clock = clock
        self._lock = threading.Lock()
        self._ring = KeyRing[VerifyingKey](rotation)
        self._why = ""

    def _look(self, key_id: KeyId, *, may_fetch: bool) -> VerifyingKey | None:
        """The key; ``None`` to fetch first."""
        with self._lock:
            found = self._ring.look(key_id, self._clock(), may_fetch=may_fetch)
        match found:
            case Have(key):
                return key
            case Fetch():
                return None
            case Refuse():
                raise refusals.not_accepted("kid", "Its issuer has no such key for this algorithm")
            case Unknown(retry_after_s):
                raise UnavailableError(
                    503,
                    "keys_unavailable",
                    {},
                    f"The issuer's keys cannot be fetched: {self._why}",
                    "The token may be good; try again later.",
                    retry_after_s=retry_after_s,
                )

    def _settled(self, key_id: KeyId) -> VerifyingKey:
        """The key after a fetch."""
        key = self._look(key_id, may_fetch=False)
        assert key is not None, "a ring that may not fetch does not ask for it"  # noqa: S101
        return key

    def _begin(self) -> float | None:
        """When this attempt begins; ``None`` where somebody has just made one."""
        with self._lock:
            now = self._clock()
            return now if self._ring.begin(now) else None

    def _loaded(self, document: Mapping[str, Any], began: float) -> None:
        keys = read_jwks(document, self._algorithms)
        with self._lock:
            # As old as the question, for the answer may have been on its way for some time.
            self._ring.loaded(keys, began)

    def _failed(self, error: BaseException) -> None:
        why = error.message if isinstance(error, EventliveError) else f"{type(error).__name__}: {error}"
        with self._lock:
            self._why = (why.splitlines() or [""])[0]
            self._ring.failed(self._clock())
        _log.warning("the issuer's keys cannot be fetched: %s", self._why)


class Jwks(_Jwks):
    """The keys of an issuer, for threads.

    Args:
        fetch: Gets the JWK set; called by one thread at a time.
        algorithms: Those that may be verified.
        rotation: When to fetch.
        clock: Seconds, of a clock that does not go back.
    """

    def __init__(
        self, fetch: FetchJwks, algorithms: Collection[str], rotation: Rotation, clock: Callable[[], float]
    ) -> None:
        super().__init__(algorithms, rotation, clock)
        self._fetch = fetch
        self._flight = SingleFlight[None]()

    def find(self, key_id: KeyId) -> VerifyingKey:
        """The key of this name.

        Raises:
            UnauthenticatedError: The issuer has none.
            UnavailableError: Nobody can say now.
        """
        if key := self._look(key_id, may_fetch=True):
            return key
        self._flight.run(self._refetch)
        return self._settled(key_id)

    def _refetch(self) -> None:
        if (began := self._begin()) is None:
            return
        try:
            self._loaded(self._fetch(), began)
        except Exception as error:
            self._failed(error)
        except BaseException as error:
            self._failed(error)
            raise


class AsyncJwks(_Jwks):
    """The keys of an issuer, for asyncio: as :class:`Jwks`."""

    def __init__(
        self, fetch: AsyncFetchJwks, algorithms: Collection[str], rotation: Rotation, clock: Callable[[], float]
    ) -> None:
        super().__init__(algorithms, rotation, clock)
        self._fetch = fetch
        self._flight = AsyncSingleFlight[None]()

    async def find(self, key_id: KeyId) -> VerifyingKey:
        """The key of this name.

        Raises:
            UnauthenticatedError: The issuer has none.
            UnavailableError: Nobody can say now.
        """
        if key := self._look(key_id, may_fetch=True):
            return key
        await self._flight.run(self._refetch)
        return self._settled(key_id)

    async def _refetch(self) -> None:
        if (began := self._begin()) is None:
            return
        try:
            self._loaded(await self._fetch(), began)
        except Exception as error:
            self._failed(error)
        except BaseException as error:
            self._failed(error)
            raise
