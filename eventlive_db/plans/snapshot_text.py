"""A snapshot as text, and the text read back."""

from __future__ import annotations

import re

from eventlive_db.plans.errors import SuiteError
from eventlive_db.plans.nodes import Node
from eventlive_db.plans.planned import Planned, PlannedStatement, Snapshot

_EMPTY = "(no statement touches a table)"
_CALL = "(the call)"
_ADVICE = "A snapshot is generated, not written by hand: restore the file, or make it anew with --plan-update"

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
