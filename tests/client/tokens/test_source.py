"""A token is kept while it is good, and another one is got when it is not (R8)."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlive_db.client.errors import UnauthenticatedError
from eventlive_db.client.tokens import Token, TokenSource
from tests.client.tokens.conftest import Clock
from tests.client.tokens.minting import NOW, shared
from tests.client.tokens.refreshing import Refresh


def test_a_token_is_got_once_and_kept(clock: Clock) -> None:
    refresh = Refresh(Token("a", 2000))
    source = TokenSource(refresh, clock=clock)
    assert refresh.calls == 0
    assert [source.get() for _ in range(3)] == ["a", "a", "a"]
    clock.now = 1969.9
    assert source.get() == "a"
    assert refresh.calls == 1


def test_a_token_is_renewed_within_the_margin(clock: Clock) -> None:
    source = TokenSource(Refresh(Token("a", 2000), Token("b", 3000)), margin_s=100, clock=clock)
    assert source.get() == "a"
    clock.now = 1900
    assert source.get() == "b"


def test_a_jwt_says_when_it_expires_and_an_opaque_token_is_good_until_it_is_refused() -> None:
    clock = Clock()
    clock.now = NOW
    token = shared()
    source = TokenSource(Refresh(token, "opaque", "last"), clock=clock)
    assert source.get() == token
    clock.now = NOW + 3570
    assert source.get() == "opaque"
    clock.now = 1e11
    assert source.get() == "opaque"
    source.invalidate("opaque")
    assert source.get() == "last"


def test_a_token_that_lives_shorter_than_the_margin_is_kept_for_half_of_its_life(clock: Clock) -> None:
    refresh = Refresh(Token("a", 1010), Token("b", 1020))
    source = TokenSource(refresh, margin_s=30, clock=clock)
    assert [source.get(), source.get()] == ["a", "a"]
    clock.now = 1004.9
    assert source.get() == "a"
    clock.now = 1005
    assert source.get() == "b"
    assert refresh.calls == 2


@pytest.mark.parametrize("expires_at", [1000, 999, -math.inf, math.nan])
def test_a_new_token_that_has_expired_is_an_error_and_is_not_sent(clock: Clock, expires_at: float) -> None:
    source = TokenSource(Refresh(Token("a", expires_at), Token("b", 2000)), clock=clock)
    with pytest.raises(UnauthenticatedError, match="clock of this machine") as raised:
        source.get()
    assert raised.value.token == "token_expired"
    assert source.get() == "b"


@pytest.mark.parametrize("answer", ["", None, b"bytes", 5, Token("")])
def test_what_is_no_token_is_an_error(clock: Clock, answer: Any) -> None:
    with pytest.raises(TypeError, match="refresh must return a token"):
        TokenSource(Refresh(answer), clock=clock).get()


def test_a_refused_token_is_not_handed_out_again_and_a_later_one_stays(clock: Clock) -> None:
    refresh = Refresh(Token("a", 9000), Token("b", 9000), Token("c", 9000))
    source = TokenSource(refresh, clock=clock)
    assert source.get() == "a"
    source.invalidate("a")
    assert source.get() == "b"
    source.invalidate("a")
    assert source.get() == "b"
    source.invalidate("b")
    assert source.get() == "c"
    assert refresh.calls == 3


def test_a_token_is_not_shown() -> None:
    assert "secret" not in repr(Token("secret", 5))


def test_a_margin_below_zero_is_not_taken() -> None:
    TokenSource(Refresh(), margin_s=0)
    for margin_s in (-1, math.nan, math.inf):
        with pytest.raises(ValueError, match="margin_s"):
            TokenSource(Refresh(), margin_s=margin_s)


def test_within_the_margin_a_failed_refresh_leaves_the_old_token_in_use_for_a_while(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    error = ConnectionError("no route")
    refresh = Refresh(Token("a", 2000), error, error, error, Token("b", 3000))
    source = TokenSource(refresh, margin_s=60, clock=clock)
    source.get()
    clock.now = 1940
    assert [source.get() for _ in range(5)] == ["a"] * 5
    assert refresh.calls == 2
    assert "no new token (ConnectionError)" in caplog.text
    assert "no route" not in caplog.text
    clock.now = 1950
    assert [source.get() for _ in range(5)] == ["a"] * 5
    assert refresh.calls == 3
    clock.now = 2000
    with pytest.raises(ConnectionError):
        source.get()
    assert source.get() == "b"


def test_a_refused_token_is_not_used_where_the_refresh_fails(clock: Clock) -> None:
    source = TokenSource(Refresh(Token("a", 2000), ConnectionError("no route")), clock=clock)
    source.invalidate(source.get())
    with pytest.raises(ConnectionError):
        source.get()


def test_a_refresh_that_asks_for_its_own_token_is_an_error_and_no_deadlock(clock: Clock) -> None:
    def refresh() -> str:
        return source.get()

    source = TokenSource(refresh, clock=clock)
    with pytest.raises(RuntimeError, match="its own result"):
        source.get()


MOVES = st.lists(
    st.tuples(
        st.floats(0, 100), st.sampled_from(["get", "invalidate", "invalidate-old"]), st.none() | st.floats(1, 200)
    ),
    max_size=40,
)


@given(moves=MOVES, margin_s=st.floats(0, 60))
def test_in_any_history_a_token_that_is_handed_out_is_good_and_was_not_refused(
    moves: list[tuple[float, str, float | None]], margin_s: float
) -> None:
    clock, life = Clock(), [0.0]
    given_out: dict[str, float] = {}
    refused: set[str] = set()
    fails = False

    def refresh() -> Token:
        if fails:
            raise ConnectionError
        name = f"token-{len(given_out)}"
        given_out[name] = clock.now + life[0]
        return Token(name, given_out[name])

    source = TokenSource(refresh, margin_s=margin_s, clock=clock)
    for pause, move, lives in moves:
        clock.now += pause
        fails, life[0] = lives is None, lives or 0.0
        names = list(given_out)
        if move == "get":
            try:
                token = source.get()
            except ConnectionError:
                # Only where there is none that is good.
                assert fails
                assert not names or names[-1] in refused or given_out[names[-1]] <= clock.now
                continue
            assert token == list(given_out)[-1]
            assert given_out[token] > clock.now
            assert token not in refused
        elif names:
            name = names[-1] if move == "invalidate" else names[0]
            source.invalidate(name)
            refused.add(name)
