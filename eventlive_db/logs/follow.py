"""Logs that are being written, through every way in which they are rotated."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Self

from eventlive_db.logs.copies import Read, is_begun_alike, look_for_original
from eventlive_db.logs.incarnation import Identity, Incarnation, Mark
from eventlive_db.logs.model import LogEvent, LogFormat
from eventlive_db.logs.parser import Origin
from eventlive_db.logs.prefix import pattern
from eventlive_db.logs.reading import check_kind, unreadable

_PACKED = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip")
_TWINS = (".json", ".csv", ".log")
_QUIET_POLLS = 16
MAX_OPEN = 64
_MAX_REPLACED = 16


class Follower:
    """Reads what is added to logs. Nothing is lost and nothing is given twice when

    - a log is renamed and a new one made: the old one is read on by its open handle, whatever it is called and
      even if it was deleted, until the new one has lines and the old one was quiet for 16 polls; the new one is read
      from its start;
    - a log is emptied (``copytruncate``, ``truncate``): it is read from its start, with line numbers from 1;
    - new names appear (``log_filename``): they are read from their start; packed ones (``.gz`` and so on) are not, for
      they are copies of what was read;
    - a new name is a copy of a file that is followed, by its first 256 bytes (``copytruncate``): what was read there is
      not read again; what was written between the last poll and the emptying is read in the copy;
    - a file is not there yet, or is deleted and made again.

    What cannot be seen: lines written between the last poll and an emptying, where no copy of them is seen, so poll
    often where a log is emptied; a file that was both made and removed or packed between two polls; an emptying after
    which the file begins with the same 256 bytes and is longer than before. Of Postgres' files that differ only in
    ``.log``, ``.csv``, ``.json``, which say the same, a pattern or directory gives one: json, else csv, else log. A
    file that is named is always read.

    A line, character or CSV record that is incomplete is held until the rest comes. A record of Postgres' text log may
    be followed by DETAIL or STATEMENT: it is held until its backend begins another, or until a poll finds nothing more
    (after half a line, three polls).

    A context manager, which closes the files.

    Args:
        paths: Files, directories (all files in them), or patterns such as ``/var/log/postgresql/*.log``.
        from_start: Also give what is in the files now. Without it what is written from now on is given.
        prefix: The server's ``log_line_prefix``; default: the common ones are tried.
        format: The format of all files; default: found out for each.
        timezone: The server's ``log_timezone``, where the logs have ambiguous abbreviations.

    Raises:
        LogError: The prefix has no time; a file cannot be read or is in no known format.
    """

    def __init__(
        self,
        paths: Sequence[Path | str],
        *,
        from_start: bool = False,
        prefix: str | None = None,
        format: LogFormat | None = None,  # noqa: A002  # the name that the command has
        timezone: tzinfo | None = None,
    ) -> None:
        if prefix is not None:
            pattern(prefix)
        self._specs = [str(path) for path in paths]
        self._from_start = from_start
        self._prefix, self._format, self._timezone = prefix, format, timezone
        self._open: dict[Identity, Incarnation] = {}
        self._parked: dict[Identity, Mark] = {}
        self._names: dict[str, Identity] = {}
        self._late: set[str] = set()
        self._ready: list[LogEvent] = []
        self._lost = 0
        self._look(read=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._open.values():
            file.close()
        self._open.clear()

    @property
    def unparsed(self) -> int:
        """Lines so far that are no part of any record; where it grows, something may have been missed."""
        return self._lost + sum(file.unparsed for file in self._open.values())

    @property
    def missing(self) -> list[str]:
        """The files and patterns under whose name the last poll found nothing."""
        return [spec for spec in self._specs if spec not in self._names and not self._files(spec)]

    def poll(self) -> list[LogEvent]:
        """Give all events that were completed since the last poll; never waits.

        Raises:
            LogError: A file cannot be read, is in no known format, or its times cannot be read. What was read in other
                files is given by the next call.
        """
        # First what is open: a name that is about to go to another file has to be read to its end before that file.
        for file in list(self._open.values()):
            self._read(file)
        self._look(read=True)
        self._retire()
        self._park()
        events, self._ready = self._ready, []
        return events

    def close(self) -> list[LogEvent]:
        """Read to the end and close all files; give what was held."""
        for file in list(self._open.values()):
            self._finish(file)
        events, self._ready = self._ready, []
        return events

    def _look(self, *, read: bool) -> None:
        """Find what is new under the names."""
        present: dict[str, Identity] = {}
        for name in self._candidates():
            try:
                status = Path(name).stat()
                identity = present[name] = (status.st_dev, status.st_ino)
                mark = self._parked.get(identity)
                if identity in self._open or (mark and mark.is_of(status)):
                    continue
                check_kind(status)
                if read and (mark is None or mark.copy):
                    mark, nothing_new = look_for_original(Path(name), self._reads(), mark)
                    if mark and nothing_new:
                        self._parked[identity] = mark
                        continue
                origin = Origin(name, self._prefix, self._timezone)
                file = Incarnation(Path(name), origin, self._format, from_start=read or self._from_start, mark=mark)
            except FileNotFoundError:
                continue
            except OSError as problem:
                raise unreadable(Path(name), problem) from problem
            self._parked.pop(identity, None)
            present[name] = file.identity
            self._open[file.identity] = file
            if read:
                self._ready += file.poll()
            self._park()
        self._names = present
        held = set(present.values())
        # The inode of a file that is gone can come back as another file.
        self._parked = {identity: mark for identity, mark in self._parked.items() if identity in held}
        for identity, file in self._open.items():
            if identity in held:
                file.replaced = False
            elif not file.replaced:
                file.replaced, file.quiet = True, 0

    def _read(self, file: Incarnation) -> None:
        """Read what is new in a file that is open; one that turns out to be a copy is left to the next look."""
        self._ready += file.begin_again()
        fresh = not file.began and (file.is_copy or (file.was_empty and file.emptied is None))
        if fresh and file.size and is_begun_alike(file.start, self._reads(but=file)):
            self._let_go(file)
        else:
            self._ready += file.poll()

    def _reads(self, *, but: Incarnation | None = None) -> Iterator[Read]:
        """What was read of each file."""
        for file in self._open.values():
            if file is not but:
                yield Read(file.mark, file.size)
                if file.emptied:
                    yield Read(file.emptied, 0, emptied=True)
        for mark in self._parked.values():
            if not mark.copy:
                yield Read(mark, mark.offset)

    def _park(self) -> None:
        """Close the quietest files where many are open; one is read on when it grows."""
        files = [file for file in self._open.values() if not file.replaced and not file.pending]
        files.sort(key=lambda file: (file.holding, -file.quiet))
        while len(self._open) > MAX_OPEN and files:
            file = files.pop(0)
            if file.holding:
                if len(self._open) <= 2 * MAX_OPEN:
                    break
                self._ready += file.settle()
            self._parked[file.identity] = file.mark
            self._let_go(file)

    def _retire(self) -> None:
        """Let go of old files that nobody writes to any more."""
        old = [file for file in self._open.values() if file.replaced]
        for place, file in enumerate(old):
            successor = self._open.get(self._names.get(file.origin.file, (0, 0)))
            succeeded = successor is not None and successor.began
            if (succeeded and file.quiet >= _QUIET_POLLS) or place < len(old) - _MAX_REPLACED:
                self._finish(file)

    def _finish(self, file: Incarnation) -> None:
        self._ready += file.finish()
        self._let_go(file)

    def _let_go(self, file: Incarnation) -> None:
        self._lost += file.unparsed
        file.close()
        del self._open[file.identity]

    def _candidates(self) -> list[str]:
        found: dict[str, None] = {}
        late: set[str] = set()
        for spec in self._specs:
            files = self._files(spec)
            if files is None:
                found[spec] = None
                continue
            wanted, waits = self._without_twins([name for name in files if not name.endswith(_PACKED)])
            found.update(dict.fromkeys(wanted))
            late |= waits
        self._late = late
        return list(found)

    @staticmethod
    def _files(spec: str) -> list[str] | None:
        """The files of a directory or pattern; None where it names a file."""
        path = Path(spec)
        if path.is_dir():
            return sorted(str(entry) for entry in path.iterdir() if entry.is_file())
        if glob.has_magic(spec) and not os.path.lexists(spec):
            return sorted(name for name in glob.glob(spec, recursive=True) if Path(name).is_file())  # noqa: PTH207
        return None

    def _without_twins(self, names: list[str]) -> tuple[list[str], set[str]]:
        """Of each stem one file; and those that wait, because a twin may be about to be made."""
        stems: dict[str, list[str]] = {}
        for name in names:
            stems.setdefault(name if _rank(name) == len(_TWINS) else str(Path(name).with_suffix("")), []).append(name)
        usual = {Path(name).suffix for name in self._names} & set(_TWINS)
        wanted, waits = list[str](), set[str]()
        for twins in stems.values():
            followed = [name for name in twins if name in self._names]
            chosen = followed[0] if followed else min(twins, key=_rank)
            # Postgres makes the text log first and its twins right after it.
            expected = not usual or _rank(chosen) == len(_TWINS) or Path(chosen).suffix in usual
            if followed or expected or chosen in self._late:
                wanted.append(chosen)
            else:
                waits.add(chosen)
        return wanted, waits


def _rank(name: str) -> int:
    suffix = Path(name).suffix
    return _TWINS.index(suffix) if suffix in _TWINS else len(_TWINS)
