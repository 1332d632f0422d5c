"""Which parts of the package may import which: arrows point one way, and the client needs nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "eventlive_db"

ARROWS: Mapping[str, frozenset[str]] = {
    "client": frozenset(),
    "server": frozenset(),
    "migrate": frozenset(),
    "functions": frozenset(),
    "logs": frozenset(),
    "jobs": frozenset(),
    "verify": frozenset({"client", "logs"}),
    "plans": frozenset({"functions", "server"}),
    "lint": frozenset({"functions"}),
    "load": frozenset({"client", "plans", "server"}),
    "watch": frozenset({"logs"}),
    "capacity": frozenset(),
    "cli": frozenset(
        {"capacity", "client", "functions", "jobs", "lint", "load", "migrate", "plans", "server", "verify", "watch"}
    ),
}
"""For each part, those that it may import."""

BASE = frozenset({"errors", "resources", "schedules"})
"""Modules beside the parts, which any of them but the client may import."""


def imported(path: Path) -> Iterator[str]:
    """The modules of the package that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == PACKAGE)
        elif isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
            yield from (f"{PACKAGE}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}."):
            yield node.module or ""


def wrong_arrows(root: Path) -> list[str]:
    """Each import that goes where none may, as file and module."""
    found = []
    for part, allowed in ARROWS.items():
        known = {part, *allowed, *(() if part == "client" else BASE), "__version__"}
        for path in sorted((root / PACKAGE / part).rglob("*.py")):
            found += [
                f"{path.relative_to(root).as_posix()} imports {module}"
                for module in imported(path)
                if module.split(".")[1] not in known
            ]
    return found


def test_arrows_point_one_way() -> None:
    assert wrong_arrows(ROOT) == []
    parts = {path.parent.name for path in (ROOT / PACKAGE).glob("*/__init__.py")}
    assert parts == set(ARROWS), "a new part says here what it may import"


def test_no_part_comes_back_to_itself() -> None:
    above: dict[str, set[str]] = {part: set(allowed) for part, allowed in ARROWS.items()}
    while ready := {part for part, below in above.items() if not below}:
        above = {part: below - ready for part, below in above.items() if part not in ready}
    assert above == {}


@pytest.mark.parametrize(
    ("file", "statement"),
    [
        ("lint/db/bodies.py", "from eventlive_db.plans.coverage import report"),
        ("functions/catalog.py", "from eventlive_db import lint"),
        ("client/errors.py", "from eventlive_db.errors import AdvisedError"),
        ("plans/check.py", "def f() -> None:\n    import eventlive_db.cli.app"),
    ],
)
def test_an_arrow_that_points_back_is_found(tmp_path: Path, file: str, statement: str) -> None:
    path = tmp_path / PACKAGE / file
    path.parent.mkdir(parents=True)
    path.write_text(f"from eventlive_db import __version__\n{statement}\n", "utf-8")
    [found] = wrong_arrows(tmp_path)
    assert found.startswith(f"{PACKAGE}/{file} imports {PACKAGE}.")
