"""A suite made of texts, its databases, and a judge of calls in them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eventlive_db.plans.arena import Arena, build_arena
from eventlive_db.plans.budget import Budget
from eventlive_db.plans.case import Case
from eventlive_db.plans.check import Judge, Options
from eventlive_db.plans.sources import read_sources
from eventlive_db.plans.store import SnapshotStore
from eventlive_db.plans.suite import Scale, Suite
from eventlive_db.plans.verdict import CaseReport
from eventlive_db.server import Server

NO_STORE = Options(snapshots=False)


def case(call: str, *, name: str = "the case", budget: Mapping[str, Any] | None = None, **more: Any) -> Case:
    """A case with a budget as a suite has it; no warm-ups are left out, no snapshot is kept."""
    return Case(name=name, call=call, budget=Budget.from_mapping(budget or {}), **{"snapshot": False, **more})


def write_suite(
    folder: Path,
    schema: str = "",
    *,
    seed: str = "",
    fill: str = "",
    sizes: tuple[int, ...] = (),
    real: int | None = None,
    raised: tuple[str, ...] = (),
    hook: str | Callable[[str], object] = "",
    cases: tuple[Case, ...] = (),
) -> Suite:
    """A suite whose files are in a folder: ``schema.sql``, ``seed.sql``, ``fill.sql``; an empty text is no file."""
    files: dict[str, tuple[Path, ...]] = {}
    for name, text in (("schema", schema), ("seed", seed), ("fill", fill)):
        path = folder / f"{name}.sql"
        if text:
            path.write_text(textwrap.dedent(text), encoding="utf-8")
        files[name] = (path,) if text else ()
    return Suite(
        name="court",
        path=folder / "plans.toml",
        schema=files["schema"],
        seed=files["seed"],
        hook=hook,
        sources=files["schema"],
        snapshots=folder / "snapshots",
        scale=Scale(sizes, files["fill"][0] if fill else None, real, raised),
        cases=cases,
    )


@dataclass(frozen=True, slots=True)
class Court:
    """A suite and its databases."""

    suite: Suite
    arena: Arena

    @property
    def dsn(self) -> str:
        """The smallest database; whatever is done there stays."""
        return self.arena.stages[0].dsn

    @property
    def store(self) -> SnapshotStore:
        """Snapshots of this server's version."""
        return SnapshotStore(self.suite.snapshots, self.arena.major)

    def judge(self, case: Case, options: Options = NO_STORE) -> CaseReport:
        """Judge a case, with files told relative to the suite's folder."""
        store = self.store if options.snapshots else None
        folder = self.suite.path.parent
        return Judge(self.arena, store, read_sources(self.suite.sources), folder, options).judge(case)


@contextmanager
def court(server: Server, suite: Suite) -> Iterator[Court]:
    """Build the databases of a suite; dropped afterwards."""
    with build_arena(server, suite) as arena:
        yield Court(suite, arena)


def line_of(text: str, mark: str) -> int:
    """The line of a text that holds a mark, the first one being 1."""
    return next(n for n, line in enumerate(text.split("\n"), start=1) if mark in line)


def tokens(report: CaseReport) -> list[str]:
    """What does not hold."""
    return [violation.token for violation in report.violations]
