"""A real attendance export, replayed as sessions faster than life, and checked against the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import psycopg

from eventlive_db.client import Identity
from eventlive_db.load.attendance import Attendance
from eventlive_db.load.stage import Stage, gather_all, open_stage
from eventlive_db.load.tally import CallSummary

_SLACK_S = 0.05
"""Scheduling of tasks and rounding, in seconds of the replay."""


@dataclass(frozen=True, slots=True)
class ReplayView:
    """What can be seen while it runs."""

    elapsed_s: float
    duration_s: float
    watching: int
    done: int
    calls: int


@dataclass(frozen=True, slots=True)
class ReplayedSession:
    """One row of the file and what the database made of it.

    Attributes:
        line: Line of the file.
        file_seconds: Watch time by the file.
        database_seconds: Watch time that the database credited, times the speed.
        tolerance_seconds: How much of a difference the lateness of this session's calls explains, times the speed.
    """

    line: int
    file_seconds: float
    database_seconds: float
    tolerance_seconds: float

    @property
    def agrees(self) -> bool:
        """Whether file and database differ by no more than the lateness of the calls."""
        return abs(self.file_seconds - self.database_seconds) <= self.tolerance_seconds


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What came of the replay.

    Attributes:
        speed: Seconds of the file in one second of the replay.
        people: Different people, guests included.
        sessions: One for each row, in the order of the file.
        calls: By function.
        errors: Refusals by function and token.
        failures: Calls that broke otherwise.
    """

    speed: float
    people: int
    sessions: list[ReplayedSession]
    calls: list[CallSummary]
    errors: dict[tuple[str, str], int]
    failures: dict[str, int]

    @property
    def file_seconds(self) -> float:
        """Watch time by the file, all sessions together."""
        return sum(s.file_seconds for s in self.sessions)

    @property
    def database_seconds(self) -> float:
        """Watch time by the database, all sessions together, times the speed."""
        return sum(s.database_seconds for s in self.sessions)

    @property
    def disagreeing(self) -> list[ReplayedSession]:
        """Sessions whose difference nothing explains; should be empty."""
        return [s for s in self.sessions if not s.agrees]

    @property
    def passed(self) -> bool:
        """Whether the database's watch time agrees with the file."""
        return not self.disagreeing and not self.errors and not self.failures


def default_speed(rows: Sequence[Attendance], seconds: float) -> float:
    """The speed at which a file lasts about that many seconds; never slower than life."""
    first, last = min(r.joined_at for r in rows), max(r.left_at for r in rows)
    return max(1.0, (last - first).total_seconds() / seconds)


async def replay(
    dsn: str, rows: Sequence[Attendance], speed: float, connections: int, show: Callable[[ReplayView], None]
) -> ReplayReport:
    """Replay the rows.

    Args:
        dsn: A database with the schema, and a role that may become the client roles.
        rows: At least one.
        speed: Seconds of the file in one second of the replay.
        connections: Connections that the people share.
        show: Called about twice a second while it runs.

    Returns:
        File and database side by side.
    """
    first = min(r.joined_at for r in rows)
    duration_s = (max(r.left_at for r in rows) - first).total_seconds() / speed
    run = uuid4()
    async with open_stage(dsn, connections) as stage:
        webinar_id = await stage.create_webinar(
            f"replay-{run}",
            {
                # As in life, only faster: 300 s by default.
                "session_heartbeat_interval_s": round(max(1.0, 300 / speed), 3),
                "max_open_sessions_per_user": 1000,
            },
            title="Replay",
            access_policy="guest_allowed",
            duplicate_login_policy="allow",
        )
        origin = asyncio.get_running_loop().time() + 0.2
        spectators = [
            _Spectator(
                row=row,
                identity=Identity.guest() if row.is_guest else Identity.user(uuid5(NAMESPACE_URL, row.person_key)),
                session_id=uuid5(run, str(number)),
                planned_enter=origin + (row.joined_at - first).total_seconds() / speed,
                planned_leave=origin + (row.left_at - first).total_seconds() / speed,
            )
            for number, row in enumerate(rows)
        ]
        display = asyncio.create_task(_display(stage, spectators, origin, duration_s, show))
        try:
            await gather_all(*(asyncio.create_task(s.attend(stage, webinar_id)) for s in spectators))
        finally:
            display.cancel()
        await stage.end_webinar(webinar_id)
    credited = await asyncio.to_thread(_credited, dsn, webinar_id)
    return ReplayReport(
        speed=speed,
        people=len({row.person_key for row in rows}),
        sessions=[
            ReplayedSession(
                line=s.row.lines[0],
                file_seconds=s.row.seconds,
                database_seconds=credited.get(s.session_id, 0.0) * speed,
                tolerance_seconds=(s.late_s + _SLACK_S) * speed,
            )
            for s in spectators
        ],
        calls=stage.tally.summary(),
        errors=dict(stage.tally.errors),
        failures=dict(stage.tally.failures),
    )


@dataclass(slots=True)
class _Spectator:
    """Somebody who comes and goes when the file says so; times are those of the event loop."""

    row: Attendance
    identity: Identity
    session_id: UUID
    planned_enter: float
    planned_leave: float
    late_s: float = 0.0
    state: str = "expected"

    async def attend(self, stage: Stage, webinar_id: UUID) -> None:
        session = {"webinar_id": webinar_id, "session_id": self.session_id}
        await self._until(self.planned_enter)
        entered = await stage.call(self.identity, "webinar_enter", **session)
        self._account(self.planned_enter)
        self.state = "watching"
        delay = float(entered["first_heartbeat_s"])
        while self._now() + delay < self.planned_leave:
            await self._until(self._now() + delay)
            beat = await stage.call(self.identity, "webinar_session_heartbeat", **session)
            delay = float(beat["next_heartbeat_s"])
        await self._until(self.planned_leave)
        await stage.call(self.identity, "webinar_leave", **session, leave_token=UUID(entered["leave_token"]))
        self._account(self.planned_leave)
        self.state = "done"

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    async def _until(self, moment: float) -> None:
        await asyncio.sleep(max(0.0, moment - self._now()))

    def _account(self, planned: float) -> None:
        """Add how much later than planned the reply was here; the database acted somewhere in between."""
        self.late_s += max(0.0, self._now() - planned)


async def _display(
    stage: Stage,
    spectators: list[_Spectator],
    origin: float,
    duration_s: float,
    show: Callable[[ReplayView], None],
) -> None:
    while True:
        states = [s.state for s in spectators]
        show(
            ReplayView(
                elapsed_s=max(0.0, asyncio.get_running_loop().time() - origin),
                duration_s=duration_s,
                watching=states.count("watching"),
                done=states.count("done"),
                calls=stage.tally.calls,
            )
        )
        await asyncio.sleep(0.5)


def _credited(dsn: str, webinar_id: UUID) -> dict[UUID, float]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return dict(
            connection.execute(
                "select session_id, watched_seconds::float from eventlive.webinar_user_sessions where webinar_id = %s",
                [webinar_id],
            ).fetchall()
        )
