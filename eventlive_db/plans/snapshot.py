"""The plans inside one call as a small text that is kept under version control and reviewed as a diff.

A snapshot holds what the planner decided, and nothing that differs from run to run: no cost, rows, width or time, no
line numbers (they shift when a function is edited above), no values of the call. It belongs to one Postgres major:
another one plans, and prints, differently.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from eventlive_db.plans.errors import SuiteError
from eventlive_db.plans.model import PlanMode, Run, Statement
from eventlive_db.plans.nodes import Node

TEXT_LIMIT = 160
"""Characters of a query that are kept."""

_EMPTY = "(no statement touches a table)"
_CALL = "(the call)"
_ADVICE = "A snapshot is generated, not written by hand: restore the file, or make it anew with --plan-update"


@dataclass(frozen=True, slots=True)
class Planned:
    """How a statement was planned in one mode.

    Attributes:
        executions: How often it ran in the call.
        plan: Its plan; None where it did not run in this mode.
    """

    executions: int = 1
    plan: Node | None = None


@dataclass(frozen=True, slots=True)
class PlannedStatement:
    """One statement of a function.

    Attributes:
        function: Without arguments; empty for the call itself.
        text: The query without comments, on one line, at most :data:`TEXT_LIMIT` characters.
        generic: With the generic plan: ``$n`` for the values.
        custom: With the custom plan, every constant as ``?``; None where it is planned like the generic one.
    """

    function: str
    text: str
    generic: Planned
    custom: Planned | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a call's statements are planned like, in the order in which they first ended."""

    statements: tuple[PlannedStatement, ...] = ()


# --- What is left of a query and of a condition -----------------------------------------------------------------------

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
_TEMPORARY = re.compile(r"\bpg_temp_\d+\b")
_FOLDS = re.compile(
    rf"""
      (?:\(\?\)|\?)::{_TYPE} | ARRAY\[\?(?:,\ \?)*\] | \(-\ \?\) | \(\?\ [-+*/%^|&\#]+\ \?\)
    | (?<![\w$."])[^\W\d][\w.$]*\(\?(?:,\ \?)*\)
    """,
    re.VERBOSE,
)


def _mask(text: str, *, every: bool) -> str:
    """Write ``?`` for each constant, or for those alone that no two runs share: ids and points in time."""

    def lexeme(match: re.Match[str]) -> str:
        constant = match["constant"] or match["string"]
        if constant and (every or (match["string"] and _MOVING.search(constant))):
            return "?"
        return match[0]

    return _LEXEME.sub(lexeme, text)


def _unvalued(text: str) -> str:
    """What is left of a condition when it does not matter whether a value is known when planning."""
    text = _LEXEME.sub(lambda m: "?" if m["constant"] or m["string"] or m["parameter"] else m[0], text)
    while (folded := _FOLDS.sub("?", text)) != text:
        text = folded
    return text


def _one_line(query: str) -> str:
    return _LEXEME.sub(lambda m: " " if m["comment"] or m["space"] else m[0], query)


def _shown(statement: Statement) -> str:
    if statement.query:
        text = " ".join(_mask(_one_line(statement.query), every=_is_foreign(statement)).split())
    else:  # the body of a begin atomic function has no text
        text = f"<on {', '.join(sorted(statement.relations))}>"
    text = _TEMPORARY.sub("pg_temp", text)
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 3].rstrip() + "..."


def _is_foreign(statement: Statement) -> bool:
    """Whether its text was put together outside of a function's source, so that its constants are values."""
    innermost = next((f for f in statement.frames if f.kind in {"plpgsql", "sql"}), None)
    return innermost is None or "EXECUTE" in innermost.at


def _stripped(node: Node, *, every: bool) -> Node:
    return replace(
        node,
        relation=_TEMPORARY.sub("pg_temp", node.relation),
        conditions=tuple((kind, _mask(text, every=every)) for kind, text in node.conditions),
        keys=tuple(_mask(key, every=every) for key in node.keys),
        loops=0,
        rows=0,
        removed=0,
        children=tuple(_stripped(child, every=every) for child in node.children),
    )


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
            (kind, " AND ".join(sorted(map(equation, conjuncts(_unvalued(text)))))) for kind, text in node.conditions
        ),
        keys=tuple(_unvalued(key) for key in node.keys),
        children=tuple(comparable(child) for child in node.children),
    )


# --- Taking -----------------------------------------------------------------------------------------------------------

_Spot = tuple[str, int | None, str]


def _groups(run: Run | None) -> dict[_Spot, list[Statement]]:
    groups: dict[_Spot, list[Statement]] = {}
    for statement in run.table_statements if run else ():
        frame = next((f for f in statement.frames if f.kind in {"plpgsql", "sql"}), None)
        spot = (frame.name if frame else "", frame.line if frame else None, _shown(statement))
        groups.setdefault(spot, []).append(statement)
    return groups


def _planned(group: list[Statement], *, every: bool) -> Planned:
    if not group:
        return Planned(0)
    first = group[0]
    return Planned(len(group), _stripped(first.node, every=every or _is_foreign(first)))


def _differ(generic: Planned, custom: Planned) -> bool:
    if generic.executions != custom.executions or generic.plan is None or custom.plan is None:
        return generic != custom
    return comparable(generic.plan) != comparable(custom.plan)


def take(runs: Mapping[PlanMode, Run]) -> Snapshot:
    """Take a snapshot of a measured call.

    A statement that runs several times is shown with the plan of its first time. Statements made with ``EXECUTE``
    that differ in nothing but their constants are one.

    Args:
        runs: The call in one or both plan modes.

    Returns:
        Its statements that touch a table, with the generic plan, and with the custom one where that differs.
    """
    generic, custom = _groups(runs.get("generic")), _groups(runs.get("custom"))
    statements = []
    for spot in dict.fromkeys((*generic, *custom)):
        planned = _planned(generic.get(spot, []), every=False)
        other = _planned(custom.get(spot, []), every=True)
        differs = "custom" in runs and _differ(planned, other)
        function = spot[0].partition("(")[0]
        statements.append(PlannedStatement(function, spot[2], planned, other if differs else None))
    return Snapshot(tuple(statements))


# --- Writing ----------------------------------------------------------------------------------------------------------

_QUOTED = r'"(?:[^"]|"")*"'
_NAME = rf"(?:{_QUOTED}|[A-Za-z_*][A-Za-z0-9_.$*]*)"
_WORDS = rf"(?:{_QUOTED}|[A-Z][A-Za-z-]*(?: [A-Z][A-Za-z-]*)*)"
_ROLE = rf"(?:{_QUOTED}|[A-Za-z][A-Za-z0-9_ $()]*)"
_OWN_ATTRIBUTES = {"Key", "On Conflict", "Arbiter"}
_CONDITION = rf"(?!(?:Key|On Conflict|Arbiter)$){_WORDS}"


def _escape(text: str) -> str:
    return re.sub(r"[^ -~]|\\(?=u\{)", lambda m: f"\\u{{{ord(m[0]):x}}}", text)


def _unescape(text: str) -> str:
    return re.sub(r"\\u\{([0-9a-f]{1,6})\}", lambda m: chr(int(m[1], 16)), text)


def _quote(text: str, bare: str) -> str:
    if re.fullmatch(bare, text) and '"' not in text:
        return text
    return '"' + _escape(text).replace('"', '""') + '"'


def _unquote(text: str | None) -> str:
    if text and text.startswith('"'):
        return _unescape(text[1:-1].replace('""', '"'))
    return text or ""


def render(snapshot: Snapshot) -> str:
    """Write a snapshot as text.

    Args:
        snapshot: What :func:`take` or :func:`parse` gave.

    Returns:
        ASCII, ending with a newline; :func:`parse` reads it back.
    """
    return "\n\n".join(map(_statement_text, snapshot.statements)) + "\n" if snapshot.statements else _EMPTY + "\n"


def _statement_text(statement: PlannedStatement) -> str:
    function = _quote(statement.function, _NAME) if statement.function else _CALL
    lines = [function + _times(statement.generic), "  " + _escape(statement.text)]
    lines += plan_lines(statement.generic.plan, 2)
    if statement.custom is not None:
        lines += [f"  custom plan{_times(statement.custom)}:", *plan_lines(statement.custom.plan, 2)]
    return "\n".join(lines)


def _times(planned: Planned) -> str:
    return "" if planned.executions == 1 else f" ({planned.executions} times)"


def plan_lines(node: Node | None, indent: int = 0) -> list[str]:
    """A plan as lines, much as EXPLAIN prints it."""
    if node is None:
        return []
    line = f"[{_quote(node.role, _ROLE)}] " if node.role else ""
    line += _quote(node.type, _WORDS)
    line += f" ({_quote(node.join, _WORDS)})" if node.join else ""
    for word, name in (("using", node.index), ("on", node.relation), ("as", node.alias)):
        line += f" {word} {_quote(name, _NAME)}" if name else ""
    attributes = [(_quote(kind, _CONDITION), text) for kind, text in node.conditions]
    attributes += [("Key", key) for key in node.keys]
    attributes += [("On Conflict", node.conflict)] if node.conflict else []
    attributes += [("Arbiter", arbiter) for arbiter in node.arbiters]
    lines = [" " * indent + "-> " + line]
    lines += [f"{' ' * indent}   {kind}: {_escape(text)}" for kind, text in attributes]
    for child in node.children:
        lines += plan_lines(child, indent + 3)
    return lines


# --- Reading ----------------------------------------------------------------------------------------------------------

_HEAD = re.compile(rf"(?:\(the call\)|(?P<function>{_NAME}))(?: \((?P<times>\d+) times\))?")
_CUSTOM = re.compile(r"  custom plan(?: \((?P<times>\d+) times\))?:")
_NODE = re.compile(
    rf"-> (?:\[(?P<role>{_ROLE})\] )?(?P<type>{_WORDS})(?: \((?P<join>{_WORDS})\))?"
    rf"(?: using (?P<index>{_NAME}))?(?: on (?P<relation>{_NAME}))?(?: as (?P<alias>{_NAME}))?"
)
_ATTRIBUTE = re.compile(rf"(?P<kind>{_WORDS}): (?P<text>.*)")


def parse(text: str) -> Snapshot:
    """Read what :func:`render` wrote; lines beginning with ``#`` above it are passed over.

    Args:
        text: A snapshot's text.

    Returns:
        The snapshot.

    Raises:
        SuiteError: It is not one, with the token ``invalid_snapshot``.
    """
    body = re.sub(r"\A(?:#.*\n)+\n*", "", text)
    if body == _EMPTY + "\n":
        return Snapshot()
    blocks = body.removesuffix("\n").split("\n\n")
    try:
        snapshot = Snapshot(tuple(_read_statement(block.split("\n")) for block in blocks))
    except (ValueError, OverflowError, RecursionError) as error:  # absurd numbers and depths
        raise _invalid(body.partition("\n")[0]) from error
    proper = render(snapshot).split("\n")
    for number, line in enumerate(body.split("\n")):  # what reads well may still not be how it is written
        if [line] != proper[number : number + 1]:
            raise _invalid(line)
    if len(proper) > body.count("\n") + 1:
        raise _invalid("")
    return snapshot


def _invalid(line: str) -> SuiteError:
    what = f"the line {line.strip()!r} does not belong there" if line.strip() else "it ends, or is blank, too early"
    return SuiteError(f"This is not a snapshot of plans: {what}", _ADVICE, token="invalid_snapshot")


def _read_statement(lines: list[str]) -> PlannedStatement:
    head = _HEAD.fullmatch(lines[0])
    if head is None or len(lines) < 2:
        raise _invalid(lines[0])
    text = _unescape(lines[1].removeprefix("  "))
    del lines[:2]
    generic, custom = Planned(int(head["times"] or 1), _read_plan(lines)), None
    if lines:
        match = _CUSTOM.fullmatch(line := lines.pop(0))
        if match is None:
            raise _invalid(line)
        custom = Planned(int(match["times"] or 1), _read_plan(lines))
    if lines:
        raise _invalid(lines[0])
    return PlannedStatement(_unquote(head["function"]), text, generic, custom)


def _read_plan(lines: list[str]) -> Node | None:
    return _read_node(lines, 2) if lines and lines[0].startswith("  -> ") else None


def _read_node(lines: list[str], indent: int) -> Node:
    line = lines.pop(0)
    match = _NODE.fullmatch(line[indent:])
    if match is None:
        raise _invalid(line)
    children: list[Node] = []
    attributes: list[tuple[str, str]] = []
    while lines and lines[0].startswith(" " * (indent + 3)):
        if lines[0].startswith("-> ", indent + 3):
            children.append(_read_node(lines, indent + 3))
        elif attribute := _ATTRIBUTE.fullmatch(lines[0][indent + 3 :]):
            attributes.append((attribute["kind"], _unescape(attribute["text"])))
            del lines[0]
        else:
            raise _invalid(lines[0])
    return Node(
        type=_unquote(match["type"]),
        relation=_unquote(match["relation"]),
        alias=_unquote(match["alias"]),
        index=_unquote(match["index"]),
        join=_unquote(match["join"]),
        role=_unquote(match["role"]),
        conditions=tuple((_unquote(kind), value) for kind, value in attributes if kind not in _OWN_ATTRIBUTES),
        keys=tuple(value for kind, value in attributes if kind == "Key"),
        conflict="".join(value for kind, value in attributes if kind == "On Conflict"),
        arbiters=tuple(value for kind, value in attributes if kind == "Arbiter"),
        children=tuple(children),
    )
