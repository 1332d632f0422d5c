"""One file of the disk, whatever it is called: read on by its open handle, and begun again when it is emptied."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from eventlive_db.logs.lines import MAX_BYTES
from eventlive_db.logs.model import LogEvent, LogFormat
from eventlive_db.logs.parser import Origin
from eventlive_db.logs.reading import CHUNK_BYTES
from eventlive_db.logs.realtime import day_of, last_time_and_midnights
from eventlive_db.logs.stream import Stream

HEAD_BYTES = 256
_PARTIAL_PATIENCE = 3

Identity = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a file that is not open any more was read.

    Attributes:
        head: Its first bytes, to know it by.
        offset: Bytes that were read.
        line: Number of the line that comes next.
        written: When it was last written, in nanoseconds, if all of it was read.
        copy: It is a copy, and was read where it was written.
    """

    head: bytes
    offset: int
    line: int
    written: int | None
    copy: bool = False

    def is_of(self, status: os.stat_result) -> bool:
        """Whether a file has nothing to read after it."""
        return (self.offset, self.written) == (status.st_size, status.st_mtime_ns)


class Incarnation:
    """A file that is being followed.

    Args:
        path: Its name now.
        origin: What events say of it.
        kind: Its format; None finds out.
        from_start: Give what is there already.
        mark: How far a file with this inode was read before.

    Attributes:
        identity: Device and inode.
        quiet: So many polls in a row found nothing new.
        replaced: Its name belongs to another file now, or to none.
        is_copy: It is a copy of another.
        was_empty: When it was opened.
        emptied: How far it was read before it was last emptied.
    """

    def __init__(
        self, path: Path, origin: Origin, kind: LogFormat | None, *, from_start: bool, mark: Mark | None = None
    ) -> None:
        self._file: BinaryIO = path.open("rb")
        status = os.fstat(self._file.fileno())
        self.identity: Identity = (status.st_dev, status.st_ino)
        self.quiet = 0
        self.replaced = False
        self.is_copy = mark is not None and mark.copy
        self.was_empty = status.st_size == 0
        self.emptied: Mark | None = None
        self.origin = origin
        self._kind = kind
        self._lost = 0
        self._head = b""
        self._offset = self._first_line = 0
        self._undated = True
        if mark is not None:
            self._head, self._offset, self._first_line = mark.head, mark.offset, mark.line
            if self._begins_again():
                self.emptied = mark
                self._head, self._offset = b"", 0
            elif mark.copy:
                # Where it was written, its last line was perhaps read in part.
                self._offset = self._last_line(mark.offset)
        elif not from_start:
            self._offset = self._last_line(status.st_size)
            self._first_line = 1 + sum(data.count(b"\n") for data in self._chunks(0, self._offset))
        self._began = self._offset
        self._note_head()
        try:
            self._stream = self._new_stream()
        except BaseException:
            self.close()
            raise

    @property
    def unparsed(self) -> int:
        """Lines that are no part of any record."""
        return self._lost + self._stream.unparsed

    @property
    def holding(self) -> bool:
        """Whether there is anything that was read and not given."""
        return self._stream.holding

    @property
    def pending(self) -> bool:
        """Whether a line has begun and not ended, or the format is not known yet."""
        return self._stream.pending or (self._stream.parser is None and self._stream.holding)

    @property
    def began(self) -> bool:
        """Whether anything of it was read."""
        return self._offset > 0

    @property
    def start(self) -> bytes:
        """Its first bytes, read or not."""
        return os.pread(self._file.fileno(), HEAD_BYTES, 0)

    @property
    def size(self) -> int:
        """Bytes that it has."""
        return os.fstat(self._file.fileno()).st_size

    @property
    def mark(self) -> Mark:
        """How far it was read; to go on there, only while nothing is held."""
        status = os.fstat(self._file.fileno())
        written = status.st_mtime_ns if status.st_size == self._offset else None
        return Mark(self._head, self._offset, self._stream.next_line, written)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def begin_again(self) -> list[LogEvent]:
        """Go back to its start, if it was emptied; give what was held."""
        if not self._begins_again():
            return []
        events = [*self._stream.settle()]
        self.emptied = Mark(self._head, self._offset, self._stream.next_line, None)
        self._stream.drop()
        self._lost += self._stream.unparsed
        self._offset = self._began = 0
        self._head = b""
        self._stream = self._new_stream()
        return events

    def poll(self) -> list[LogEvent]:
        """Read what was written since."""
        events = self.begin_again()
        size = self.size
        if size <= self._offset:
            self.quiet += 1
            # Of a line that was half written more will come, and what follows it may belong to what is held.
            if self.quiet >= (_PARTIAL_PATIENCE if self._stream.pending else 1):
                events += self._stream.settle()
            return events
        self.quiet = 0
        self._stream.redate()
        for data in self._chunks(self._offset, size):
            self._offset += len(data)
            events += self._stream.feed(data)
        self._note_head()
        return events

    def settle(self) -> Sequence[LogEvent]:
        """Give what was held in case that more belongs to it."""
        return self._stream.settle()

    def finish(self) -> list[LogEvent]:
        """Nothing more is read: give what is held."""
        events = [*self.poll(), *self._stream.settle()]
        self._stream.drop()
        self.close()
        return events

    def _new_stream(self) -> Stream:
        self._undated = True
        if self._began == 0:
            return Stream(self.origin, self._kind, day=self._day)
        kind = self._kind or self._detected()
        return Stream(self.origin, kind, first_line=self._first_line, adrift=True, day=self._day)

    def _detected(self) -> LogFormat | None:
        """The format by the beginning of the file, as the part that is followed may be short."""
        probe = Stream(self.origin)
        for data in self._chunks(0, min(self._began, CHUNK_BYTES)):
            probe.feed(data)
        return probe.format

    def _begins_again(self) -> bool:
        if self.size < self._offset:
            return True
        # It may have been emptied and have grown past where we were.
        return os.pread(self._file.fileno(), len(self._head), 0) != self._head

    def _note_head(self) -> None:
        if len(self._head) < HEAD_BYTES:
            self._head = os.pread(self._file.fileno(), min(HEAD_BYTES, self._offset), 0)

    def _last_line(self, size: int) -> int:
        """Where the incomplete last line begins, or the end: what is completed from now on is new."""
        end = size
        while end > max(0, size - MAX_BYTES):
            start = max(0, end - CHUNK_BYTES)
            place = os.pread(self._file.fileno(), end - start, start).rfind(b"\n")
            if place >= 0:
                return start + place + 1
            end = start
        return 0 if size <= MAX_BYTES else size

    def _chunks(self, start: int, end: int) -> Iterator[bytes]:
        while start < end and (data := os.pread(self._file.fileno(), min(CHUNK_BYTES, end - start), start)):
            start += len(data)
            yield data

    def _lines(self, start: int, end: int) -> Iterator[bytes]:
        rest = b""
        for data in self._chunks(start, end):
            *lines, rest = (rest + data).split(b"\n")
            rest = rest[:MAX_BYTES]
            yield from lines
        yield rest

    def _day(self) -> tuple[datetime, int] | None:
        # Lines that wait for the format to be known have been read and not dated.
        start = self._began if self._undated else self._offset
        self._undated = False
        status = os.fstat(self._file.fileno())
        last, midnights = last_time_and_midnights(self._lines(start, status.st_size))
        written = datetime.fromtimestamp(status.st_mtime, self.origin.timezone or UTC)
        return (day_of(last, written), midnights) if last else None
