"""The variables of plpgsql functions: what is declared, and how to declare them elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from eventlive_db.plans.coverage.parser import pglast

_ENDS_TYPE = {"COLLATE", "NOT", "DEFAULT", "COLON_EQUALS", "ASCII_61", "ASCII_59"}
"""What may follow a type: 61 is ``=``, 59 a semicolon."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word of SQL.

    Attributes:
        name: Its kind, as the grammar calls it.
        start: Of its first character.
        end: Behind its last one.
    """

    name: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """The words of a text, comments left out; none where they cannot be told apart."""
    try:
        scanned = pglast().parser.scan(text)
    except pglast().parser.ParseError:
        return []
    return [Token(t.name, t.start, t.end + 1) for t in scanned if not t.name.endswith("_COMMENT")]


def declared_types(body: str) -> dict[str, str | None]:
    """Name and type of each declared variable; None for records, aliases, and names with more than one type."""
    found: dict[str, str | None] = {}
    words = tokens(body)
    for first in _names(words):
        name = body[words[first].start : words[first].end].strip('"')
        name = name if body[words[first].start] == '"' else name.lower()
        type_ = _type(body, words, first + 1)
        found[name] = type_ if found.get(name, type_) == type_ else None
    return found


def _names(words: Sequence[Token]) -> Iterator[int]:
    """Where in DECLARE sections a variable's name stands."""
    declaring = False
    for number, word in enumerate(words[:-2]):
        if word.name == "DECLARE":
            declaring = True
        elif word.name == "BEGIN_P":
            declaring = False
        if declaring and word.name in {"DECLARE", "ASCII_59"} and words[number + 1].name not in {"BEGIN_P", "DECLARE"}:
            yield number + 1


def _type(body: str, words: Sequence[Token], first: int) -> str | None:
    if body[words[first].start : words[first].end].lower() == "constant":
        first += 1
    end = next((n for n in range(first, len(words)) if words[n].name in _ENDS_TYPE), len(words) - 1)
    text = body[words[first].start : words[end - 1].end]
    plain = text.lower()
    if any(word.name in {"CURSOR", "SCROLL"} for word in words[first:end]):
        return "refcursor"
    if plain == "record" or plain.startswith("alias "):
        return None
    return text[: -len("%rowtype")] if plain.endswith("%rowtype") else text


def parameter_list(arguments: Sequence[Sequence[str]], variables: Mapping[str, str]) -> str:
    """Arguments, then variables, as the parameters of a function.

    Args:
        arguments: Name, which may be empty, and type of each.
        variables: Name to type; one that hides an argument takes its name.
    """
    named = [(name if name not in variables else "", type_) for name, type_ in arguments]
    everything = [*named, *variables.items()]
    return ", ".join(f"{_quoted(name)} {type_}".strip() for name, type_ in everything)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if name else ""
