"""The text of SQL and PL/pgSQL: where code is, and where only comments and literals are."""

from __future__ import annotations

import re

_DOLLAR = re.compile(r"\$(?:[A-Za-z_]\w*)?\$")
_LITERAL = re.compile(r"'(?:[^']|'')*'")
_ESCAPED = re.compile(r"'(?:[^'\\]|\\.|'')*'", re.DOTALL)
_BEGIN = re.compile(r'(?<![\w"])begin(?![\w"])', re.IGNORECASE)
_DECLARE = re.compile(r'(?<![\w"])declare(?![\w"])', re.IGNORECASE)
_DECLARED = re.compile(r"(?:^|;)\s*(?:declare\s+)?(\w+)\s", re.IGNORECASE)
_WORD = re.compile(r"\w+|:=|[();]")
_SCALAR = re.compile(r"\(\s*select\s+", re.IGNORECASE)
_CALL = re.compile(r'(?:"?\w+"?\.)?"?\w+"?\(')
_JUNCTION = re.compile(r"\b(?:and|or|not|select)\b", re.IGNORECASE)
_CAST = re.compile(r"::[\w.\[\]]+|\b(?:any|all|is|not|true|false|null)\b", re.IGNORECASE)
_NAME = re.compile(r"\b[a-z_]\w*", re.IGNORECASE)
_NAMED = re.compile(r'\s+as\s+"?\w+"?\s*$', re.IGNORECASE)

# Behind one of these, a comparison restricts rows; behind one of the others it is something else.
_CONDITIONS = frozenset({"where", "on"})
_OTHERS = frozenset(
    {"set", "select", "values", "returning", "having", "from", "by", "limit", "case", "when", "then", "else"}
    | {"if", "elsif", "while", "loop", "return", "perform", "assert", "raise", "begin", "declare", ":=", ";"}
)


def masked(text: str) -> str:
    """The text with comments and literals blanked out, every other character at its place."""
    out = list(text)
    position = 0
    while position < len(text):
        end = _end_of_inert(text, position)
        if end == position:
            position += 1
            continue
        out[position:end] = (c if c == "\n" else " " for c in text[position:end])
        position = end
    return "".join(out)


def _end_of_inert(text: str, position: int) -> int:
    """Where the comment or literal that begins here ends; the position itself where none does."""
    if text.startswith("--", position):
        end = text.find("\n", position)
        return len(text) if end < 0 else end
    if text.startswith("/*", position):
        return _end_of_comment(text, position)
    if text[position] == "'":
        escaped = position > 0 and text[position - 1] in "eE" and not re.match(r"\w", text[max(0, position - 2)])
        match = (_ESCAPED if escaped else _LITERAL).match(text, position)
        return match.end() if match else len(text)
    if text[position] == "$" and not (position and re.match(r"\w", text[position - 1])):
        tag = _DOLLAR.match(text, position)
        if tag:
            end = text.find(tag[0], tag.end())
            return len(text) if end < 0 else end + len(tag[0])
    return position


def _end_of_comment(text: str, position: int) -> int:
    depth = 0
    for mark in re.finditer(r"/\*|\*/", text[position:]):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return position + mark.end()
    return len(text)


def begin_of_body(body: str) -> int | None:
    """Where the statements of a PL/pgSQL function begin, behind ``begin`` of its outermost block."""
    match = _BEGIN.search(masked(body))
    return match.end() if match else None


def declared(body: str) -> frozenset[str]:
    """Names of the variables that the outermost block of a PL/pgSQL function declares."""
    text = masked(body)
    begin = _BEGIN.search(text)
    declare = _DECLARE.search(text, 0, begin.start() if begin else len(text))
    if begin is None or declare is None:
        return frozenset()
    return frozenset(name.lower() for name in _DECLARED.findall(text[declare.start() : begin.start()]))


def is_condition(code: str, position: int) -> bool:
    """Whether what begins there belongs to a WHERE or ON clause.

    Args:
        code: Masked text.
        position: In it.
    """
    depth = 0
    for word in reversed(_WORD.findall(code, 0, position)):
        if word == ")":
            depth += 1
        elif word == "(":
            depth = max(0, depth - 1)
        elif depth == 0 and word.lower() in _CONDITIONS:
            return True
        elif depth == 0 and word.lower() in _OTHERS:
            return False
    return False


def scalar_calls(expression: str) -> list[tuple[int, int, str]]:
    """Scalar sub-selects of an expression that do nothing but call a function.

    Args:
        expression: As the server prints it.

    Returns:
        Beginning, end and the bare call of each ``( SELECT f(...) AS f)``.
    """
    code = masked(expression)
    found = []
    for match in _SCALAR.finditer(code):
        end = _closing(code, match.start())
        call = _NAMED.sub("", code[match.end() : end - 1])
        opening = _CALL.match(call)
        if opening and _closing(call, opening.end() - 1) == len(call.rstrip()):
            found.append((match.start(), end, expression[match.end() : match.end() + len(call)].rstrip()))
    return found


def compares_column(expression: str, position: int) -> bool:
    """Whether a sub-select stands in a comparison with a column, and not alone or with constants.

    Args:
        expression: As the server prints it, each comparison in parentheses of its own.
        position: Where the sub-select begins.
    """
    code = masked(expression)
    start, end = position, _closing(code, position)
    own = code[start:end]
    while (opening := _opening(code, start)) is not None and not _JUNCTION.search(_flat(code[opening:])):
        start, end = opening, _closing(code, opening)
    around = _CAST.sub("", code[start:end].replace(own, ""))
    return _NAME.search(around) is not None


def _opening(code: str, position: int) -> int | None:
    """The parenthesis that is open at this position."""
    depth = 0
    for index in range(position - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(code[index], 0)
        if depth < 0:
            return index
    return None


def _flat(code: str) -> str:
    """What stands directly in the parentheses with which this begins."""
    depth, out = 0, []
    for character in code[: _closing(code, 0)]:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 1:
            out.append(character)
    return "".join(out)


def _closing(code: str, opening: int) -> int:
    """Behind the parenthesis that closes the one at this position."""
    depth = 0
    for position in range(opening, len(code)):
        depth += {"(": 1, ")": -1}.get(code[position], 0)
        if depth == 0:
            return position + 1
    return len(code)
