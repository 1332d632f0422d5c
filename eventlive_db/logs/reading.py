"""A file that is there, from its beginning to its end."""

from __future__ import annotations

import errno
import gzip
import os
import stat
import zlib
from collections.abc import Generator, Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import IO

from eventlive_db.logs.model import LogError, LogEvent, LogFormat
from eventlive_db.logs.parser import Origin
from eventlive_db.logs.realtime import day_of, last_time_and_midnights
from eventlive_db.logs.stream import Stream

CHUNK_BYTES = 1 << 18
_GZIP = b"\x1f\x8b"
_SAMPLE_BYTES = 1 << 16
_Stream = IO[bytes] | gzip.GzipFile


def unreadable(path: Path, problem: OSError | zlib.error) -> LogError:
    """Why a file cannot be read at all."""
    reason = (problem.strerror if isinstance(problem, OSError) else None) or "its compression is damaged"
    token = "log_missing" if isinstance(problem, FileNotFoundError) else "log_unreadable"
    return LogError(f"{path} cannot be read: {reason}", "Name a log that this user may read", token=token)


def check_kind(status: os.stat_result) -> None:
    """Refuse what has no beginning and no end. Opening a FIFO would wait until somebody writes to it.

    Raises:
        OSError: It is neither a file nor a directory, which is refused when it is opened.
    """
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise OSError(errno.EINVAL, "it is no regular file")


def _open(path: Path) -> _Stream:
    check_kind(path.stat())
    file = path.open("rb")
    magic = file.read(2)
    if magic == _GZIP:
        file.close()
        return gzip.open(path, "rb")
    file.seek(0)
    return file


class Events(Iterator[LogEvent]):
    """The events of a file, in its order, with what is known about the reading. Closes the file at the end.

    Attributes:
        format: The format; None before the first event and where the file is empty.
        unparsed: Lines so far that are no part of any record. Where it is not 0 at the end, something may have been
            missed.
        torn: The file ended in the middle of its compression.
    """

    def __init__(self, path: Path, origin: Origin, kind: LogFormat | None, since: datetime | None) -> None:
        self._path = path
        self._since = since
        try:
            _open(path).close()
        except OSError as problem:
            raise unreadable(path, problem) from problem
        self._stream = Stream(origin, kind, day=self._day)
        self.torn = False
        self._events = self._read()

    @property
    def format(self) -> LogFormat | None:
        """See the class."""
        return self._stream.format

    @property
    def unparsed(self) -> int:
        """See the class."""
        return self._stream.unparsed + self.torn

    def __next__(self) -> LogEvent:
        return next(self._events)

    def close(self) -> None:
        """Close the file before its end."""
        self._events.close()

    def _read(self) -> Generator[LogEvent]:
        with _open(self._path) as file:
            while data := self._chunk(file):
                yield from self._wanted(self._stream.feed(data))
            yield from self._wanted(self._stream.end())

    def _chunk(self, file: _Stream) -> bytes:
        try:
            return file.read(CHUNK_BYTES)
        except EOFError:
            self.torn = True
            return b""
        except (OSError, zlib.error) as problem:
            raise unreadable(self._path, problem) from problem

    def _wanted(self, events: list[LogEvent]) -> Iterator[LogEvent]:
        # No early end: the clock may have gone back.
        return (event for event in events if self._since is None or event.at >= self._since)

    def _day(self) -> tuple[datetime, int] | None:
        zone = self._stream.origin.timezone or UTC
        with _open(self._path) as file:
            last, midnights = last_time_and_midnights(file)
        written = datetime.fromtimestamp(self._path.stat().st_mtime, zone)
        return (day_of(last, written), midnights) if last else None


def read_events(
    path: Path,
    *,
    format: LogFormat | None = None,  # noqa: A002  # the name that the command has
    since: datetime | None = None,
    prefix: str | None = None,
    timezone: tzinfo | None = None,
) -> Events:
    """Read a log to its end; one that ``gzip`` packed, too.

    An incomplete record at the end is given if it can be read (``cut`` is set), and counted in ``unparsed`` if not.

    Args:
        path: The file.
        format: Its format; default: found out from its first lines.
        since: Leave out what is older. The whole file is read, for a clock may go back.
        prefix: The server's ``log_line_prefix``, for Postgres' text log; default: the common ones are tried.
        timezone: The server's ``log_timezone``; needed where the log has an abbreviation that stands for several.

    Returns:
        An iterator over the events, which also has ``unparsed`` and ``format``.

    Raises:
        LogError: The file cannot be read, or (while iterating) is in no known format (``unknown_log_format``), or
            its times cannot be read (``unknown_timezone``).
    """
    return Events(Path(path), Origin(str(path), prefix, timezone), format, since)


def detect_format(path: Path, *, prefix: str | None = None) -> LogFormat | None:
    """Find out the format of a file from its first lines.

    Args:
        path: The file.
        prefix: The server's ``log_line_prefix``.

    Returns:
        The format, or None where the file has no complete line yet.

    Raises:
        LogError: It cannot be read, or none of its first lines is in a known format.
    """
    stream = Stream(Origin(str(path), prefix))
    try:
        with _open(Path(path)) as file:
            stream.feed(file.read(_SAMPLE_BYTES))
    except (OSError, EOFError, zlib.error) as problem:
        raise unreadable(Path(path), problem if isinstance(problem, OSError | zlib.error) else OSError()) from problem
    if stream.format is None and stream.unparsed:
        stream.end()
    return stream.format
