"""The one door to pglast, which is GPL and therefore imported only by those who lint, and only when they do.

What comes back are plain dictionaries: the JSON of PostgreSQL's own parse tree, see ``tree``.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any

from eventlive_db.lint.sql.errors import ParserMissingError, SyntaxFaultError

_OLDEST = 8
_ADVICE = "Run: pip install 'eventlive-db[lint]' 'pglast>=8'"


@cache
def _module() -> Any:
    try:
        from pglast import parser
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pglast":
            raise
        problem = "the SQL parser pglast is not installed"
        raise ParserMissingError(problem, _ADVICE) from None
    found = version("pglast")
    if int(found.partition(".")[0]) < _OLDEST:
        problem = f"pglast {found} is too old: types of other schemas end its reading of plpgsql"
        raise ParserMissingError(problem, _ADVICE)
    return parser


def require_parser() -> None:
    """See that there is a parser, before anything is read.

    Raises:
        ParserMissingError: The extra ``lint`` is not installed.
    """
    _module()


@lru_cache(maxsize=4096)
def _parse(text: str) -> str:
    parser = _module()
    try:
        return str(parser.parse_sql_json(text))
    except parser.ParseError as error:
        reason, index = (*error.args, None)[:2]
        if isinstance(index, int):
            # pglast takes the character that Postgres counts for a byte of the text; this takes that back.
            index = len(text[:index].encode())
        raise SyntaxFaultError(str(reason), index if isinstance(index, int) else None) from None


def parse_statements(text: str) -> list[dict[str, Any]]:
    """The statements of a text, each as ``{kind: body}``.

    Args:
        text: SQL.

    Raises:
        SyntaxFaultError: It is not SQL.
        ParserMissingError: The extra ``lint`` is not installed.
    """
    # Parsed anew from the cached text, so that nobody shares what somebody else may change.
    return [entry.get("stmt", {}) for entry in json.loads(_parse(text)).get("stmts", [])]


def parse_plpgsql(text: str) -> dict[str, Any]:
    """The tree of a ``create function ... language plpgsql`` or of a ``do`` block.

    Args:
        text: The one statement. Types of other schemas than public must have lost their schema.

    Raises:
        SyntaxFaultError: It is not plpgsql.
        ParserMissingError: The extra ``lint`` is not installed.
    """
    parser = _module()
    try:
        functions = json.loads(parser.parse_plpgsql_json(text))
    except parser.ParseError as error:
        raise SyntaxFaultError(str(error.args[0]), None) from None
    tree: dict[str, Any] = functions[0]["PLpgSQL_function"] if functions else {}
    return tree
