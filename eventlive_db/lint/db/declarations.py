"""The variables of plpgsql functions: what is declared, and how to declare them elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from eventlive_db.functions import Token, declared_names, tokens

_ENDS_TYPE = {"COLLATE", "NOT", "DEFAULT", "COLON_EQUALS", "ASCII_61", "ASCII_59"}
"""What may follow a type: 61 is ``=``, 59 a semicolon."""

_OF_VARIABLE = re.compile(r'([\w$]+|"[^"]+")\s*%\s*type\b(.*)', re.IGNORECASE | re.DOTALL)


def declared_types(body: str) -> dict[str, str | None]:
    """Name and type of each declared variable; None for records, aliases, and names with more than one type."""
    found: dict[str, str | None] = {}
    words = tokens(body)
    for first in declared_names(words):
        name = spelled(body[words[first].start : words[first].end])
        type_ = _type(body, words, first + 1)
        found[name] = type_ if found.get(name, type_) == type_ else None
    return found


def spelled(name: str) -> str:
    """A name as the catalog has it."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _type(body: str, words: Sequence[Token], first: int) -> str | None:
    if body[words[first].start : words[first].end].lower() == "constant":
        first += 1
    end = next((n for n in range(first, len(words)) if words[n].name in _ENDS_TYPE), len(words) - 1)
    text = body[words[first].start : words[end - 1].end]
    plain = text.lower()
    if any(word.name in {"CURSOR", "SCROLL"} for word in words[first:end]):
        return "refcursor"
    if plain in {"record", "pg_catalog.record"} or plain.startswith("alias "):
        return None
    return text[: -len("%rowtype")] if plain.endswith("%rowtype") else text


def with_types_of_variables(types: Mapping[str, str | None], arguments: Mapping[str, str]) -> dict[str, str | None]:
    """The types of variables, with that of the other variable for each ``v%type``."""
    found = dict(types)
    for name in types:
        seen = {name}
        while (type_ := found[name]) and (match := _OF_VARIABLE.fullmatch(type_)):
            other = spelled(match[1])
            # One of its own name is declared in a block further out.
            if other in seen or other not in {**found, **arguments}:
                break
            seen.add(other)
            of_other = found[other] if other in found else arguments[other]
            found[name] = of_other and of_other + match[2]
    return found


def parameter_list(arguments: Sequence[Sequence[str]], variables: Mapping[str, str]) -> str:
    """Arguments, then variables, as the parameters of a function.

    Args:
        arguments: Name, which may be empty, and type of each.
        variables: Name to type; one that hides an argument takes its name.
    """
    named = [(name if name not in variables else "", type_) for name, type_ in arguments]
    everything = [*named, *variables.items()]
    return ", ".join(f"{quoted(name)} {type_}".strip() for name, type_ in everything)


def quoted(name: str) -> str:
    """A name as SQL spells it; nothing for no name."""
    return '"' + name.replace('"', '""') + '"' if name else ""
