"""Snapshots of ``plan_guard`` that no test uses any more."""

from __future__ import annotations

from collections.abc import Iterable, Set
from pathlib import Path

SNAPSHOTS = "plan_snapshots"
"""Folder of the snapshots, beside the test modules: ``plan_snapshots/<module>/<major>/<test>.plan``."""


def unused_files(modules: Iterable[Path], used: Set[Path]) -> tuple[Path, ...]:
    """Snapshots that belong to no test.

    Args:
        modules: Test modules of which every test was run and passed. Beside them, folders of modules that are no
            longer there are looked into too.
        used: The snapshots that the tests used. A module's other versions of Postgres are left alone, unless no test
            of it uses any.
    """
    found: set[Path] = set()
    majors = {path.parent for path in used}
    for module in modules:
        folder = module.parent / SNAPSHOTS / module.stem
        own = {path.parent for path in _snapshots(folder)}
        for major in (own & majors) or own:
            found.update(major.glob("*.plan"))
        for other in (module.parent / SNAPSHOTS).glob("*"):
            if not (module.parent / f"{other.name}.py").exists():
                found.update(_snapshots(other))
    return tuple(sorted(found - used))


def _snapshots(folder: Path) -> Iterable[Path]:
    return folder.glob("[0-9]*/*.plan")
