"""When keys are fetched, used and refused, as a property of any history (R7)."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlive_db.client.tokens import KeyRing, Rotation
from eventlive_db.client.tokens.keyring import Fetch, Have, Refuse, Unknown

A, B = ("a", "ES256"), ("b", "ES256")
ROTATION = Rotation(min_refresh_s=30, max_age_s=600, stale_after_s=3600)


def loaded(at: float = 0.0) -> KeyRing[str]:
    """A ring that has fetched key A."""
    ring = KeyRing[str](ROTATION)
    assert ring.begin(at)
    ring.loaded({A: "key a"}, at)
    return ring


def test_the_first_token_fetches() -> None:
    ring = KeyRing[str](ROTATION)
    assert ring.look(A, 0) == Fetch()
    assert ring.look(A, 0, may_fetch=False) == Unknown(0)


def test_a_known_key_is_used_without_a_fetch_until_it_is_old() -> None:
    ring = loaded()
    assert ring.look(A, 599.9) == Have("key a")
    assert ring.look(A, 600) == Fetch()


def test_an_unknown_key_fetches_once_and_is_refused_until_the_time_has_passed() -> None:
    ring = loaded()
    assert ring.look(B, 29.9) == Refuse()
    assert ring.look(B, 30) == Fetch()
    assert ring.begin(30)
    assert not ring.begin(30)
    ring.loaded({A: "key a"}, 30)
    assert ring.look(B, 30) == Refuse()
    assert ring.look(B, 59.9) == Refuse()
    assert ring.look(B, 60) == Fetch()


def test_another_algorithm_is_another_key() -> None:
    assert loaded().look(("a", "RS256"), 1) == Refuse()


def test_a_key_that_left_is_refused_after_the_fetch() -> None:
    ring = loaded()
    ring.begin(600)
    ring.loaded({B: "key b"}, 600)
    assert ring.look(B, 601) == Have("key b")
    assert ring.look(A, 601) == Refuse()


def test_an_empty_set_is_an_answer_and_does_not_bring_a_storm() -> None:
    ring = loaded()
    ring.begin(600)
    ring.loaded({}, 600)
    assert ring.look(A, 601) == Refuse()


def test_while_the_issuer_is_down_keys_are_used_until_they_are_stale() -> None:
    ring = loaded()
    for at in range(600, 3600, 30):
        assert ring.look(A, at) == Fetch()
        assert ring.begin(at)
        ring.failed(at)
        assert ring.look(A, at) == Have("key a")
    assert ring.look(A, 3599.9, may_fetch=False) == Have("key a")
    assert ring.look(A, 3600, may_fetch=False) == Unknown(0)


def test_an_unknown_key_is_nobodys_fault_while_the_issuer_is_down() -> None:
    ring = loaded()
    assert ring.begin(100)
    ring.failed(105)
    assert ring.look(B, 105) == Unknown(25)
    assert ring.begin(130)
    ring.loaded({A: "key a"}, 130)
    assert ring.look(B, 130) == Refuse()


def test_without_any_key_attempts_begin_after_a_second_and_double() -> None:
    ring = KeyRing[str](ROTATION)
    now, waits = 0.0, []
    for _ in range(8):
        assert ring.begin(now)
        ring.failed(now)
        unknown = ring.look(A, now)
        assert isinstance(unknown, Unknown)
        waits.append(unknown.retry_after_s)
        assert not ring.begin(now + unknown.retry_after_s - 0.1)
        now += unknown.retry_after_s
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]


def test_while_old_keys_are_fetched_others_wait_but_not_for_an_issuer_that_was_down() -> None:
    ring = loaded()
    assert ring.begin(600)
    assert ring.look(A, 601) == Fetch()
    ring.failed(605)
    assert ring.begin(630)
    assert ring.look(A, 631) == Have("key a")
    assert ring.look(B, 631) == Fetch()


@pytest.mark.parametrize(
    "times", [(0, 600, 3600), (30, 20, 3600), (30, 600, 500), (30, 600, math.inf), (math.nan, 600, 3600)]
)
def test_times_that_make_no_sense_are_not_taken(times: tuple[float, float, float]) -> None:
    Rotation(30, 30, 30)
    with pytest.raises(ValueError, match="must hold"):
        Rotation(*times)


# Sums of these are exact, as those of any floats are not.
PAUSE = st.integers(0, 400 * 64).map(lambda n: n / 64)
STEPS = st.lists(st.tuples(PAUSE, st.sampled_from(["a", "b", "x"]), st.sampled_from(["ab", "b", "", None])))


@given(STEPS)
def test_in_any_history_fetches_are_apart_and_no_key_is_used_that_is_stale_or_gone(
    steps: list[tuple[float, str, str | None]],
) -> None:
    ring, now = KeyRing[str](ROTATION), 0.0
    attempts: list[float] = []
    published, loaded_at = "", -math.inf
    for pause, kid, answer in steps:
        now += pause
        found = ring.look((kid, "ES256"), now)
        if found == Fetch():
            assert ring.begin(now)
            attempts.append(now)
            if answer is None:
                ring.failed(now)
            else:
                published, loaded_at = answer, now
                ring.loaded({(name, "ES256"): name for name in answer}, now)
            found = ring.look((kid, "ES256"), now, may_fetch=False)
        match found:
            case Have(key):
                assert key == kid
                assert kid in published
                assert now - loaded_at < ROTATION.stale_after_s
                assert now - loaded_at < ROTATION.max_age_s or now - attempts[-1] < ROTATION.min_refresh_s
            case Refuse():
                assert kid not in published
                assert attempts[-1] == loaded_at
            case Unknown(retry_after_s):
                assert 0 <= retry_after_s <= ROTATION.min_refresh_s
                assert attempts[-1] > loaded_at
            case Fetch():
                pytest.fail("it was told not to")
        if now - loaded_at < ROTATION.stale_after_s:
            with_keys = [at for at in attempts if at >= loaded_at]
            assert all(after - before >= 30 for before, after in pairwise(with_keys))
