"""What was measured: statements, and calls with all they did. Plain values, no database."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from eventlive_db.plans.frames import Frame, Place, place_of
from eventlive_db.plans.nodes import Node

PlanMode = Literal["generic", "custom"]
MODES: tuple[PlanMode, PlanMode] = ("generic", "custom")

LOCK_STRENGTH = (
    "AccessShare",
    "RowShare",
    "RowExclusive",
    "ShareUpdateExclusive",
    "Share",
    "ShareRowExclusive",
    "Exclusive",
    "AccessExclusive",
)
"""Table lock modes from the weakest to the strongest. Source: PostgreSQL manual, "Explicit Locking"."""

_SPACE = re.compile(r"\s+")
# What EXECUTE puts into a text differs from one time to the next, and it is the same statement all the same.
_CONSTANT = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement that ran, once.

    Its figures include those of the statements that ran inside it (functions that it called, triggers, foreign key
    checks); those that begin with ``own_`` do not.

    Attributes:
        query: Its text; empty for the body of a ``begin atomic`` function.
        frames: The server's call stack, innermost first; empty for what the client sent.
        node: Its plan, read.
        plan: Its plan as auto_explain gives it.
        buffers: Shared blocks touched, hit or read.
        temp_blocks: Blocks of temporary files read or written: a sort or hash that did not fit work_mem.
        wal_records: WAL records written.
        wal_bytes: Bytes of WAL written.
        wal_fpi: Full-page images among them.
        own_buffers: Without the statements inside.
        own_wal_records: Without the statements inside.
        own_wal_bytes: Without the statements inside.
        depth: 0 for what the client sent, one more for each statement around it.
        triggers: Names of the triggers it fired, with how often.
    """

    query: str
    frames: tuple[Frame, ...]
    node: Node
    plan: dict[str, Any] = field(repr=False)
    buffers: int = 0
    temp_blocks: int = 0
    wal_records: int = 0
    wal_bytes: int = 0
    wal_fpi: int = 0
    own_buffers: int = 0
    own_wal_records: int = 0
    own_wal_bytes: int = 0
    depth: int = 0
    triggers: Mapping[str, int] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        """The line of the function that ran it."""
        return place_of(self.frames)

    @property
    def text(self) -> str:
        """The query on one line; for the body of a ``begin atomic`` function, what it does to which tables."""
        if self.query:
            return _SPACE.sub(" ", self.query).strip()
        return f"<{self.node.type} {' '.join(self.relations)}>".replace(" >", ">")

    @property
    def is_foreign_key_check(self) -> bool:
        """Whether Postgres ran it to check a foreign key."""
        return bool(self.frames) and self.query.startswith(("SELECT 1 FROM ONLY ", "SELECT fk."))

    @property
    def relations(self) -> tuple[str, ...]:
        """Tables it read or wrote, as ``schema.table``, each once, in the order of the plan."""
        return tuple(dict.fromkeys(n.relation for n in self.node.walk() if "." in n.relation))

    @property
    def indexes(self) -> tuple[str, ...]:
        """Indexes that were read, each once."""
        return tuple(dict.fromkeys(n.index for n in self.node.walk() if n.index and n.ran))

    @property
    def sequential_scans(self) -> tuple[str, ...]:
        """Tables read from end to end, each once."""
        return tuple(dict.fromkeys(n.relation for n in self.node.walk() if n.is_sequential and n.ran))

    @property
    def rows(self) -> int:
        """Rows it gave or changed."""
        node = self.node
        if node.type in {"Insert", "Update", "Delete", "Merge"} and not node.rows and node.children:
            return node.children[0].rows
        return node.rows

    @property
    def rows_read(self) -> int:
        """Rows that its scans of tables looked at, those thrown away by a filter included."""
        return sum(n.rows + n.removed for n in self.node.walk() if n.reads_table)


@dataclass(frozen=True, slots=True)
class Executions:
    """One statement of one place, however often it ran in a call.

    Attributes:
        first: The first time.
        count: How often.
        buffers: Own blocks, all times together.
        wal_records: Own WAL records, all times together.
        wal_bytes: Own bytes of WAL, all times together.
        rows: Rows given or changed, all times together.
        rows_read: Rows looked at, all times together.
        temp_blocks: Blocks of temporary files, of what ran inside too, all times together.
        sequential_scans: Tables read from end to end at any time.
    """

    first: Statement
    count: int
    buffers: int
    wal_records: int
    wal_bytes: int
    rows: int
    rows_read: int
    temp_blocks: int = 0
    sequential_scans: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """One measured execution of a call.

    Attributes:
        statements: Everything that ran, in the order in which it ended: what ran inside a statement comes directly
            before it, deferred triggers come after the call.
        locks: Strongest lock held at the end for each table (``schema.table``), such as ``RowExclusive``; and
            ``advisory`` with ``Share`` or ``Exclusive``. Locks on catalogs and indexes are left out.
        xids: Transaction ids assigned, of subtransactions too; None where it could not be told.
        sequences: Values taken from sequences, by ``schema.sequence``.
        subtransactions: Where subtransactions were begun: exception blocks.
        aborted: Where subtransactions were rolled back: errors that were caught.
        function_calls: How often each function was called, by ``schema.name``, with its arguments where there are
            overloads; inlined SQL functions are not seen.
        unseen: What kept the server from telling all that ran, a sentence each.
        untold: Tables that were used by something that was not told, a sentence each.
    """

    statements: tuple[Statement, ...]
    locks: Mapping[str, str] = field(default_factory=dict)
    xids: int | None = None
    sequences: Mapping[str, int] = field(default_factory=dict)
    subtransactions: tuple[Place, ...] = ()
    aborted: tuple[Place, ...] = ()
    function_calls: Mapping[str, int] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()

    @property
    def call(self) -> Statement:
        """What the client sent."""
        return next(s for s in reversed(self.statements) if not s.frames)

    @property
    def buffers(self) -> int:
        """Shared blocks touched by all of it, deferred triggers too."""
        return sum(s.buffers for s in self.statements if s.depth == 0)

    @property
    def temp_blocks(self) -> int:
        """Blocks of temporary files read or written."""
        return sum(s.temp_blocks for s in self.statements if s.depth == 0)

    @property
    def wal_records(self) -> int:
        """WAL records written."""
        return sum(s.wal_records for s in self.statements if s.depth == 0)

    @property
    def wal_bytes(self) -> int:
        """Bytes of WAL written."""
        return sum(s.wal_bytes for s in self.statements if s.depth == 0)

    @property
    def wal_fpi(self) -> int:
        """Full-page images among the WAL."""
        return sum(s.wal_fpi for s in self.statements if s.depth == 0)

    @property
    def table_statements(self) -> tuple[Statement, ...]:
        """Statements that touch a table: what a budget of statements counts. Foreign key checks are among them."""
        return tuple(s for s in self.statements if s.relations)

    @property
    def executions(self) -> tuple[Executions, ...]:
        """Statements that touch a table, those of one place and text put together, in the order they first ended."""
        groups: dict[tuple[Frame | None, str], list[Statement]] = {}
        for statement in self.table_statements:
            # By the frame, not the place: each statement of a SQL function has the text of all of them.
            frame = next((f for f in statement.frames if f.kind in {"plpgsql", "sql"}), None)
            dynamic = frame is not None and "EXECUTE" in frame.at
            text = _CONSTANT.sub("?", statement.text) if dynamic else statement.text
            groups.setdefault((frame, text), []).append(statement)
        return tuple(
            Executions(
                first=group[0],
                count=len(group),
                buffers=sum(s.own_buffers for s in group),
                wal_records=sum(s.own_wal_records for s in group),
                wal_bytes=sum(s.own_wal_bytes for s in group),
                rows=sum(s.rows for s in group),
                rows_read=sum(s.rows_read for s in group),
                temp_blocks=sum(s.temp_blocks for s in group),
                sequential_scans=tuple(dict.fromkeys(t for s in group for t in s.sequential_scans)),
            )
            for group in groups.values()
        )

    @property
    def relations(self) -> tuple[str, ...]:
        """Tables that were touched, each once."""
        return tuple(dict.fromkeys(r for s in self.statements for r in s.relations))

    @property
    def indexes(self) -> tuple[str, ...]:
        """Indexes that were read, each once."""
        return tuple(dict.fromkeys(i for s in self.statements for i in s.indexes))

    @property
    def rows_read(self) -> int:
        """Rows looked at in tables, in all statements together."""
        return sum(s.rows_read for s in self.statements)

    def work(self) -> tuple[int, int]:
        """What has to be the same in each run: statements and rows looked at."""
        return len(self.table_statements), self.rows_read


@dataclass(frozen=True, slots=True)
class Updates:
    """Updates of one table over repeated, committed calls.

    Attributes:
        total: Rows updated.
        hot: Rows updated without touching an index (heap-only tuples).
    """

    total: int
    hot: int

    @property
    def ratio(self) -> float:
        """Share of HOT updates, 0 to 1; 1 where there were none."""
        return self.hot / self.total if self.total else 1.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """A call measured at one size of the tables.

    Attributes:
        runs: One for each plan mode.
        rows: Size the database was filled to; 0 where it was not filled.
        raised: Tables whose row count was only told to the planner, not filled.
        updates: Updates by table over repeated calls; empty where that was not asked for.
    """

    runs: Mapping[PlanMode, Run]
    rows: int = 0
    raised: tuple[str, ...] = ()
    updates: Mapping[str, Updates] = field(default_factory=dict)

    @property
    def buffers(self) -> int:
        """Blocks touched, of the dearer mode."""
        return max(run.buffers for run in self.runs.values())
