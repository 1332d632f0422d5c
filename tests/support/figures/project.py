"""The documents of a project, and whether what they say of figures is so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.support.figures.blocks import BLOCKS
from tests.support.figures.prose import Known, problems
from tests.support.figures.regions import fill
from tests.support.figures.results import Results

ROOT = Path(__file__).resolve().parents[3]
CONSTANTS = Path(__file__).with_name("constants.toml")
"""What is listed for this project."""


def documents(root: Path) -> dict[str, str]:
    """README and docs, by their name in the project."""
    paths = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def filled(root: Path, results: Results) -> dict[str, str]:
    """The documents as they ought to be.

    Raises:
        ValueError: A region names a block that there is not.
    """

    def write(name: str, files: Sequence[str]) -> str:
        if name not in BLOCKS:
            msg = f"no block is called {name!r}: there are {', '.join(BLOCKS)}"
            raise ValueError(msg)
        return BLOCKS[name](results, files)

    return {name: fill(text, write) for name, text in documents(root).items()}


def rewrite(root: Path) -> list[str]:
    """Write all regions anew; the documents that changed."""
    before, after = documents(root), filled(root, Results(root))
    changed = [name for name, text in after.items() if text != before[name]]
    for name in changed:
        (root / name).write_text(after[name], encoding="utf-8")
    return changed


def faults(root: Path, known: Known) -> list[str]:
    """Everything that is not so, in words: stale regions, unknown figures, constants and results of no use."""
    results = Results(root)
    before, after = documents(root), filled(root, results)
    stale = [
        f"{name}: a block is not what the results files say: make figures"
        for name in before
        if before[name] != after[name]
    ]
    return stale + results.unfit() + problems(before, known)
