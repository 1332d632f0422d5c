"""Have a token at hand that is good, and get a new one once, however many want it.

How others do it: google-auth refreshes in the call or, where it is told to, hands out a token that is about to expire
and refreshes it in a thread of its own; msal refreshes in the call and, where that fails, hands out the old token as
long as it is good; supabase-py refreshes in a thread with a timer, and whoever comes meanwhile refreshes too, which an
issuer that rotates refresh tokens takes for theft (RFC 9700, section 4.14). Here the refresh is in the call, as with
msal, so there is no thread to end, and there is one at a time.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from eventlive_db.client.errors import UnauthenticatedError
from eventlive_db.client.tokens.compact import expiry
from eventlive_db.client.tokens.flights import AsyncSingleFlight, SingleFlight

_HOLD_OFF = 1 / 6

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and until when it is good.

    Args:
        access_token: What is sent; not shown by ``repr``.
        expires_at: Unix seconds; ``None`` where that is not known, and it is good until it is refused.
    """

    access_token: str = field(repr=False)
    expires_at: float | None = None

    @classmethod
    def of(cls, token: str | Token) -> Token:
        """This token; the claim ``exp`` of a text that is a JWT says when it expires.

        Raises:
            TypeError: It is neither a text nor a token, or empty.
        """
        if isinstance(token, str) and token:
            return cls(token, expiry(token))
        if isinstance(token, Token) and token.access_token:
            return token
        msg = "refresh must return a token: a text that is not empty, or a Token"
        raise TypeError(msg)


class _Held:
    """What is at hand, and what is to be done about it: no I/O, no clock."""

    def __init__(self, margin_s: float) -> None:
        if not 0 <= margin_s < math.inf:
            msg = "margin_s must be at least 0 seconds"
            raise ValueError(msg)
        self._margin_s = margin_s
        self._token: Token | None = None
        self._expires_at = self._due_at = math.inf

    def look(self, now: float) -> tuple[str | None, bool]:
        """The token, if it is good, and whether a new one is to be got."""
        if self._token is None or now >= self._expires_at:
            return None, True
        return self._token.access_token, now >= self._due_at

    def got(self, token: Token, now: float) -> str:
        """Keep a new token."""
        expires_at = math.inf if token.expires_at is None else token.expires_at
        # Half of its life at most, or a token that lives shorter than the margin would be due for ever.
        life_s = expires_at - now
        if not life_s > 0:
            raise UnauthenticatedError(
                401,
                "token_expired",
                {},
                "The refresh gave a token that has expired",
                "Is the clock of this machine right? If so, look at what refresh returns.",
            )
        self._token, self._expires_at = token, expires_at
        self._due_at = expires_at - min(self._margin_s, life_s / 2)
        return token.access_token

    def failed(self, error: Exception, now: float) -> str:
        """No new token; the old one, if it is good, and then for a while it is not asked for another."""
        token, _ = self.look(now)
        if token is None:
            raise error
        self._due_at = now + self._margin_s * _HOLD_OFF
        return token

    def drop(self, access_token: str) -> None:
        """Forget this one."""
        if self._token is not None and self._token.access_token == access_token:
            self._token = None


def _warn(error: Exception) -> None:
    # Its kind alone: the text may hold what the refresh was asked with.
    _log.warning("no new token (%s); the old one is used until it expires", type(error).__name__)


class TokenSource:
    """A good token for all threads of a process.

    A token is refreshed from ``margin_s`` before it expires on, by one caller; the others go on with the old one
    meanwhile. If that refresh fails, the old one stays in use and another caller tries after a sixth of the margin.
    Once there is no good token all callers wait for the one who refreshes; if that fails each of them gets the same
    error, and the next call tries again. A refresh that is interrupted (``KeyboardInterrupt``) is taken over by one of
    those who wait.

    Args:
        refresh: Gets a new token. Waits no longer than it has to, for others wait with it: give its request a timeout.
            A text that is a JWT says by its ``exp`` when it expires; any other is good until it is refused.
        margin_s: Seconds before the expiry, at most half of a token's life.
        clock: Unix seconds.

    Raises:
        ValueError: The margin is negative.
    """

    def __init__(
        self, refresh: Callable[[], str | Token], *, margin_s: float = 30.0, clock: Callable[[], float] = time.time
    ) -> None:
        self._refresh = refresh
        self._clock = clock
        self._lock = threading.Lock()
        self._held = _Held(margin_s)
        self._flight = SingleFlight[str]()

    def get(self) -> str:
        """The token to send now.

        Raises:
            UnauthenticatedError: The refresh gave a token that has expired.
            Exception: Whatever ``refresh`` raised, the same one for all who waited for it.
        """
        token, due = self._look()
        if token is not None and (not due or self._flight.busy):
            return token
        return self._flight.run(self._renew)

    def invalidate(self, token: str) -> None:
        """Say that this very token was refused: it is not handed out again. One that came since stays."""
        with self._lock:
            self._held.drop(token)

    def _look(self) -> tuple[str | None, bool]:
        with self._lock:
            return self._held.look(self._clock())

    def _renew(self) -> str:
        token, due = self._look()
        if token is not None and not due:
            return token
        try:
            found = Token.of(self._refresh())
            with self._lock:
                return self._held.got(found, self._clock())
        except Exception as error:
            with self._lock:
                token = self._held.failed(error, self._clock())
            _warn(error)
            return token


class AsyncTokenSource:
    """A good token for all tasks of an event loop; several loops one after another are fine.

    As :class:`TokenSource`. The refresh is a task of its own: cancelling a caller, also the one that began it, cancels
    neither the refresh nor another caller.

    Args:
        refresh: Gets a new token.
        margin_s: Seconds before the expiry, at most half of a token's life.
        clock: Unix seconds.

    Raises:
        ValueError: The margin is negative.
    """

    def __init__(
        self,
        refresh: Callable[[], Awaitable[str | Token]],
        *,
        margin_s: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._refresh = refresh
        self._clock = clock
        self._held = _Held(margin_s)
        self._flight = AsyncSingleFlight[str]()

    async def get(self) -> str:
        """The token to send now.

        Raises:
            UnauthenticatedError: The refresh gave a token that has expired.
            Exception: Whatever ``refresh`` raised, the same one for all who waited for it.
        """
        token, due = self._held.look(self._clock())
        if token is not None and (not due or self._flight.busy):
            return token
        return await self._flight.run(self._renew)

    def invalidate(self, token: str) -> None:
        """Say that this very token was refused: it is not handed out again. One that came since stays."""
        self._held.drop(token)

    async def _renew(self) -> str:
        # For those who take over a cancelled refresh: an eager task (Python 3.12) may have made it before they look.
        token, due = self._held.look(self._clock())
        if token is not None and not due:
            return token
        try:
            return self._held.got(Token.of(await self._refresh()), self._clock())
        except Exception as error:
            token = self._held.failed(error, self._clock())
            _warn(error)
            return token
