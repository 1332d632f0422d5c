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
    """The functions of some SQL files. Where two files define one, the last one counts.

    Attributes:
        positions: By name, as it is written there.
        overloaded: Names that stand for several functions: of these no position is told rather than a wrong one.
    """

    positions: Mapping[str, Position] = field(default_factory=dict)
    overloaded: frozenset[str] = frozenset()

    def find(self, place: Place, *, overloads: bool = False) -> tuple[Path, int] | None:
        """File and line of a place; None where its function is in none of the files, or in two schemas of them.

        The server leaves the schema out for SQL functions, and where the search path makes it needless. Of a name that
        stands for several functions there is no position; with ``overloads``, that of the last one.
        """
        name = place.name.replace('"', "")
        bare = name.rpartition(".")[2]
        named = [n for n in self.positions if n.rpartition(".")[2] == bare]
        if "." in name:
            named = [name] if name in named else [n for n in named if n == bare]
        if len(named) != 1 or (named[0] in self.overloaded and not overloads):
            return None
        position = self.positions[named[0]]
        return position.file, position.line + (place.line - 1 if place.line else 0)


def read_sources(files: Iterable[Path]) -> Sources:
    """Look for functions in SQL files.

    Args:
        files: In the order in which they are run.
    """
    positions: dict[str, Position] = {}
    parameters: dict[str, set[str]] = {}
    for file in files:
        text = file.read_text(encoding="utf-8")
        for match in _CREATE.finditer(text):
            body = _BODY.search(text, match.end())
            start = body.start(1) if body and body[1] else body.start() if body else match.start()
            name = match[1].replace('"', "")
            positions[name] = Position(file, text.count("\n", 0, start) + 1)
            parameters.setdefault(name, set()).add(_parameters(text, match.end()))
    return Sources(positions, frozenset(name for name, lists in parameters.items() if len(lists) > 1))


def _parameters(text: str, start: int) -> str:
    """What stands between the parentheses of a definition, without its spaces."""
    depth, end = 1, start
    while end < len(text) and depth:
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        end += 1
    return "".join(text[start:end].split())
