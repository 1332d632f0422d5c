"""In which file a function is written, and at which line of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from eventlive_db.plans.frames import Place

_CREATE = re.compile(
    r'^[ \t]*create\s+(?:or\s+replace\s+)?(?:function|procedure)\s+("?[\w$]+"?(?:\."?[\w$]+"?)?)\s*\(',
    re.IGNORECASE | re.MULTILINE,
)
_BODY = re.compile(r"\bas\s+(\$\w*\$|')|\bbegin\s+atomic\b|\breturn\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a function's body begins.

    Attributes:
        file: As it was given.
        line: Of the opening quote, which plpgsql counts as line 1.
    """

    file: Path
    line: int


@dataclass(frozen=True, slots=True)
class Sources:
    """The functions of some SQL files. Where two files define one, the last one counts."""

    positions: Mapping[str, Position] = field(default_factory=dict)

    def find(self, place: Place) -> tuple[Path, int] | None:
        """File and line of a place; None where its function is in none of the files, or in two schemas of them.

        The server leaves the schema out for SQL functions, and where the search path makes it needless.
        """
        name = place.name.replace('"', "")
        bare = name.rpartition(".")[2]
        named = [name] if name in self.positions else [n for n in self.positions if n.rpartition(".")[2] == bare]
        if "." in name:
            named = [n for n in named if n in (name, bare)]
        if len(named) != 1:
            return None
        position = self.positions[named[0]]
        return position.file, position.line + (place.line - 1 if place.line else 0)


def read_sources(files: Iterable[Path]) -> Sources:
    """Look for functions in SQL files.

    Args:
        files: In the order in which they are run.
    """
    positions: dict[str, Position] = {}
    for file in files:
        text = file.read_text(encoding="utf-8")
        for match in _CREATE.finditer(text):
            body = _BODY.search(text, match.end())
            start = body.start(1) if body and body[1] else body.start() if body else match.start()
            positions[match[1].replace('"', "")] = Position(file, text.count("\n", 0, start) + 1)
    return Sources(positions)
