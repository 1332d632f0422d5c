"""What the variables of psql may stand for: ``:name``, ``:'name'``, ``:"name"`` and ``:{?name}``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_WORD_BEFORE = re.compile(r"\w+\Z")


def try_readings(text: str, variables: Sequence[range], attempt: Callable[[str], int | None]) -> None:
    """Read a statement in the ways that its variables leave open, likeliest first, until one of them is SQL.

    Args:
        text: The statement as it is written.
        variables: Where its variables stand.
        attempt: Takes a text as long as the statement, and says at which character the parser gave up: the variable
            there, or the nearest one before it, is read in another way then.
    """
    chosen = [0] * len(variables)
    fault = attempt(_filled(text, variables, chosen))
    while fault is not None:
        behind = [number for number, variable in enumerate(variables) if variable.start <= fault]
        more = [n for n in reversed(behind) if chosen[n] + 1 < len(_meanings(text, variables[n]))]
        if not more:
            return
        chosen[more[0]] += 1
        fault = attempt(_filled(text, variables, chosen))


def _filled(text: str, variables: Sequence[range], chosen: Sequence[int]) -> str:
    for variable, number in zip(variables, chosen, strict=True):
        meaning = _meanings(text, variable)[number]
        before = _WORD_BEFORE.search(text, 0, variable.start) if meaning.startswith("_") else None
        # A part of a name makes all of it unknown.
        start = before.start() if before and text[variable.start + 1].isalnum() else variable.start
        text = text[:start] + "_" * (variable.start - start) + meaning + text[variable.stop :]
    return text


def _meanings(text: str, variable: range) -> list[str]:
    """A name that is not known, a number, a string, nothing: what the variable says of itself, or each of them."""
    written = text[variable.start : variable.stop]
    width = len(written)
    if written.startswith(":'"):
        return ["''".ljust(width)]
    if written.startswith(":{"):
        return ["true".ljust(width)]
    if written.startswith(':"'):
        return ["_" * width]
    return ["_" * width, "1".ljust(width), "''".ljust(width), " " * width]
