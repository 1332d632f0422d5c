"""Values of a results file, each with the place where it stands, so that a wrong one can be named."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from eventlive_db.errors import AdvisedError

_WORD = re.compile(r"[\w-]{1,40}", re.ASCII)
LARGEST = 1e300
"""Numbers beyond it are refused, and those nearer to zero than its inverse are zero: the ends and steps of an axis for
the others are numbers too."""
_ADVICE = "Make the file anew with eventlive-db load; what it must hold is told in eventlive_db.load.report.model"


class ResultsError(AdvisedError):
    """Results of a load run cannot be drawn.

    Its token is ``malformed_results``, or ``unknown_results_format`` for a file of another format.
    """

    token = "malformed_results"


@dataclass(frozen=True, slots=True)
class Checked:
    """A value and its place, such as ``plots[0].lines[1].name``.

    Each method raises :class:`ResultsError` where the value is not what is asked for. What it is instead is never
    repeated: it may be long, or nothing to show.
    """

    value: Any
    place: str = ""

    def fail(self, problem: str) -> NoReturn:
        """End with what is wrong at this place."""
        msg = f"{self.place or 'the file'} {problem}"
        raise ResultsError(msg, _ADVICE)

    def field(self, name: str) -> Checked:
        """A field of an object; None where there is none."""
        found = self._mapping().get(name)
        return Checked(found, f"{self.place}.{name}" if self.place else name)

    def fields(self) -> Iterator[tuple[str, Checked]]:
        """All fields of an object. Those of a name that is not a plain word are told as ``…``."""
        for name, value in self._mapping().items():
            told = name if _WORD.fullmatch(name) else "…"
            yield name, Checked(value, f"{self.place}.{told}" if self.place else told)

    def items(self) -> list[Checked]:
        """What is in a list."""
        if not isinstance(self.value, Sequence) or isinstance(self.value, str | bytes):
            self.fail(f"is {_kind(self.value)}, not a list")
        return [Checked(value, f"{self.place}[{index}]") for index, value in enumerate(self.value)]

    def text(self) -> str:
        """A text."""
        if not isinstance(self.value, str):
            self.fail(f"is {_kind(self.value)}, not a text")
        return self.value

    def flag(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            self.fail(f"is {_kind(self.value)}, not true or false")
        return self.value

    def number(self) -> float:
        """A number that can be drawn: finite, and not beyond :data:`LARGEST`."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            self.fail(f"is {_kind(self.value)}, not a number")
        try:
            number = float(self.value)
        except OverflowError:
            self.fail("is too large")
        if not math.isfinite(number):
            self.fail("is not finite")
        if abs(number) > LARGEST:
            self.fail("is too large")
        return number if abs(number) * LARGEST >= 1 else 0.0

    def not_negative(self) -> float:
        """A number that is zero or more."""
        number = self.number()
        if number < 0:
            self.fail("is less than zero")
        return number

    def number_or_none(self) -> float | None:
        """Such a number, or None."""
        return None if self.value is None else self.number()

    def text_or_none(self) -> str | None:
        """A text, or None."""
        return None if self.value is None else self.text()

    def as_json(self) -> Any:
        """The whole value as dicts, lists, texts and finite numbers."""
        if self.value is None or isinstance(self.value, bool | str):
            return self.value
        if isinstance(self.value, int | float):
            self.number()
            return self.value
        if isinstance(self.value, Mapping):
            return {name: field.as_json() for name, field in self.fields()}
        items = self.items()
        if all(type(item.value) is float and math.isfinite(item.value) for item in items):
            return list(self.value)
        return [item.as_json() for item in items]

    def _mapping(self) -> Mapping[str, Any]:
        if not isinstance(self.value, Mapping):
            self.fail(f"is {_kind(self.value)}, not an object")
        if not all(isinstance(name, str) for name in self.value):
            self.fail("has a field whose name is not a text")
        return self.value


def _kind(value: object) -> str:
    """What a value is, in the words of JSON."""
    if value is None:
        return "missing"
    for kinds, name in (
        ((bool,), "true or false"),
        ((int, float), "a number"),
        ((str,), "a text"),
        ((Mapping,), "an object"),
        ((list, tuple), "a list"),
    ):
        if isinstance(value, kinds):
            return name
    return f"a {type(value).__name__}"
