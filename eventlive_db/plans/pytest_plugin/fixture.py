"""The fixture ``plan_guard``: budgets written in a test."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from eventlive_db.plans.arena import Arena, Stage, build_arena, new_name
from eventlive_db.plans.budget import Budget
from eventlive_db.plans.case import Case
from eventlive_db.plans.check import Judge
from eventlive_db.plans.model import CaseReport
from eventlive_db.plans.pytest_plugin.items import PlanFailure, figures_line
from eventlive_db.plans.session import Session
from eventlive_db.plans.sources import read_sources
from eventlive_db.plans.store import SnapshotStore
from eventlive_db.plans.suite import Suite
from eventlive_db.plans.update import AGREEING, update_case

SNAPSHOTS = "plan_snapshots"
"""Folder of the snapshots, beside the test module."""

SchemaBuilder = Callable[[str], object]
"""Builds a schema; given the DSN of an empty database."""

Schema = Sequence[str | Path] | SchemaBuilder
"""What ``plan_guard_schema`` returns: SQL files, relative to the root of the tests or absolute, or a function."""


class Template:
    """A schema, built when it is first needed; each test gets a copy."""

    def __init__(self, session: Session, schema: Schema, root: Path) -> None:
        files = () if callable(schema) else tuple(root / path for path in schema)
        self.session = session
        self.suite = Suite(
            "plan_guard", root / "conftest.py", schema=files, sources=files, hook=schema if callable(schema) else ""
        )
        self.sources = read_sources(files)
        self._stack = ExitStack()
        self._built: dict[int, Arena] = {}

    def copy(self, stack: ExitStack, number: int = 0) -> Arena:
        """A copy of the schema's database, dropped when the stack is closed; each number is a fresh build."""
        if number not in self._built:
            self._built[number] = self._stack.enter_context(build_arena(self.session.server, self.suite))
        built = self._built[number].stages[0]
        server, name = self.session.server, new_name()
        stack.callback(server.drop_database, name)
        dsn = server.create_database(name, built.name)
        return Arena(server, (Stage(name, dsn, 0, (), built.analyzed_rows, built.filled_rows),))

    def close(self) -> None:
        """Drop the databases."""
        self._stack.close()


class PlanGuard:
    """Holds calls against budgets in a fresh copy of the schema.

    Attributes:
        used: Snapshots that were compared with.
        rows: What each call cost, as ``(name, figures)``.
    """

    def __init__(self, template: Template, module: Path, test: str) -> None:
        self._template = template
        self._stack = ExitStack()
        self._arenas: dict[int, Arena] = {}
        self._module = module
        self._test = test
        self.used: set[Path] = set()
        self.rows: list[tuple[str, str]] = []

    @property
    def dsn(self) -> str:
        """Connection string of this test's database, as superuser: to prepare what the calls will find."""
        return self._arena(0).stages[0].dsn

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
            SuiteError: A budget that cannot be meant.
        """
        case = Case(
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
        report = self._judged(case)
        self.rows.append((case.name, figures_line(report)))
        if not report.passed:
            raise PlanFailure(report)
        return report

    def _judged(self, case: Case) -> CaseReport:
        session = self._template.session
        major = session.server.version_num // 10000
        store = SnapshotStore(self._module.parent / SNAPSHOTS / re.sub(r"\W", "_", self._module.stem), major)
        if case.snapshot:
            self.used.add(store.path(case.name))

        def judge_in(number: int) -> Callable[[], Judge]:
            return lambda: Judge(
                self._arena(number), store, self._template.sources, self._template.suite.path.parent, session.options
            )

        if not session.update:
            return judge_in(0)().judge(case)
        judges = [judge_in(number) for number in range(AGREEING)]
        return update_case(case, judges, store, only_new=session.update == "new")

    def _arena(self, number: int) -> Arena:
        if number not in self._arenas:
            self._arenas[number] = self._template.copy(self._stack, number)
        return self._arenas[number]

    def close(self) -> None:
        """Drop the databases."""
        self._stack.close()
