"""The words of SQL and plpgsql, as Postgres' own scanner tells them apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType

from eventlive_db.functions.errors import ParserMissingError


def pglast() -> ModuleType:
    """The module, which nothing else in this package imports.

    Raises:
        ParserMissingError: It is not installed.
    """
    try:
        import pglast as module
    except ModuleNotFoundError as error:
        msg = "functions are read with pglast, which is not installed"
        raise ParserMissingError(msg, "Run pip install 'eventlive-db[lint]'") from error
    found: ModuleType = module
    return found


@dataclass(frozen=True, slots=True)
class Token:
    """A word of SQL.

    Attributes:
        name: Its kind, as the grammar calls it; a single character is ``ASCII_`` and its code.
        start: Of its first character.
        end: Behind its last one.
    """

    name: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """The words of a text, comments left out; none where they cannot be told apart.

    Raises:
        ParserMissingError: pglast is not installed.
    """
    parser = pglast().parser
    try:
        scanned = parser.scan(text)
    except parser.ParseError:
        return []
    return [Token(t.name, t.start, t.end + 1) for t in scanned if not t.name.endswith("_COMMENT")]


def declared_names(words: Sequence[Token]) -> Iterator[int]:
    """Where in DECLARE sections of a plpgsql body a variable's name stands."""
    declaring = False
    for number, word in enumerate(words[:-2]):
        if word.name == "DECLARE":
            declaring = True
        elif word.name == "BEGIN_P":
            declaring = False
        if declaring and word.name in {"DECLARE", "ASCII_59"} and words[number + 1].name not in {"BEGIN_P", "DECLARE"}:
            yield number + 1
