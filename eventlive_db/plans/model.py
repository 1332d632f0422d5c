"""What was measured: statements, calls, and what a judged suite comes to. Plain values, no database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
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
        function_calls: How often each function was called, by ``schema.name``; inlined SQL functions are not seen.
    """

    statements: tuple[Statement, ...]
    locks: Mapping[str, str] = field(default_factory=dict)
    xids: int | None = None
    sequences: Mapping[str, int] = field(default_factory=dict)
    subtransactions: tuple[Place, ...] = ()
    aborted: tuple[Place, ...] = ()
    function_calls: Mapping[str, int] = field(default_factory=dict)

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
            groups.setdefault((frame, statement.text), []).append(statement)
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


@dataclass(frozen=True, slots=True)
class Violation:
    """A budget, guard or snapshot that does not hold.

    Attributes:
        token: Stable, such as ``budget.buffers``, ``guard.tie`` or ``snapshot.changed``.
        case: Name of the case.
        problem: One sentence: what was measured and what is allowed.
        cause: What likely changed; empty where nothing can be said.
        place: The line of the function that is to blame; None where no single one is.
        mode: In which plan mode; None where that does not matter.
        rows: At which size; 0 where that does not matter.
        statement: The statement that is to blame, on one line; or empty.
        file: Source file of the function, relative to the folder in which the command runs; or empty.
        file_line: Line in that file; 0 where unknown.
    """

    token: str
    case: str
    problem: str
    cause: str = ""
    place: Place | None = None
    mode: PlanMode | None = None
    rows: int = 0
    statement: str = ""
    file: str = ""
    file_line: int = 0

    def sentences(self) -> Iterator[str]:
        """What a person is told, a line each."""
        yield f"{self.token}: {self.problem}"
        if self.place is not None:
            where = f"in {self.place}"
            if self.file:
                where += f" ({self.file}:{self.file_line})"
            yield f"{where}: {self.statement}" if self.statement else where
        if self.cause:
            yield f"likely: {self.cause}"

    def __str__(self) -> str:
        return "\n  ".join(self.sentences())


@dataclass(frozen=True, slots=True)
class CaseReport:
    """One case of a suite, judged.

    Attributes:
        name: Of the case.
        call: Its SQL.
        measurements: One for each size, smallest first; empty where the call could not be made.
        violations: What does not hold; empty if all does.
        snapshot: Text of the plans now, as a snapshot keeps them; None where the case has none.
        snapshot_before: Text of the snapshot on disk; None where there is none.
        changes: How the plans differ from the snapshot, a sentence each.
        notes: What a reader should know: ties that were accepted, sizes that were raised.
    """

    name: str
    call: str
    measurements: tuple[Measurement, ...] = ()
    violations: tuple[Violation, ...] = ()
    snapshot: str | None = None
    snapshot_before: str | None = None
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything holds."""
        return not self.violations


@dataclass(frozen=True, slots=True)
class Report:
    """A suite, judged.

    Attributes:
        suite: Its name.
        server_version: Such as ``18.6``.
        cases: In the order of the suite.
        violations: What concerns no single case, such as a snapshot that nothing uses.
    """

    suite: str
    server_version: str
    cases: tuple[CaseReport, ...]
    violations: tuple[Violation, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything holds."""
        return not self.violations and all(case.passed for case in self.cases)

    @property
    def all_violations(self) -> tuple[Violation, ...]:
        """Those of the suite and of its cases."""
        return (*self.violations, *(v for case in self.cases for v in case.violations))
