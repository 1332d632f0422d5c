"""Reads whole logs, or follows them while they grow."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from datetime import tzinfo
from pathlib import Path

from eventlive_db.logs import Follower, LogError, read_events
from eventlive_db.verify.errors import VerifyError
from eventlive_db.verify.findings import Findings


def existing(paths: Sequence[Path]) -> list[Path]:
    """The logs, each once, whatever it is called.

    Raises:
        VerifyError: One of them is not there.
    """
    for path in paths:
        if not path.is_file():
            raise VerifyError(f"there is no log {path}", "Name the files, not their folder.", token="no_log")
    return list({path.resolve(): path for path in paths}.values())


def read_logs(
    paths: Sequence[Path], findings: Findings, *, prefix: str | None = None, timezone: tzinfo | None = None
) -> None:
    """Read logs to their ends, however large.

    Args:
        paths: The files; a packed one (``.gz``) too.
        findings: Takes the events, and why a file could not be read.
        prefix: ``log_line_prefix`` of a Postgres log that is text.
        timezone: ``log_timezone``, where the log's own abbreviation stands for several.
    """
    for path in paths:
        file = findings.book.open(str(path))
        try:
            events = read_events(path, prefix=prefix, timezone=timezone)
            for event in events:
                findings.add(event)
            file.unparsed = events.unparsed
        except LogError as error:
            file.problem = str(error)


class Followed:
    """Logs that are being written, through rotation; what is there is read from its beginning.

    Args:
        paths: The files.
        findings: Takes the events.
        prefix: ``log_line_prefix`` of a Postgres log that is text.
        timezone: ``log_timezone``, where the log's own abbreviation stands for several.
    """

    def __init__(
        self, paths: Sequence[Path], findings: Findings, *, prefix: str | None = None, timezone: tzinfo | None = None
    ) -> None:
        self._findings = findings
        packed = [path for path in paths if _is_packed(path)]
        read_logs(packed, findings, prefix=prefix, timezone=timezone)
        # One for each, so that what cannot be read is known by its file.
        self._followers = {
            str(path): Follower([path], from_start=True, prefix=prefix, timezone=timezone)
            for path in paths
            if path not in packed
        }

    def read(self) -> None:
        """Read what is new."""
        for name, follower in self._followers.items():
            file = self._findings.book.open(name)
            if file.problem:
                continue
            try:
                for event in follower.poll():
                    self._findings.add(event)
            except LogError as error:
                file.problem = str(error)
            file.unparsed = follower.unparsed

    def close(self) -> None:
        """Read the rest, and close the files."""
        self.read()
        for name, follower in self._followers.items():
            for event in follower.close():
                self._findings.add(event)
            self._findings.book.open(name).unparsed = follower.unparsed


def _is_packed(path: Path) -> bool:
    try:
        with gzip.open(path) as file:
            file.read(1)
    except (OSError, EOFError):
        return False
    return True
