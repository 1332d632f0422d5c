"""Files of results: whether they can be written is known before a run of an hour, and none is left half written."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import tempfile
from pathlib import Path

from eventlive_db.errors import AdvisedError


class PlaceError(AdvisedError):
    """A file cannot be written where it is asked for."""

    token = "unwritable_file"


def check_places(*paths: Path) -> None:
    """See that files can be written, before there is anything to write. Folders that are missing are made.

    A pipe or a device is not tried: that would write to it.

    Raises:
        PlaceError: One is a folder, or cannot be written, or two of them are one file.
    """
    taken: set[Path] = set()
    for path in paths:
        try:
            place = _real(path)
            if place in taken:
                msg = f"{path} is named twice"
                raise PlaceError(msg, "One would overwrite the other: name another file")
            taken.add(place)
            if place.is_dir():
                msg = f"{path} is a folder"
                raise PlaceError(msg, "Name a file in it")
            if _is_file_or_new(place):
                _try(place)
        except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
            msg = f"{path} cannot be written: {reason(error)}"
            raise PlaceError(msg, "Name another file") from error


def _try(place: Path) -> None:
    _make_folder(place.parent)
    with tempfile.TemporaryFile(dir=place.parent):
        pass
    if place.exists():
        with place.open("r+b"):
            pass


def reason(error: Exception) -> str:
    """What was wrong, in a few words and without the path."""
    return (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__


def write_aside(path: Path, text: str) -> None:
    """Write a file beside its place, and move it there once it is whole.

    A pipe or a device is written to as it is.

    Args:
        path: Where to; folders that are missing are made.
        text: What, as UTF-8.

    Raises:
        OSError: It cannot be written; one that was there before stays as it was.
    """
    place = _real(path)
    if not _is_file_or_new(place):
        place.write_text(text, encoding="utf-8", newline="\n")
        return
    _make_folder(place.parent)
    aside = place.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with aside.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        if place.exists():
            shutil.copymode(place, aside)
        aside.replace(place)
    finally:
        aside.unlink(missing_ok=True)


def _make_folder(place: Path) -> None:
    try:
        place.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), error.filename) from error


def _is_file_or_new(place: Path) -> bool:
    return place.is_file() or not place.exists()


def _real(path: Path) -> Path:
    """Where links lead; unlike ``Path.resolve`` it takes a loop of them as it is."""
    return Path(os.path.realpath(path))
