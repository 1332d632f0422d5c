"""Copies of what is followed, as ``copytruncate`` makes them beside it: what was read is not read again in them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from eventlive_db.logs.incarnation import HEAD_BYTES, Mark


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of a file.

    Attributes:
        mark: How far.
        size: Bytes that it has; what was not read of them will be.
        emptied: This was before it was emptied: what was not read is in copies alone.
    """

    mark: Mark
    size: int
    emptied: bool = False


def is_begun_alike(start: bytes, reads: Iterable[Read]) -> bool:
    """Whether a file that begins so may be a copy of one of these."""
    return any(_is_alike(start, read.mark.head) for read in reads)


def look_for_original(path: Path, reads: Iterable[Read], known: Mark | None) -> tuple[Mark | None, bool]:
    """See whether a file is a copy of one that is followed.

    One that is still being made is known by its first bytes, too. It is looked at again when it has grown.

    Args:
        path: The file.
        reads: What was read of the others.
        known: What was found when it was looked at before.

    Returns:
        Where to go on in it, none where it is no copy; and whether there is nothing to read in it by now.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        start, status = file.read(HEAD_BYTES), os.fstat(file.fileno())
    alike = [read for read in reads if _is_alike(start, read.mark.head)]
    if not alike and known and status.st_size == known.offset:
        return Mark(known.head, known.offset, known.line, status.st_mtime_ns, copy=True), True
    if not alike:
        # One that only began with the same lines was no copy.
        return (known if known and len(known.head) == HEAD_BYTES else None), False
    # What was read furthest: one may be a copy of a copy.
    furthest = max(alike, key=lambda read: read.mark.offset)
    mark, size = furthest.mark, status.st_size
    if size <= mark.offset:
        return Mark(start, size, mark.line, status.st_mtime_ns, copy=True), True
    if any(size <= read.size for read in alike):
        # The rest is read where it was written, or here once it was emptied away there.
        return Mark(start, size, mark.line, None, copy=True), True
    if furthest.emptied or len(mark.head) == HEAD_BYTES:
        return Mark(mark.head, mark.offset, mark.line, None, copy=True), False
    # A line or two that are the same make no copy.
    return None, False


def _is_alike(start: bytes, head: bytes) -> bool:
    length = min(len(start), len(head))
    return length > 0 and start[:length] == head[:length]
