"""What a run of a test suite shares: one server, and the databases that were already built."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from eventlive_db.plans.arena import Arena, build_arena
from eventlive_db.plans.case import Case
from eventlive_db.plans.check import Judge, Options
from eventlive_db.plans.model import CaseReport
from eventlive_db.plans.sources import read_sources
from eventlive_db.plans.store import SnapshotStore
from eventlive_db.plans.suite import Suite
from eventlive_db.plans.update import AGREEING, update_case
from eventlive_db.server import TEST_SETTINGS, Server, open_server


@dataclass(slots=True)
class Session:
    """Opens a server and builds databases when they are first needed; :meth:`close` ends them.

    Attributes:
        dsn: An existing server; None for one of ``kind``.
        kind: One of ``eventlive_db.server.KINDS``; None for the first there is.
        options: How strictly suites are judged.
        update: ``all`` to write snapshots, ``new`` to write those that are missing, or empty.
        real: Largest size that is filled, instead of the suite's own; None to leave it.
    """

    dsn: str | None = None
    kind: str | None = None
    options: Options = field(default_factory=Options)
    update: str = ""
    real: int | None = None
    _stack: ExitStack = field(default_factory=ExitStack)
    _server: Server | None = None
    _arenas: dict[tuple[Path, int], Arena] = field(default_factory=dict)

    @property
    def server(self) -> Server:
        """The server.

        Raises:
            ServerError: There is none.
        """
        if self._server is None:
            self._server = self._stack.enter_context(
                open_server(dsn=self.dsn, kind=self.kind, settings=None if self.dsn else TEST_SETTINGS)
            )
        return self._server

    def close(self) -> None:
        """Drop the databases and stop the server, if it was started here."""
        self._arenas.clear()
        self._server = None
        self._stack.close()

    def arena(self, suite: Suite, number: int = 0) -> Arena:
        """Databases of a suite; each number is a fresh build."""
        key = suite.path, number
        if key not in self._arenas:
            if self.real is not None:
                suite = replace(suite, scale=replace(suite.scale, real=self.real))
            self._arenas[key] = self._stack.enter_context(build_arena(self.server, suite))
        return self._arenas[key]

    def store(self, suite: Suite) -> SnapshotStore:
        """The suite's snapshots for this server's version."""
        return SnapshotStore(suite.snapshots, self.server.version_num // 10000)

    def judge(self, suite: Suite, case: Case) -> CaseReport:
        """Judge a case, and write its snapshot if the session updates."""

        def judge_in(number: int) -> Callable[[], Judge]:
            store = self.store(suite) if self.options.snapshots else None
            return lambda: Judge(
                self.arena(suite, number), store, read_sources(suite.sources), Path.cwd(), self.options
            )

        if not self.update:
            return judge_in(0)().judge(case)
        return update_case(
            case, [judge_in(n) for n in range(AGREEING)], self.store(suite), only_new=self.update == "new"
        )
