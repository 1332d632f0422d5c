"""Pieces of Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

WIDTH = 120


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; what is None is an empty cell."""
    lines: list[Sequence[object]] = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(value: object) -> str:
    return "" if value is None else " ".join(str(value).split()).replace("|", "\\|")


def folded(summary: str, text: str) -> str:
    """Something that is shown when its summary is clicked."""
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


def bullets(sentences: Iterable[str]) -> str:
    """A list."""
    return "\n".join(wrapped(f"- {sentence}", "  ") for sentence in sentences)


def wrapped(text: str, indent: str = "") -> str:
    """In lines as long as those of the documents."""
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def paragraphs(*texts: str) -> str:
    """Those of the texts that are not empty, one after the other."""
    return "\n\n".join(text for text in texts if text)


def measured_on(found: Mapping[str, object], at: str, names: Sequence[str] = ()) -> str:
    """A line with the day and the machine.

    Args:
        found: The machine, by name.
        at: When it was, as ISO 8601.
        names: What to say of it; everything, where there is none.
    """
    said = [f"{name} {found[name]}" for name in names or found if name in found]
    return wrapped(f"Measured {at.partition('T')[0]}: {', '.join(said)}.")


def verdict(*, passed: bool) -> str:
    """Whether a target was met, so that nobody overlooks one that was not."""
    return "met" if passed else "**missed**"


def mark_cells(mark: Mapping[str, Any]) -> list[str]:
    """Of a pass mark: found, wanted, verdict."""
    return [mark["found"], mark["wanted"], verdict(passed=mark["passed"])]
