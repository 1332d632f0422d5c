"""Where snapshots are kept: a file for each case, in a folder for each Postgres major, under version control."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from eventlive_db.plans.errors import SuiteError

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_HASHED = re.compile(r".*-[0-9a-f]{6}")
_LONGEST = 60
_SUFFIX = ".plan"


class SnapshotStore:
    """Snapshots of one Postgres major, as ``<root>/<major>/<slug>.plan``.

    Args:
        root: Folder of the suite's snapshots; made when the first one is written.
        major: Of the server, such as 18.
    """

    def __init__(self, root: Path, major: int) -> None:
        self.folder = root / str(major)

    def path(self, case_name: str) -> Path:
        """The file of a case, whether it is there or not; two names never share one.

        A name that is not a plain slug gets six digits of its hash behind it, and so does a slug that looks as if it
        had them.
        """
        slug = re.sub(r"[^a-z0-9]+", "-", case_name.lower()).strip("-")[:_LONGEST].strip("-")
        if slug != case_name or not _SLUG.fullmatch(slug) or _HASHED.fullmatch(slug):
            digest = hashlib.sha256(case_name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
            slug = f"{slug or 'case'}-{digest}"
        return self.folder / f"{slug}{_SUFFIX}"

    def read(self, case_name: str) -> str | None:
        """The text that was written for a case.

        Args:
            case_name: Its name.

        Returns:
            The text as given to :meth:`write`; None where there is none.

        Raises:
            SuiteError: The file is that of another case, or no text, with the token ``invalid_snapshot``.
        """
        path = self.path(case_name)
        try:
            head, blank, text = path.read_text(encoding="utf-8").partition("\n\n")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            head = blank = text = ""
        if head != _head(case_name) or not blank:
            problem = f"{path} does not begin with the line {_head(case_name)!r}"
            advice = (
                "A snapshot is generated, not written by hand: restore the file, or make it anew with --plan-update"
            )
            raise SuiteError(problem, advice, token="invalid_snapshot")
        return text

    def write(self, case_name: str, text: str) -> bool:
        """Write a case's snapshot; whoever reads meanwhile sees the old one or the new one, whole.

        Args:
            case_name: Its name; becomes the first line, as ``# <name>``.
            text: The snapshot.

        Returns:
            Whether the file changed.
        """
        path = self.path(case_name)
        content = f"{_head(case_name)}\n\n{text}".encode()
        if path.is_file() and path.read_bytes() == content:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        return True

    @property
    def files(self) -> tuple[Path, ...]:
        """The snapshots on disk, by name."""
        return tuple(sorted(self.folder.glob(f"*{_SUFFIX}")))

    def unused(self, case_names: Iterable[str]) -> tuple[Path, ...]:
        """Snapshots on disk that belong to none of these cases."""
        used = {self.path(name) for name in case_names}
        return tuple(path for path in self.files if path not in used)

    def remove(self, path: Path) -> None:
        """Delete a snapshot.

        Raises:
            ValueError: It is not one of this store's.
        """
        if path not in self.files:
            msg = f"{path} is no snapshot of {self.folder}"
            raise ValueError(msg)
        path.unlink()


def _head(case_name: str) -> str:
    return "# " + case_name.encode("unicode_escape").decode("ascii")
