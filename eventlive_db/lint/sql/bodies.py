"""The text of a function's body, and where it stands in the file."""

from __future__ import annotations

import re

from eventlive_db.lint.sql.text import Snippet
from eventlive_db.lint.sql.tree import Node, option

_QUOTE = re.compile(r"\bas\s+(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*(\$(?:[^\W\d]\w*)?\$|[eE]?')", re.IGNORECASE | re.DOTALL)
_BARE = re.compile(r"\$(?:[^\W\d]\w*)?\$|[eE]?'")


def quoted_body(statement: Snippet, body: Node) -> Snippet | None:
    """What stands between the quotes of ``as $$ ... $$`` or ``do $$ ... $$``.

    Args:
        statement: The text of the statement.
        body: Of its CreateFunctionStmt or DoStmt.

    Returns:
        None where the body is no string, or where it cannot be found in the text.
    """
    element = option(body, "as") or option(body, "as", "args")
    if element is None:
        return None
    start = statement.char_index(element.get("location", 0))
    opening = _QUOTE.match(statement.text, start) or _BARE.search(statement.text, start)
    if opening is None:
        return None
    first, quote = opening.end(), opening.group(1) if opening.re is _QUOTE else opening.group()
    if quote.startswith("$"):
        end = statement.text.find(quote, first)
        return statement.cut(first, end) if end >= 0 else None
    return _unquoted(statement, first, escapes=quote[0] in "eE")


def _unquoted(statement: Snippet, first: int, *, escapes: bool) -> Snippet:
    """A body in single quotes, where '' stands for one quote."""
    text, kept, index = statement.text, [], first
    while index < len(text):
        if text[index] == "'":
            if text[index + 1 : index + 2] != "'":
                break
            index += 1
        elif escapes and text[index] == "\\":
            index += 1
        kept.append(index)
        index += 1
    return Snippet(
        statement.source,
        "".join(text[i] for i in kept if i < len(text)),
        [statement.offset(i) for i in kept if i < len(text)],
    )
