"""Snapshots of ``plan_guard`` that no test uses any more."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def unused_files(used: Iterable[Path]) -> tuple[Path, ...]:
    """Snapshots beside those that were used, in the folders of the same test modules, that were not.

    Args:
        used: Paths of the snapshots that a whole run used.
    """
    known = set(used)
    folders = {path.parent for path in known}
    found = {path for folder in folders if folder.is_dir() for path in folder.glob("*.plan")}
    return tuple(sorted(found - known))
