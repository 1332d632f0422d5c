"""The statements of a call as a tree: each below the statement that ran it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from eventlive_db.plans.frames import Frame, Place
from eventlive_db.plans.model import Run, Statement


@dataclass(frozen=True, slots=True)
class Branch:
    """A statement and what ran inside it; several executions of the same one may be put together.

    Attributes:
        statement: The first execution.
        executions: How many are put together here.
        callers: Functions between this statement's own and the statement around it, innermost first.
        children: What ran inside, in the order in which it ended.
        rows: Given or changed, by all executions; and so on for the figures below.
        rows_read: Looked at in tables.
        buffers: Those of the statements inside included.
        own_buffers: Without them.
        wal_records: Those of the statements inside included.
        own_wal_records: Without them.
        wal_bytes: Those of the statements inside included.
        own_wal_bytes: Without them.
    """

    statement: Statement
    executions: int
    callers: tuple[Place, ...]
    children: tuple[Branch, ...]
    rows: int
    rows_read: int
    buffers: int
    own_buffers: int
    wal_records: int
    own_wal_records: int
    wal_bytes: int
    own_wal_bytes: int

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Branch]]:
        """This branch and all below it, parents first, each with its depth."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)


def branches(run: Run, *, collapse_over: int = 3) -> tuple[Branch, ...]:
    """The tree of a call.

    Args:
        run: The call.
        collapse_over: The same statement of the same place, with the same plan, that ran more often than this inside
            one statement becomes one branch.

    Returns:
        The statements that nothing ran: what the client sent, and what deferred triggers ran after it.
    """
    # In ending order, what ran inside a statement is what came before it one level deeper.
    waiting: list[tuple[Statement, tuple[Branch, ...]]] = []
    for statement in run.statements:
        first = len(waiting)
        while first and waiting[first - 1][0].depth > statement.depth:
            first -= 1
        inside = [_single(s, below, statement.frames) for s, below in waiting[first:]]
        del waiting[first:]
        waiting.append((statement, _collapsed(inside, collapse_over)))
    return _collapsed([_single(s, below, ()) for s, below in waiting], collapse_over)


def _single(statement: Statement, children: tuple[Branch, ...], around: tuple[Frame, ...]) -> Branch:
    between = statement.frames[: max(0, len(statement.frames) - len(around))]
    functions = tuple(Place(f.name, f.line) for f in between if f.kind in {"plpgsql", "sql"})
    return Branch(
        statement=statement,
        executions=1,
        callers=functions[1:],
        children=children,
        rows=statement.rows,
        rows_read=statement.rows_read,
        buffers=statement.buffers,
        own_buffers=statement.own_buffers,
        wal_records=statement.wal_records,
        own_wal_records=statement.own_wal_records,
        wal_bytes=statement.wal_bytes,
        own_wal_bytes=statement.own_wal_bytes,
    )


def _collapsed(siblings: list[Branch], collapse_over: int) -> tuple[Branch, ...]:
    groups: dict[tuple[object, ...], list[Branch]] = {}
    for branch in siblings:
        groups.setdefault(_identity(branch), []).append(branch)
    merged = {
        id(group[0]): _merged(group, collapse_over)
        for group in groups.values()
        if sum(b.executions for b in group) > collapse_over and len(group) > 1
    }
    dropped = {id(b) for group in groups.values() if id(group[0]) in merged for b in group[1:]}
    return tuple(merged.get(id(b), b) for b in siblings if id(b) not in dropped)


def _identity(branch: Branch) -> tuple[object, ...]:
    statement = branch.statement
    shape = tuple((n.type, n.relation, n.index, n.ran) for n in statement.node.walk())
    return (statement.place, branch.callers, statement.text, statement.is_foreign_key_check, shape)


def _merged(group: list[Branch], collapse_over: int) -> Branch:
    return Branch(
        statement=group[0].statement,
        executions=sum(b.executions for b in group),
        callers=group[0].callers,
        children=_collapsed([child for b in group for child in b.children], collapse_over),
        rows=sum(b.rows for b in group),
        rows_read=sum(b.rows_read for b in group),
        buffers=sum(b.buffers for b in group),
        own_buffers=sum(b.own_buffers for b in group),
        wal_records=sum(b.wal_records for b in group),
        own_wal_records=sum(b.own_wal_records for b in group),
        wal_bytes=sum(b.wal_bytes for b in group),
        own_wal_bytes=sum(b.own_wal_bytes for b in group),
    )


def place_line(branch: Branch) -> str:
    """Where a statement ran, in words: ``app.f line 3, called by app.g line 7``."""
    statement = branch.statement
    place = str(statement.place)
    if statement.is_foreign_key_check:
        place = f"foreign key check after {place}"
    elif statement.depth == 0 and statement.frames:
        place = f"at the end of the transaction: {place}"
    return "".join([place, *(f", called by {caller}" for caller in branch.callers)])


def flat(roots: Iterable[Branch]) -> Iterator[tuple[int, Branch]]:
    """All branches, parents first, each with its depth."""
    for root in roots:
        yield from root.walk()
