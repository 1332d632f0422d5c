"""The SQL statements of a function, and what it proves that one of them ran.

The statements of a plpgsql list run one after another. Who is seen at one of them has been at all those before it, at
the condition of the IF around it, and at the query of the loop around it: also where these left no trace themselves,
as the query of a loop whose body failed does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from eventlive_db import functions
from eventlive_db.functions import EXPRESSION, Routine, defaults, parse_function, runs, sql_statements
from eventlive_db.plans.coverage.errors import ParserMissingError
from eventlive_db.plans.coverage.log import one_line

_AT = {
    "assign": "at assignment",
    "assert": "at ASSERT",
    "call": "at CALL",
    "case": "at CASE",
    "close": "at CLOSE",
    "dynexecute": "at EXECUTE",
    "dynfors": "at FOR over EXECUTE statement",
    "execsql": "at SQL statement",
    "exit": "at EXIT",
    "fetch": "at FETCH",
    "forc": "at FOR over cursor",
    "foreach_a": "at FOREACH over array",
    "fori": "at FOR with integer loop variable",
    "fors": "at FOR over SELECT rows",
    "if": "at IF",
    "open": "at OPEN",
    "perform": "at PERFORM",
    "raise": "at RAISE",
    "return": "at RETURN",
    "return_next": "at RETURN NEXT",
    "return_query": "at RETURN QUERY",
    "while": "at WHILE",
}
"""How the server calls each kind of statement in a CONTEXT: plpgsql_stmt_typename() in its source."""

_INITIAL = "during statement block local variable initialization"
_WHOLE = {"call", "dynexecute", "dynfors", "execsql", "forc", "fors", "open", "perform", "return_query"}
"""Those that are a query themselves; in others it is a part, which may not be reached."""

_NOT_OWN = {
    "body",
    "then_body",
    "elsif_list",
    "else_body",
    "case_when_list",
    "else_stmts",
    "exceptions",
    "target",
    "var",
    "message",  # of ASSERT: worked out only where that fails
}


_UTILITY = re.compile(
    r"""execute \s+ (?: (?:pg_catalog\.)? format \s* \( \s* )? (?: ' | \$ \w* \$ ) \s*
        (?: alter | comment | create (?! .* \bas\b) | drop | grant | lock | notify | reset | revoke | set | truncate )
        \b""",
    re.IGNORECASE | re.VERBOSE,
)
"""An EXECUTE whose text begins as that of a utility command does. One that makes a table of a query has a plan."""


@dataclass(frozen=True, slots=True)
class SqlStatement:
    """Something of a function that the executor runs: a statement, or an expression with a sub-select.

    Attributes:
        line: Of the body, the line of the opening quote being 1; 0 in a ``begin atomic`` one.
        text: In single spaces; of an EXECUTE the expression that gives the text.
        before: Numbers of the statements that must have run before it.
        dynamic: The text that runs is another.
        cursor: It ends where the cursor is closed, on another line.
    """

    line: int
    text: str
    before: frozenset[int] = frozenset()
    dynamic: bool = False
    cursor: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A statement of plpgsql, or a variable's default.

    Attributes:
        line: That the server names.
        at: What the server calls it.
        statements: Numbers of the SQL statements in it.
        before: Numbers of the SQL statements that must have run before it.
        whole: Whether it is a SQL statement itself.
    """

    line: int
    at: str
    statements: tuple[int, ...] = ()
    before: frozenset[int] = frozenset()
    whole: bool = False


@dataclass(slots=True)
class Body:
    """A function taken apart.

    Attributes:
        statements: What may run, in the order of the text.
        steps: Of plpgsql alone.
        utilities: Line and text of utility commands, whose running leaves no trace.
        problem: Why none of it can be judged; empty where it can.
    """

    statements: list[SqlStatement] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    utilities: list[tuple[int, str]] = field(default_factory=list)
    problem: str = ""


def take_apart(routine: Routine, scalar_types: frozenset[str] = frozenset()) -> Body:
    """The SQL statements of a function.

    Args:
        routine: As the catalog has it.
        scalar_types: Names of the database's types that have no fields.

    Raises:
        ParserMissingError: pglast is not installed.
    """
    try:
        if routine.language == "sql":
            return _of_sql(routine)
        tree = parse_function(routine.header, routine.source, scalar_types)
    except functions.UnreadableError as error:
        return Body(problem=f"pglast cannot read it: {error}")
    except functions.ParserMissingError as error:
        msg = "coverage takes pglast, which reads the functions, and it is missing"
        raise ParserMissingError(msg, error.advice) from error
    return _Walk(tree, routine.source).body


def _of_sql(routine: Routine) -> Body:
    text = routine.source
    if routine.atomic is not None:
        # As Postgres prints it: BEGIN ATOMIC ... END, or RETURN and an expression.
        head, _, rest = routine.atomic.strip().partition(" ")
        text = f"select {rest}" if head.upper() == "RETURN" else rest.strip()[len("ATOMIC") :].removesuffix("END")
    found = sql_statements(text)
    if routine.may_inline and len(found) == 1 and found[0][1][:6].lower() in {"select", "values"}:
        return Body(problem="a single SELECT, which the planner may put in place of the call")
    body = Body()
    for line, own, judged in found:
        shown = line if routine.atomic is None else 0
        if judged:
            before = frozenset(range(len(body.statements)))
            body.statements.append(SqlStatement(shown, one_line(own), before))
        else:
            body.utilities.append((shown, one_line(own)))
        body.steps.append(Step(len(body.steps) + 1, "", (len(body.statements) - 1,) if judged else ()))
    return body


class _Walk:
    def __init__(self, tree: dict[str, Any], source: str) -> None:
        self.body = Body()
        self._datums: list[dict[str, Any]] = [next(iter(datum.values())) for datum in tree["datums"]]
        block = tree["action"]["PLpgSQL_stmt_block"]
        declared = self._declared(source, block["lineno"])
        self._block(block, declared)

    def _declared(self, source: str, begin: int) -> frozenset[int]:
        """Variables' defaults; gives those that run each time, of the block whose BEGIN is on that line."""
        outer: frozenset[int] = frozenset()
        for line, text in defaults(source):
            before = outer if line <= begin else frozenset()
            numbers = self._add({"query": text, "parseMode": EXPRESSION}, line, before)
            self.body.steps.append(Step(line, _INITIAL, numbers, before))
            if line <= begin:
                outer |= frozenset(numbers)
        return outer

    def _add(self, expression: dict[str, Any], line: int, before: frozenset[int], **more: bool) -> tuple[int, ...]:
        query, mode = expression["query"], expression.get("parseMode", 0)
        executor = runs(query, mode)
        if executor is None:
            self.body.utilities.append((line, one_line(query)))
        if not executor:
            return ()
        return self._append(SqlStatement(line, one_line(query), before, **more))

    def _append(self, statement: SqlStatement) -> tuple[int, ...]:
        self.body.statements.append(statement)
        return (len(self.body.statements) - 1,)

    def _list(self, nodes: list[dict[str, Any]], before: frozenset[int]) -> None:
        for node in nodes:
            ((name, fields),) = node.items()
            before |= self._step(name.removeprefix("PLpgSQL_stmt_"), fields, before)

    def _step(self, kind: str, fields: dict[str, Any], before: frozenset[int]) -> frozenset[int]:
        """Take in a statement; gives what has run for sure when the next one is reached."""
        if kind == "block":
            self._block(fields, before)
            # A block may be left from within, by EXIT or by an error that it catches.
            return frozenset()
        line = fields.get("lineno", 0)
        always = self._own(kind, fields, line, before)
        within = before | frozenset(always)
        at = len(self.body.steps)
        self.body.steps.append(Step(line, _AT.get(kind, ""), always, before, kind in _WHOLE))
        branches = self._branches(fields, line, within)
        if branches:
            self.body.steps[at] = Step(line, _AT.get(kind, ""), always + branches, before)
        self._list(fields.get("body", []), within)
        return frozenset(always)

    def _own(self, kind: str, fields: dict[str, Any], line: int, before: frozenset[int]) -> tuple[int, ...]:
        numbers: tuple[int, ...] = ()
        for expression in _expressions(fields):
            numbers += self._add(expression, line, before | frozenset(numbers), cursor=kind == "open")
        text = fields.get("dynquery") or (fields.get("query") if kind in {"dynexecute", "dynfors"} else None)
        if text is not None:
            shown = f"execute {one_line(text['PLpgSQL_expr']['query'])}"
            if _UTILITY.match(shown):
                self.body.utilities.append((line, shown))
                return numbers
            numbers += self._append(SqlStatement(line, shown, before | frozenset(numbers), dynamic=True))
        if kind in {"open", "forc"}:
            declared = self._datums[fields["curvar"]].get("cursor_explicit_expr")
            if declared is not None:
                earlier = before | frozenset(numbers)
                numbers += self._add(declared["PLpgSQL_expr"], line, earlier, cursor=kind == "open")
        return numbers

    def _branches(self, fields: dict[str, Any], line: int, before: frozenset[int]) -> tuple[int, ...]:
        """The branches of an IF or CASE; gives its further conditions, which the server puts on its first line."""
        numbers: tuple[int, ...] = ()
        self._list(fields.get("then_body", []), before)
        for branch in (*fields.get("elsif_list", ()), *fields.get("case_when_list", ())):
            (parts,) = branch.values()
            condition = parts.get("cond") or parts["expr"]
            own = self._add(condition["PLpgSQL_expr"], parts.get("lineno", line), before)
            numbers += own
            before |= frozenset(own)
            self._list(parts.get("stmts", []), before)
        self._list(fields.get("else_body", []), before)
        self._list(fields.get("else_stmts", []), before)
        return numbers

    def _block(self, block: dict[str, Any], before: frozenset[int]) -> None:
        first = len(self.body.steps)
        self._list(block.get("body", []), before)
        handlers = block.get("exceptions", {}).get("PLpgSQL_exception_block", {}).get("exc_list", [])
        if len(self.body.steps) > first:
            begun = self.body.steps[first]
            # Something failed: at the earliest the first statement, and that has begun.
            before |= frozenset(begun.statements if begun.whole else ())
        for handler in handlers:
            self._list(handler["PLpgSQL_exception"].get("action", []), before)


def _expressions(value: Any) -> Iterator[dict[str, Any]]:
    """The expressions of a statement itself, not of those inside it."""
    if isinstance(value, list):
        for item in value:
            yield from _expressions(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name == "PLpgSQL_expr":
                yield item
            elif name not in _NOT_OWN:
                yield from _expressions(item)
