"""The fixture ``plan_guard``: budgets written in a test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from eventlive_db.plans.arena import Arena, Stage, new_name
from eventlive_db.plans.budget import Budget
from eventlive_db.plans.case import Case
from eventlive_db.plans.errors import PlansError, SuiteError
from eventlive_db.plans.pytest_plugin.failure import PlanFailure, properties
from eventlive_db.plans.pytest_plugin.unused import SNAPSHOTS
from eventlive_db.plans.session import Session
from eventlive_db.plans.suite import Suite
from eventlive_db.plans.verdict import CaseReport
from eventlive_db.server import ServerError

Work = Callable[[str], object]
"""Does something in a database; given its DSN."""

Schema = Iterable[str | Path] | str | Path | Work
"""What ``plan_guard_schema`` returns: SQL files, relative to pytest's root directory or absolute, or a function."""


def schema_suite(schema: Schema, root: Path) -> Suite:
    """A suite without cases that is built as a schema says.

    Raises:
        SuiteError: It names a file that does not exist.
    """
    if callable(schema):
        return Suite("plan_guard", root, hook=schema)
    if not isinstance(schema, str | Path | Iterable):
        msg = f"plan_guard_schema returned {schema!r}, which is neither SQL files nor a function"
        raise SuiteError(msg, "It must return paths of SQL files, or a function that is given a DSN")
    files = tuple(root / path for path in ([schema] if isinstance(schema, str | Path) else schema))
    missing = [str(file) for file in files if not file.is_file()]
    if missing or not files:
        msg = f"plan_guard_schema names {', '.join(missing) or 'no file'}" + (", which is no file" if missing else "")
        raise SuiteError(msg, f"Its paths are absolute, or relative to {root}")
    return Suite("plan_guard", root, schema=files, sources=files)


class PlanGuard:
    """Holds calls against budgets. Each is measured in a fresh copy of the schema, and rolled back.

    Attributes:
        used: Snapshots that were compared with.
        properties: What each call cost and what a reader should know, as pytest's user properties.
    """

    def __init__(self, session: Session, suite: Suite, module: Path, test: str) -> None:
        self._session = session
        self._suite = suite
        self._module = module
        self._test = test
        self._names: set[str] = set()
        self._works: list[str | Work] = []
        self._copies: dict[int, Arena] = {}
        self._stack = ExitStack()
        self.used: set[Path] = set()
        self.properties: list[tuple[str, str]] = []

    def __enter__(self) -> PlanGuard:
        """Itself; its databases are dropped at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def prepare(self, work: str | Work) -> None:
        """Do something that the calls of this test find done, such as inserting rows.

        It is done in each database that this test uses (an update of snapshots takes three), and then the tables are
        vacuumed and analyzed.

        Args:
            work: SQL, or a function that is given the DSN of a database, as superuser.

        Raises:
            SuiteError: The SQL failed.
        """
        __tracebackhide__ = True
        with _plainly():
            self._works.append(work)
            if self._copies:
                for arena in self._copies.values():
                    _do(arena.stages[0].dsn, [work])
            else:
                self._arena(0)

    def check(
        self,
        call: str,
        parameters: Sequence[Any] = (),
        *,
        budget: Budget | Mapping[str, Any],
        name: str = "",
        role: str | None = None,
        claims: Mapping[str, Any] | None = None,
        settings: Mapping[str, str] | None = None,
        before: str = "",
        snapshot: bool = True,
        repeat: int = 100,
        warmups: int = 2,
    ) -> CaseReport:
        """Make a call several times, each rolled back, and hold it against a budget and its snapshot.

        Args:
            call: One SQL statement, ``%s`` for each parameter.
            parameters: Their values.
            budget: What it may cost: a :class:`Budget`, or a mapping of the same names.
            name: Tells several calls of one test apart.
            role: Role that makes the call; None for the superuser.
            claims: Set as ``request.jwt.claims``.
            settings: Further settings of the transaction.
            before: SQL that is run and committed before each call.
            snapshot: Whether its plans are kept in ``plan_snapshots`` and compared.
            repeat: Calls over which the HOT ratio is taken.
            warmups: Calls that are thrown away before those that are measured.

        Returns:
            What was measured.

        Raises:
            PlanFailure: Something does not hold; an AssertionError.
            SuiteError: A budget that cannot be meant, or two calls of one test without names.
        """
        __tracebackhide__ = True
        with _plainly():
            report = self._judged(
                Case(
                    name=f"{self._test}: {name}" if name else self._test,
                    call=call,
                    parameters=tuple(parameters),
                    role=role,
                    claims=claims,
                    settings=dict(settings or {}),
                    before=before,
                    budget=budget if isinstance(budget, Budget) else Budget.from_mapping(budget),
                    snapshot=snapshot,
                    repeat=repeat,
                    warmups=warmups,
                )
            )
        if not report.passed:
            raise PlanFailure(report)
        return report

    def _judged(self, case: Case) -> CaseReport:
        if case.name in self._names:
            msg = f"{case.name!r} is checked twice in one test"
            raise SuiteError(msg, 'Tell the calls apart: plan_guard.check(..., name="the second one")')
        self._names.add(case.name)
        session, snapshots = self._session, self._module.parent / SNAPSHOTS / self._module.stem
        if case.snapshot:
            self.used.add(session.store(snapshots).path(case.name))
        report = session.judge_in(self._arena, case, snapshots, self._suite.sources)
        self.properties += properties(report, updating=bool(session.update))
        return report

    def _arena(self, number: int) -> Arena:
        built = self._session.arena(self._suite, number)
        if not self._works:
            return built  # each measurement takes a copy
        if number not in self._copies:
            name, server = new_name(), built.server
            self._stack.callback(server.drop_database, name)
            dsn = server.create_database(name, built.stages[0].name)
            _do(dsn, self._works)
            self._copies[number] = Arena(server, (Stage(name, dsn),))
        return self._copies[number]


@contextmanager
def _plainly() -> Iterator[None]:
    """Let an error be told by what it says: its way through this package is of no use to who wrote the test."""
    __tracebackhide__ = True
    try:
        yield
    except (PlansError, ServerError) as error:
        raise error.with_traceback(None) from None


def _do(dsn: str, works: Iterable[str | Work]) -> None:
    for work in works:
        if callable(work):
            work(dsn)
            continue
        try:
            with psycopg.connect(dsn) as connection:
                connection.execute(work.encode())
        except psycopg.Error as error:
            msg = f"what the test prepares failed: {str(error).strip()}"
            raise SuiteError(msg, token="prepare_failed") from error
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("vacuum (freeze, analyze)")
