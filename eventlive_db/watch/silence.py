"""Which logs have gone silent: a log that nobody writes to any more says nothing, and never that all is well."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping
from pathlib import Path

from eventlive_db.logs import LogError, LogFormat, detect_format
from eventlive_db.watch.log_files import LogFiles
from eventlive_db.watch.signals import LATE_S
from eventlive_db.watch.view import time_text

SILENT_AFTER_S = 600.0
"""How long a log of requests may be without a line, in seconds, unless something else was asked for."""

RARE_AFTER_S = 86400.0
"""How long a log may be without a line to which a healthy server may write nothing for hours, in seconds."""

ANY = ""
"""In place of a source: of what program the log is, is not known."""

_RARE = frozenset({"postgres", "realtime"})
_POSTGRES = frozenset({LogFormat.STDERR, LogFormat.CSVLOG, LogFormat.JSONLOG})
_LOOKED_AT = 8


class Silence:
    """When each log was last heard of.

    Args:
        logs: The logs. After each of their polls :meth:`listen` is called.
        after_s: How long a log of requests may be without a line, in seconds.
        followed: Whether what is read was added to the logs just now, whatever its own time is.
        prefix: The server's ``log_line_prefix``.
    """

    def __init__(self, logs: LogFiles, after_s: float, *, followed: bool, prefix: str | None = None) -> None:
        self._logs, self._after_s, self._followed, self._prefix = logs, after_s, followed, prefix
        self._heard: dict[tuple[str, str], float] = {}
        self._late: dict[tuple[str, str], float] = {}
        self._kinds: dict[Path, str] = {}
        self.sources: set[str] = set()
        """Sources of which there is a log."""

    def listen(self, now: float) -> None:
        """Take in what the last poll brought, at this time in seconds since 1970."""
        for key, written in self._logs.newest.items():
            late = now - written > LATE_S
            if late and self._followed:
                self._late[key] = now
            arrived = now if self._followed and not late else min(written, now)
            self._heard[key] = max(arrived, self._heard.get(key, arrived))
            self.sources.add(key[1])

    def silent(self, now: float, window_s: int) -> Mapping[str, list[str]]:
        """Why the logs of a source say nothing, in sentences, by source or :data:`ANY`. What is unreadable is left out.

        Args:
            now: Seconds since 1970.
            window_s: Length of the window, in seconds: no log is silent before it has been for so long.
        """
        found: dict[str, list[str]] = {}
        for name in self._logs.names:
            if name in self._logs.unreadable:
                continue
            heard = [(source, at) for (of, source), at in self._heard.items() if of == name]
            for source, why in self._ended(name, heard, now, window_s) if heard else self._unheard(name, now, window_s):
                found.setdefault(source, []).append(why)
        return found

    def _ended(self, name: str, heard: list[tuple[str, float]], now: float, window_s: int) -> Iterator[tuple[str, str]]:
        for source, at in heard:
            if now - at > self._bound(source, window_s):
                yield source, f"the log {name} ends at {time_text(at)}"
            elif now - self._late.get((name, source), float("-inf")) <= max(self._after_s, window_s):
                yield source, f"the lines of {name} come more than {LATE_S // 60} minutes late, so they do not count"

    def _unheard(self, name: str, now: float, window_s: int) -> Iterator[tuple[str, str]]:
        """Of a log of which no line was read; what is there before it is followed is not read, so its date counts."""
        kinds = self._kinds_of(name)
        if not kinds:
            yield ANY, f"there is no line in {name} yet"
        for source, changed in kinds.items():
            self.sources.add(source)
            if now - changed > self._bound(source, window_s):
                yield source, f"the log {name} ends at {time_text(changed)}"
            elif source not in _RARE:
                yield source, f"no line was added to {name} yet"

    def _bound(self, source: str, window_s: int) -> float:
        return max(self._after_s, window_s, RARE_AFTER_S if source in _RARE else 0.0)

    def _kinds_of(self, name: str) -> dict[str, float]:
        """Of which sources the newest files are, and when they were last changed."""
        found: dict[str, float] = {}
        for changed, path in sorted(_files(name), reverse=True)[:_LOOKED_AT]:
            if path not in self._kinds:
                try:
                    kind = detect_format(path, prefix=self._prefix)
                except LogError:
                    # What is unreadable is told by whoever reads it.
                    continue
                if kind is None:
                    continue
                self._kinds[path] = _source(kind)
            found.setdefault(self._kinds[path], changed)
        return found


def _source(kind: LogFormat) -> str:
    if kind in _POSTGRES:
        return "postgres"
    return "gateway" if kind is LogFormat.GATEWAY_JSON else str(kind.value)


def _files(name: str) -> Iterator[tuple[float, Path]]:
    path = Path(name)
    if path.is_dir():
        paths = list(path.iterdir())
    elif glob.has_magic(name) and not path.exists():
        paths = [Path(found) for found in glob.glob(name, recursive=True)]  # noqa: PTH207  # it may be absolute
    else:
        paths = [path]
    for one in paths:
        try:
            if one.is_file():
                yield one.stat().st_mtime, one
        except OSError:  # it is gone, or as good as that
            continue
