"""What one look at the database brings."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Holder:
    """Something that keeps dead rows from being removed.

    Attributes:
        what: Such as ``backend 123 (app)``, ``prepared transaction x`` or ``replication slot y``.
        age_s: For how long, in seconds; none where the server does not know.
        age_xids: How many transactions began since.
    """

    what: str
    age_s: float | None
    age_xids: int


@dataclass(frozen=True, slots=True)
class TableFigures:
    """Counters of one table of ``eventlive``."""

    name: str
    live: int
    dead: int
    updates: int
    hot_updates: int


@dataclass(frozen=True, slots=True)
class Job:
    """A job, as ``eventlive.job_health()`` tells of it, and whether anybody can read its schedule.

    Attributes:
        name: Its name.
        state: As there, or ``bad_schedule``.
        detail: A sentence.
        success_age_s: Since its last success, in seconds; none where there was none.
    """

    name: str
    state: str
    detail: str | None
    success_age_s: float | None


@dataclass(slots=True)
class Figures:
    """What one look at the database brings. None: it may not be seen, or is not there.

    Attributes:
        role: Who looked.
        may_monitor: Whether that role has the privileges of ``pg_read_all_stats``.
        next_xid: The transaction id that is given out next.
        connections: Client backends.
        connection_limit: How many ordinary roles may open.
        lock_waiters: Backends in this database that wait for a lock.
        holders: What keeps dead rows of this database from being removed.
        tables: Those of the schema ``eventlive``.
        jobs: The jobs; none where the function is missing or may not be called.
        settings: Rows of key and value.
        settings_asked: Whether settings were to be read.
    """

    role: str
    may_monitor: bool
    next_xid: int
    connections: int | None = None
    connection_limit: int | None = None
    lock_waiters: int | None = None
    holders: list[Holder] | None = None
    tables: list[TableFigures] = field(default_factory=list)
    jobs: list[Job] | None = None
    settings: list[tuple[str, object]] | None = None
    settings_asked: bool = False
