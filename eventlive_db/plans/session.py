"""What a run of a test suite shares: one server, and the databases that were already built."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg

from eventlive_db.plans.arena import Arena, build_arena
from eventlive_db.plans.case import Case
from eventlive_db.plans.check import Judge, Options
from eventlive_db.plans.errors import PlansError
from eventlive_db.plans.sources import read_sources
from eventlive_db.plans.store import SnapshotStore
from eventlive_db.plans.suite import Suite
from eventlive_db.plans.update import AGREEING, ReplacingStore, update_case
from eventlive_db.plans.verdict import CaseReport
from eventlive_db.server import TEST_SETTINGS, Server, ServerError, open_server

APPLICATION_NAME = "plan guard"
"""Of the connection that a run keeps open to its server, so that others see that it is there."""


@dataclass(slots=True)
class Session:
    """Opens a server and builds databases when they are first needed; :meth:`close` ends them.

    Databases are called ``plans_`` and 16 digits. A run that is killed leaves them on a server that it did not start:
    ``eventlive-db plans clean`` drops them.

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
    _server: Server | Exception | None = None
    _arenas: dict[tuple[object, ...], Arena | Exception] = field(default_factory=dict)

    @property
    def server(self) -> Server:
        """The server.

        Raises:
            ServerError: There is none.
            PlansError: The role is no superuser.
        """
        if self._server is None:
            try:
                self._server = self._stack.enter_context(
                    open_server(dsn=self.dsn, kind=self.kind, settings=None if self.dsn else TEST_SETTINGS)
                )
                self._stack.enter_context(_presence(self._server))
            except (ServerError, PlansError) as error:  # the next case would wait for the same
                self._server = error
        if isinstance(self._server, Exception):
            raise self._server
        return self._server

    def close(self) -> None:
        """Drop the databases and stop the server, if it was started here."""
        self._arenas.clear()
        self._server = None
        self._stack.close()

    def arena(self, suite: Suite, number: int = 0) -> Arena:
        """Databases of a suite; each number is a fresh build.

        Raises:
            SuiteError: They cannot be built.
        """
        key = suite.path, suite.schema, suite.hook, number
        if key not in self._arenas:
            if self.real is not None:
                suite = replace(suite, scale=replace(suite.scale, real=self.real))
            try:
                self._arenas[key] = self._stack.enter_context(build_arena(self.server, suite))
            except PlansError as error:
                self._arenas[key] = error
        arena = self._arenas[key]
        if isinstance(arena, Exception):
            raise arena
        return arena

    def store(self, root: Path) -> SnapshotStore:
        """The snapshots in a folder for this server's version."""
        kind = ReplacingStore if self.update == "all" else SnapshotStore
        return kind(root, self.server.version_num // 10000)

    def judge(self, suite: Suite, case: Case) -> CaseReport:
        """Judge a case of a suite file, and write its snapshot if the session updates."""
        return self.judge_in(lambda number: self.arena(suite, number), case, suite.snapshots, suite.sources)

    def judge_in(
        self, arena: Callable[[int], Arena], case: Case, snapshots: Path, sources: tuple[Path, ...]
    ) -> CaseReport:
        """Judge a case, and write its snapshot if the session updates.

        Args:
            arena: Gives the databases; each number is a fresh build.
            case: What.
            snapshots: Folder of its snapshots.
            sources: SQL files in which functions are looked up.
        """
        store = self.store(snapshots)

        def judge_in(number: int) -> Callable[[], Judge]:
            kept = store if self.options.snapshots else None
            return lambda: Judge(arena(number), kept, read_sources(sources), Path.cwd(), self.options)

        if not self.update:
            return judge_in(0)().judge(case)
        return update_case(case, [judge_in(n) for n in range(AGREEING)], store, only_new=self.update == "new")


def _presence(server: Server) -> psycopg.Connection[tuple[object, ...]]:
    """A connection that tells others of this run.

    Raises:
        PlansError: The server cannot be worked with as this role.
    """
    connection = None
    try:
        connection = psycopg.connect(server.admin_dsn, autocommit=True, application_name=APPLICATION_NAME)
        row = connection.execute(
            "select current_user, rolsuper from pg_catalog.pg_roles where rolname = current_user"
        ).fetchone()
    except psycopg.Error as error:
        if connection is not None:
            connection.close()
        msg = f"the server cannot be asked who is connected: {str(error).strip()}"
        raise PlansError(msg, token="server_unusable") from error
    if row is None or not row[1]:
        connection.close()
        msg = f"the role {row[0] if row else ''} of the server's DSN is no superuser"
        advice = (
            "Plans are judged in databases made for it, in which auto_explain is loaded and what the planner knows is"
            " set: give the DSN of a superuser on a test server, or none, and one is started"
        )
        raise PlansError(msg, advice, token="not_superuser")
    return connection
