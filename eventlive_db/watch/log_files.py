"""The logs that are watched: each read by itself, so that one that cannot be read does not hide the others."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol, Self

from eventlive_db import logs
from eventlive_db.logs import LogError, LogEvent

_CANNOT_OPEN = frozenset({"log_missing", "log_unreadable"})


class Source(Protocol):
    """Gives what it has not given before."""

    @property
    def unparsed(self) -> int: ...

    def poll(self) -> Iterable[LogEvent]: ...

    def close(self) -> Iterable[LogEvent]: ...


class _Whole:
    """A file that is read to its end, once, without holding more of it than a piece."""

    def __init__(self, path: Path, prefix: str | None) -> None:
        self._path, self._prefix = path, prefix
        self.unparsed = 0

    def poll(self) -> Iterable[LogEvent]:
        events = logs.read_events(self._path, prefix=self._prefix)
        try:
            yield from events
        finally:
            self.unparsed = events.unparsed
            events.close()

    def close(self) -> Iterable[LogEvent]:
        return ()


class LogFiles:
    """Logs, and what is wrong with them.

    Args:
        names: Files, directories and patterns.
        reader: Makes what reads one of them.
        prefix: The server's ``log_line_prefix``.

    Raises:
        LogError: As ``reader`` does, but for a file that cannot be opened: it may be there later.
    """

    def __init__(self, names: Sequence[str], reader: Callable[[str], Source], prefix: str | None = None) -> None:
        self._reader = reader
        self.prefix = prefix
        self._sources: dict[str, Source | None] = dict.fromkeys(names)
        self._understood = dict.fromkeys(self._sources, 0)
        self.problems: list[str] = []
        """What cannot be read, in sentences, as of the last poll."""
        self.unreadable: set[str] = set()
        """Names of these."""
        self.newest: dict[tuple[str, str], float] = {}
        """When the newest line of the last poll was written, in seconds since 1970, by what was named and source."""
        for name in self._sources:
            try:
                self._source(name)
            except LogError as error:
                if error.token not in _CANNOT_OPEN:
                    raise

    @classmethod
    def following(cls, names: Sequence[str], *, once: bool, prefix: str | None) -> Self:
        """Logs that are followed from their ends, or read once, from their beginning.

        Args:
            names: Files, directories and patterns.
            once: Read once.
            prefix: The server's ``log_line_prefix``.

        Raises:
            LogError: The prefix has no time.
        """

        logs.Follower([], prefix=prefix)  # sees whether the prefix will do

        def reader(name: str) -> Source:
            if once and Path(name).is_file():
                return _Whole(Path(name), prefix)
            return logs.Follower([name], from_start=once, prefix=prefix)

        return cls(names, reader, prefix)

    def __bool__(self) -> bool:
        return bool(self._sources)

    @property
    def names(self) -> Sequence[str]:
        """The files, directories and patterns."""
        return list(self._sources)

    def unparsed(self) -> dict[str, int]:
        """Lines so far that are part of no record, by what was named."""
        return {name: source.unparsed if source else 0 for name, source in self._sources.items()}

    def poll(self, take: Callable[[LogEvent], None], *, last: bool = False) -> None:
        """Hand out what is new, of all of them.

        Args:
            take: Called with each event.
            last: Nothing will be asked again: also give what waits for the rest of its record.
        """
        self.problems, self.unreadable, self.newest = [], set(), {}
        for name in self._sources:
            problem = _problem(name)
            try:
                # Whoever follows waits for a file that is not there; what it has of one that was goes on.
                source = self._source(name)
                self._take(name, source.poll(), take)
                if last:
                    self._take(name, source.close(), take)
                if not self._understood[name] and source.unparsed:
                    problem = problem or f"no line of {name} is understood: see --log-line-prefix"
            except LogError as error:
                problem = problem or str(error)
            if problem:
                self.problems.append(problem)
                self.unreadable.add(name)

    def close(self) -> None:
        """Close the files."""
        for source in self._sources.values():
            # What is wrong with a file was told when it was read.
            with suppress(LogError):
                if source is not None:
                    source.close()

    def _source(self, name: str) -> Source:
        source = self._sources[name]
        if source is None:
            source = self._sources[name] = self._reader(name)
        return source

    def _take(self, name: str, events: Iterable[LogEvent], take: Callable[[LogEvent], None]) -> None:
        for event in events:
            self._understood[name] += 1
            key, at = (name, event.source), event.at.timestamp()
            self.newest[key] = max(at, self.newest.get(key, at))
            take(event)


def _problem(name: str) -> str:
    """Why nothing can be read there; empty if something can."""
    path = Path(name)
    try:
        if path.is_dir():
            return "" if any(entry.is_file() for entry in path.iterdir()) else f"there is no file in {name}"
        if glob.has_magic(name) and not path.exists():
            found = glob.iglob(name, recursive=True)  # noqa: PTH207  # it may be absolute
            return "" if any(Path(one).is_file() for one in found) else f"there is no file {name}"
        logs.check_kind(path.stat())
        with path.open("rb"):
            return ""
    except OSError as error:
        return f"{name} cannot be read: {error.strerror or type(error).__name__}"
