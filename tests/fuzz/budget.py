"""How much is tried, and from which seed: the environment variables FUZZ_CALLS and FUZZ_SEED."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings

CALLS = int(os.environ.get("FUZZ_CALLS") or 400)
"""Calls by each of the fuzzers; ``make fuzz`` makes thousands."""

SEED = os.environ.get("FUZZ_SEED") or None
"""With a seed other examples are tried than in the usual run, the same for the same seed."""

PROPERTY = "fuzz"
"""The property of a test's report that holds its outcomes: a word for each, and how often it was met."""


def examples(number: int, *, control: bool = False, **more: Any) -> settings:
    """The settings for so many examples. A control always has the usual ones, and what it finds is not made smaller."""
    return settings(
        max_examples=number,
        derandomize=SEED is None or control,
        database=None,
        phases=(Phase.generate,) if control else (Phase.explicit, Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        **more,
    )


def seeded(test: Callable[..., Any]) -> Callable[..., Any]:
    """Begin at the seed, where there is one."""
    return test if SEED is None else seed(SEED)(test)
