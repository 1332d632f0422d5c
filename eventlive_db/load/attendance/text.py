"""From bytes to records: encoding, and CSV in which a broken row costs no other row."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from eventlive_db.load.attendance.model import AttendanceError, FileFault, RowFault

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_KNOWN_BINARY = {
    b"PK\x03\x04": "an Excel workbook (or another zip archive)",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF-": "a PDF",
    b"\x1f\x8b": "a gzip archive",
}
_BINARY_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the file.

    Attributes:
        line: the line on which it starts, counted from 1.
        cells: its fields without quotes; empty if ``fault`` is set.
        fault: why the row could not be taken apart, or None.
        spans: how many lines it takes.
    """

    line: int
    cells: tuple[str, ...]
    fault: RowFault | None = None
    spans: int = 1

    @property
    def is_blank(self) -> bool:
        """Whether nothing stands on the line but separators."""
        return self.fault is None and not any(cell.strip() for cell in self.cells)


def decode(data: bytes) -> tuple[str, tuple[str, ...]]:
    """The text of an export, and notes on what had to be assumed about its encoding.

    UTF-16 is known by its byte order mark or by every second byte being zero, UTF-8 by being valid; anything
    else is read as Windows-1252, which spreadsheets on Windows save.

    Raises:
        AttendanceError: the file is empty, or is no text.
    """
    if not data.strip():
        raise AttendanceError(
            "The file is empty.",
            token=FileFault.EMPTY_FILE,
            hint="Export the report again once the event has ended; both services need some minutes for it.",
        )
    for magic, what in _KNOWN_BINARY.items():
        if data.startswith(magic):
            raise _binary(f"The file is {what}, not a CSV.")
    text, notes = _decode(data)
    controls = sum(text.count(chr(code)) for code in range(32) if chr(code) not in "\t\n\r\f")
    if controls > max(8, len(text) * _BINARY_SHARE):
        raise _binary("The file is not text.")
    if not text.strip():
        raise AttendanceError(
            "The file holds nothing but blank space.",
            token=FileFault.EMPTY_FILE,
            hint="Export the report again once the event has ended.",
        )
    return text, notes


def _decode(data: bytes) -> tuple[str, tuple[str, ...]]:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data[len(bom) :].decode(encoding, errors="replace"), ()
    for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        half = data[offset:400:2]
        if len(half) > 8 and half.count(0) > len(half) * 0.8:
            return data.decode(encoding, errors="replace"), ()
    try:
        return data.decode("utf-8"), ()
    except UnicodeDecodeError:
        note = "The file is not UTF-8 and was read as Windows-1252: look whether names with accents are right."
        return data.decode("cp1252", errors="replace"), (note,)


def _binary(message: str) -> AttendanceError:
    hint = "Give the CSV that Zoom or Teams exports, or save the workbook as 'CSV UTF-8' first."
    return AttendanceError(message, token=FileFault.BINARY_FILE, hint=hint)


def split_lines(text: str) -> list[str]:
    """The physical lines with their ends, as an editor counts them (LF, CRLF or CR, and nothing else)."""
    return list(io.StringIO(text, newline=""))


def split_line(line: str, delimiter: str) -> tuple[str, ...]:
    """The fields of one line on its own, or none if they cannot be told apart."""
    try:
        return tuple(next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), ()))
    except csv.Error:
        return ()


class RecordReader:
    """The rows of a file, each with the line it starts on.

    A quote that is never closed would swallow every row up to the next one. Reading strictly shows most of
    these, and the next row then starts on the next line, so that one line alone is lost. What strict reading
    cannot show, the caller can: see :meth:`reject`.
    """

    def __init__(self, lines: Sequence[str], delimiter: str) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._line = 0  # where the row last read begins, counted from 0
        self._restart(0)

    def _restart(self, line: int) -> None:
        rest = (self._lines[index] for index in range(line, len(self._lines)))
        self._base = line
        self._csv = csv.reader(rest, delimiter=self._delimiter, strict=True, skipinitialspace=True)

    @property
    def position(self) -> int:
        """How many lines have been read."""
        return self._base + self._csv.line_num

    def __iter__(self) -> Iterator[Record]:
        while self.position < len(self._lines):
            self._line = self.position
            try:
                cells = tuple(next(self._csv))
            except csv.Error:
                yield self.reject()
            else:
                yield Record(self._line + 1, cells, spans=self.position - self._line)

    def reject(self) -> Record:
        """Take the row last read for one broken line, and go on with the line after it.

        For a row over several lines that makes no sense: an open quote met the first quote of a later row.
        """
        overlong = len(self._lines[self._line]) > csv.field_size_limit()
        self._restart(self._line + 1)
        return Record(self._line + 1, (), RowFault.OVERLONG_FIELD if overlong else RowFault.BAD_QUOTING)
