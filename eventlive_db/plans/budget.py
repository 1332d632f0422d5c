"""What a call may cost, written by hand.

A budget is portable: it names no cost, no time and no node of a plan, so the same one holds on every version of
Postgres. Whatever it leaves out is not judged.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any

from eventlive_db.plans.errors import SuiteError
from eventlive_db.plans.model import LOCK_STRENGTH

_COUNTS = (
    "statements",
    "repeats",
    "rows_read",
    "buffers",
    "temp_blocks",
    "wal_records",
    "wal_bytes",
    "xids",
    "sequences",
    "subtransactions",
    "aborted_subtransactions",
    "function_calls",
    "growth",
)
_TABLES = ("seq_scans", "only_touches", "never_touches")
_ADVISORY = ("Share", "Exclusive")
_NONE: Mapping[str, Any] = {**dict.fromkeys((*_TABLES, "ties"), ()), "locks": {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Ceilings for one call; None is no ceiling.

    Tables are named ``schema.table``, or ``table`` in any schema, and ``*`` stands for any part of a name.

    Attributes:
        statements: Statements that touch a table, each execution counted, foreign key checks included.
        repeats: Executions of any one statement; 1 forbids a loop that runs one for each row (N+1).
        rows_read: Rows that scans of tables look at, thrown away or not.
        buffers: Shared blocks of 8 kB touched, hit or read.
        temp_blocks: Blocks of temporary files: sorts and hashes that do not fit ``work_mem``.
        wal_records: WAL records.
        wal_bytes: Bytes of WAL; judged with 16 to spare, for alignment.
        seq_scans: Tables that may be read from end to end; ``()`` for none.
        locks: Strongest lock held at the end for each table, such as ``{"accounts": "RowExclusive"}``, and for
            ``advisory`` ``Share`` or ``Exclusive``. A table that is not named may be read (``AccessShare``) only; of
            two patterns that fit a table the one that allows more counts.
        xids: Transaction ids assigned; 0 for a call that writes nothing.
        sequences: Values taken from sequences, all of them together.
        subtransactions: Exception blocks entered and savepoints.
        aborted_subtransactions: Errors that were caught.
        hot: Least share of heap-only updates over repeated calls, 0 to 1, for each table that is updated.
        function_calls: Calls of any one function; 1 forbids a policy's helper that runs for each row.
        only_touches: Tables that may be touched; None for any, ``()`` for none.
        never_touches: Tables that may not be touched.
        growth: Buffers at the largest size minus buffers at the smallest.
        ties: Indexes known to fit as well as another one, as ``index`` or ``index = other``.
    """

    statements: int | None = None
    repeats: int | None = None
    rows_read: int | None = None
    buffers: int | None = None
    temp_blocks: int | None = None
    wal_records: int | None = None
    wal_bytes: int | None = None
    seq_scans: tuple[str, ...] | None = None
    locks: Mapping[str, str] | None = None
    xids: int | None = None
    sequences: int | None = None
    subtransactions: int | None = None
    aborted_subtransactions: int | None = None
    hot: float | None = None
    function_calls: int | None = None
    only_touches: tuple[str, ...] | None = None
    never_touches: tuple[str, ...] = ()
    growth: int | None = None
    ties: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            SuiteError: A value of the wrong type or range.
        """
        for name in _COUNTS:
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
                _refuse(name, value, "a whole number, 0 or more")
        share = self.hot is None or (isinstance(self.hot, int | float) and not isinstance(self.hot, bool))
        if not share or not 0 <= (self.hot or 0) <= 1:
            _refuse("hot", self.hot, "a share between 0 and 1")
        for name in (*_TABLES, "ties"):
            value = getattr(self, name)
            named = isinstance(value, list | tuple) and all(isinstance(item, str) and item for item in value)
            if value is not None and not named:
                _refuse(name, value, 'a list of names, such as ["accounts"], or [] for none')
            if isinstance(value, list):
                object.__setattr__(self, name, tuple(value))
        if self.locks is not None and not isinstance(self.locks, Mapping):
            _refuse("locks", self.locks, 'a table of modes, such as { accounts = "RowExclusive" }, or {} for none')
        for table, mode in (self.locks or {}).items():
            known = _ADVISORY if table == "advisory" else LOCK_STRENGTH
            if mode not in known:
                _refuse(f"locks.{table}", mode, f"one of {', '.join(known)}")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], where: str = "budget") -> Budget:
        """Read a budget as TOML has it.

        Args:
            values: Names and values as the attributes of this class; ``"none"`` may stand for an empty list or table.
            where: What to call it in an error.

        Raises:
            SuiteError: A name that is none, or a value that cannot be meant.
        """
        known = [f.name for f in fields(cls)]
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                advice = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}"
                msg = f"{where}: there is no budget {name!r}"
                raise SuiteError(msg, advice, token="unknown_budget")
        read: dict[str, Any] = {}
        for name, value in values.items():
            read[name] = _NONE.get(name, value) if value == "none" else value
        try:
            return cls(**read)
        except SuiteError as error:
            msg = f"{where}: {error}"
            raise SuiteError(msg, token=error.token) from error

    @property
    def tables(self) -> tuple[tuple[str, str], ...]:
        """Every table that is named, as ``(budget, table)``."""
        named = [(name, table) for name in _TABLES for table in getattr(self, name) or ()]
        return (*named, *(("locks", table) for table in self.locks or () if table != "advisory"))


def _refuse(name: str, value: object, must_be: str) -> None:
    msg = f"budget {name} is {value!r} and must be {must_be}"
    raise SuiteError(msg, token="invalid_budget")


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a table (``schema.table``) is named by one of the patterns (``schema.table``, ``table``, with ``*``)."""
    bare = name.rpartition(".")[2]
    return any(fnmatchcase(name if "." in p else bare, p) for p in patterns)


def allowed_lock(name: str, locks: Mapping[str, str]) -> str:
    """The strongest lock that a budget allows on a table by any of its patterns; ``AccessShare`` if none fits."""
    modes = [mode for pattern, mode in locks.items() if matches(name, [pattern])]
    return max(modes, key=LOCK_STRENGTH.index, default="AccessShare")


def stronger(mode: str, than: str) -> bool:
    """Whether a lock mode is stronger than another one."""
    order = _ADVISORY if mode in _ADVISORY and than in _ADVISORY else LOCK_STRENGTH
    return order.index(mode) > order.index(than)
