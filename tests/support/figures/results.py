"""The results files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path("docs", "results")
ELSEWHERE = {"costs.json": Path("eventlive_db", "capacity", "costs.json")}
"""Those that are not in the folder, since the package ships them."""
MOST_BYTES = 1_000_000
"""As large may a results file be."""


class Results:
    """Those of a project, and which of them were asked for.

    Args:
        root: Folder of the project.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.used: set[str] = set()

    def text(self, name: str) -> str | None:
        """A file as it is, or None where it is not there."""
        self.used.add(name)
        path = self._root / ELSEWHERE.get(name, FOLDER / name)
        return path.read_text(encoding="utf-8") if path.exists() else None

    def read(self, name: str) -> Any:
        """What is in a JSON file, or None where it is not there.

        Raises:
            ValueError: It is no JSON.
        """
        text = self.text(name)
        return None if text is None else json.loads(text)

    def unfit(self) -> list[str]:
        """Files in the folder that nobody has asked for, or that are too large for a repository, in words."""
        there = sorted(path for path in (self._root / FOLDER).glob("*") if path.name != "README.md")
        idle = [f"{path.name}: no document shows this results file" for path in there if path.name not in self.used]
        return idle + [
            f"{path.name}: larger than {MOST_BYTES:,} bytes" for path in there if path.stat().st_size > MOST_BYTES
        ]
