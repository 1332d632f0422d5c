"""What is left of a query and of a condition when values and the order of terms do not matter."""

from __future__ import annotations

import re
from dataclasses import replace

from eventlive_db.plans.nodes import Node

_TYPE = (
    r"(?:(?:timestamp|time)(?:\(\d\))?\ with(?:out)?\ time\ zone|double\ precision|(?:character|bit)\ varying"
    r'|interval\ (?:year|month|day|hour|minute|second)(?:\ to\ \w+)?|"(?:[^"]|"")*"|[^\W\d][\w$]*)'
    r'(?:\.(?:"(?:[^"]|"")*"|[^\W\d][\w$]*))?(?:\([\d,\ ]+\))?(?:\[\])*'
)
_LEXEME = re.compile(
    rf"""
      (?P<comment>--[^\n]*|/\*.*?\*/)
    | (?P<space>\s+)
    | (?P<string>(?:[eE]'(?:[^'\\]|\\.|'')*'|[bBxX]?'(?:[^']|'')*'|\$(?P<tag>[^\W\d]\w*)?\$.*?\$(?(tag)(?P=tag))\$)
        (?:::{_TYPE})?)
    | (?P<constant>NULL::{_TYPE}|\b(?i:true|false)\b|\b\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w$])(?:::{_TYPE})?)
    | (?P<parameter>\$\d+)
    | (?:Init|Sub)Plan\ \d+ | (?i:is\s+(?:not\s+)?(?:true|false)\b) | "(?:[^"]|"")*" | ::\ *{_TYPE} | [^\W\d][\w$]*
    """,
    re.VERBOSE | re.DOTALL,
)
_PIECE = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[()\[\]]| AND | = |.", re.DOTALL)
_MOVING = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|\d{4}-\d\d-\d\d", re.IGNORECASE)
_FOLDS = re.compile(
    rf"""
      (?:\(\?\)|\?)::{_TYPE} | ARRAY\[\?(?:,\ \?)*\] | \(-\ \?\) | \(\?\ [-+*/%^|&\#]+\ \?\)
    | (?<![\w$."])[^\W\d][\w.$]*\(\?(?:,\ \?)*\)
    """,
    re.VERBOSE,
)


def mask(text: str, *, every: bool) -> str:
    """Write ``?`` for each constant, or for those alone that no two runs share: ids and points in time."""

    def lexeme(match: re.Match[str]) -> str:
        constant = match["constant"] or match["string"]
        if constant and (every or (match["string"] and _MOVING.search(constant))):
            return "?"
        return match[0]

    return _LEXEME.sub(lexeme, text)


def unvalued(text: str) -> str:
    """What is left of a condition when it does not matter whether a value is known when planning."""
    text = _LEXEME.sub(lambda m: "?" if m["constant"] or m["string"] or m["parameter"] else m[0], text)
    while (folded := _FOLDS.sub("?", text)) != text:
        text = folded
    return text


def one_line(query: str) -> str:
    """A query without comments and line feeds; what is quoted stays."""
    return _LEXEME.sub(lambda m: " " if m["comment"] or m["space"] else m[0], query)


def conjuncts(text: str) -> list[str]:
    """The terms of a condition, each without its outer parentheses."""
    terms = _parts(_bare(text), " AND ")
    return [conjunct for term in terms for conjunct in conjuncts(term)] if len(terms) > 1 else [_bare(text)]


def _bare(text: str) -> str:
    while text.startswith("(") and text.endswith(")") and len(_parts(text, None)) == 1:
        text = text[1:-1]
    return text


def _parts(text: str, separator: str | None) -> list[str]:
    """Split where no parenthesis is open; without a separator, behind each parenthesis that closes the outermost."""
    parts, depth = [""], 0
    for piece in _PIECE.findall(text):
        if separator is None and depth == 0 and parts[-1]:
            parts.append("")
        depth += (piece in "([") - (piece in ")]")
        if piece == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def equation(term: str) -> str:
    """A term with the sides of an equation in order, so that it does not matter how it was written."""
    return " = ".join(sorted(_parts(term, " = ")))


def comparable(node: Node) -> Node:
    """A plan of which the generic and the custom form are equal where both do the same.

    It has neither parameters nor values, and the terms of a condition are sorted: the planner puts the cheap ones
    first, and a term may be cheaper when its value is known.
    """
    return replace(
        node,
        conditions=tuple(
            (kind, " AND ".join(sorted(map(equation, conjuncts(unvalued(text)))))) for kind, text in node.conditions
        ),
        keys=tuple(unvalued(key) for key in node.keys),
        children=tuple(comparable(child) for child in node.children),
    )


def unnumbered(node: Node) -> Node:
    """The same with one number for all parameters."""
    return replace(
        node,
        conditions=tuple((kind, re.sub(r"\$\d+", "$", text)) for kind, text in node.conditions),
        keys=tuple(re.sub(r"\$\d+", "$", key) for key in node.keys),
        children=tuple(unnumbered(child) for child in node.children),
    )
