"""Which statement ran inside which one, from the order in which they ended and the call stack of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from eventlive_db.plans.frames import Frame
from eventlive_db.plans.model import Statement

_TEXTS = ("statement", "expression")


@dataclass(slots=True)
class Nest:
    """Statements as they end, each told what ran inside it.

    Attributes:
        after_triggers: Names of the functions that AFTER triggers call.
        sql_functions: Names of SQL functions by their body.
        statements: What ended; what ran inside a statement stands directly before it.
        sizes: For each of them, how many statements it and what ran inside it are.
    """

    after_triggers: frozenset[str] = frozenset()
    sql_functions: Mapping[str, str] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def clear(self) -> None:
        """Forget all statements."""
        self.statements.clear()
        self.sizes.clear()

    def end(self, statement: Statement) -> None:
        """Take a statement that ended; its figures are those of its plan."""
        around = statement.frames
        statement = self._named(statement)
        statement = replace(
            statement,
            own_buffers=statement.buffers,
            own_wal_records=statement.wal_records,
            own_wal_bytes=statement.wal_bytes,
        )
        if statement.frames != around and self.statements and self.statements[-1].frames == around:
            parent = self.statements[-1]
            if parent.own_buffers >= statement.buffers:
                self._add_late(statement)
                return
        self._adopt(statement)

    def _named(self, statement: Statement) -> Statement:
        """The same with a frame that the server left out.

        A SQL function in a select list that was not read to its end is shut down when the statement around it is, and
        then no call stack tells of it.
        """
        first = statement.frames[0].kind if statement.frames else ""
        name = self.sql_functions.get(statement.query.strip())
        if first == "sql" or name is None:
            return statement
        return replace(statement, frames=(Frame("sql", name), *statement.frames))

    def _add_late(self, child: Statement) -> None:
        """Put a statement that ended after the one around it where it belongs."""
        parent = self.statements.pop()
        self.statements += [replace(child, depth=parent.depth + 1), _without(parent, child)]
        self.sizes.insert(-1, 1)
        self.sizes[-1] += 1

    def _adopt(self, statement: Statement) -> None:
        inside: list[range] = []
        beside: list[range] = []
        last = len(self.statements) - 1
        while last >= 0 and not _earlier(self.statements[last].frames, statement.frames):
            child = self.statements[last]
            family = range(last - self.sizes[last] + 1, last + 1)
            if _is_inside(child.frames, statement.frames):
                inside.append(family)
                fired = child.frames[len(child.frames) - len(statement.frames) - 1]
                statement = _with(statement, child) if self._is_after(fired) else _without(statement, child)
            else:
                beside.append(family)
            last = family.start - 1
        if inside:
            self._gather([n for family in reversed(beside) for n in family], [n for f in reversed(inside) for n in f])
        self.statements.append(statement)
        self.sizes.append(1 + sum(map(len, inside)))

    def _gather(self, beside: list[int], inside: list[int]) -> None:
        """Put what ran inside the statement that ends behind what did not, one level deeper."""
        first = min(*beside, *inside) if beside else inside[0]
        deeper = [replace(self.statements[n], depth=self.statements[n].depth + 1) for n in inside]
        self.statements[first:] = [*(self.statements[n] for n in beside), *deeper]
        self.sizes[first:] = [self.sizes[n] for n in (*beside, *inside)]

    def _is_after(self, frame: Frame) -> bool:
        """Whether what that frame ran is the work of an AFTER trigger, which no node of the plan above counts.

        A foreign key check hangs below its statement without a function in between.
        """
        return frame.kind == "statement" or frame.name.partition("(")[0].rpartition(".")[2] in self.after_triggers


def _is_inside(inner: tuple[Frame, ...], outer: tuple[Frame, ...]) -> bool:
    """Whether one call stack goes on from another.

    What a cursor's query calls is run where the cursor is fetched from, and the query ends where it is closed.
    """
    between = len(inner) - len(outer)
    if between <= 0:
        return False
    below = inner[between:]
    if below == outer:
        return True
    return bool(outer) and (
        below[1:] == outer[1:]
        and outer[0].at == "at CLOSE"
        and below[0].at in {"at FETCH", "at MOVE"}
        and below[0].name == outer[0].name
    )


def _earlier(one: tuple[Frame, ...], other: tuple[Frame, ...]) -> bool:
    """Whether a statement with one call stack was over before one with the other began, and all before it too."""
    if len(one) > len(other):
        return False
    if other[len(other) - len(one) :] == one:
        return True
    # The same line again, with another text: EXECUTE, or the checks of two foreign keys.
    return len(one) == len(other) and one[1:] == other[1:] and one[0].kind in _TEXTS and other[0].kind in _TEXTS


def _without(parent: Statement, child: Statement) -> Statement:
    return replace(
        parent,
        own_buffers=parent.own_buffers - child.buffers,
        own_wal_records=parent.own_wal_records - child.wal_records,
        own_wal_bytes=parent.own_wal_bytes - child.wal_bytes,
    )


def _with(parent: Statement, child: Statement) -> Statement:
    return replace(
        parent,
        buffers=parent.buffers + child.buffers,
        temp_blocks=parent.temp_blocks + child.temp_blocks,
        wal_records=parent.wal_records + child.wal_records,
        wal_bytes=parent.wal_bytes + child.wal_bytes,
        wal_fpi=parent.wal_fpi + child.wal_fpi,
    )
