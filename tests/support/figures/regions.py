"""Regions of a document that a program writes, from ``<!-- figures: NAME FILE... -->`` to ``<!-- end -->``.

A region that begins a line is a block of its own, with empty lines around what is in it. One within a line is a part
of the sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_REGION = re.compile(r"(?P<begin><!-- figures: (?P<call>[^\n]+?) -->)(?P<text>.*?)(?P<end><!-- end -->)", re.S)
_MARKER = re.compile(r"<!-- (?:figures:.*|end) -->")


def fill(text: str, write: Callable[[str, Sequence[str]], str]) -> str:
    """The document with all of its regions written.

    Args:
        text: The document.
        write: Given the name of a region and its files, what is to stand in it; nothing where it is to be empty.

    Raises:
        ValueError: A region has no end, or an end no beginning.
    """

    def written(region: re.Match[str]) -> str:
        if _MARKER.search(region["text"]):
            msg = f"<!-- figures: {region['call']} --> has no end"
            raise ValueError(msg)
        name, *files = region["call"].split()
        found = write(name, files)
        if region["text"].startswith("\n"):
            found = f"\n\n{found}\n\n" if found else "\n"
        return f"{region['begin']}{found}{region['end']}"

    filled = _REGION.sub(written, text)
    alone = _MARKER.search(without(text))
    if alone:
        msg = f"{alone[0]} is alone"
        raise ValueError(msg)
    return filled


def without(text: str) -> str:
    """The document without its regions."""
    return _REGION.sub(" ", text)
