"""Writes a report where it was asked for, and says where it could not."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from rich.console import Console

from eventlive_db.verify.model import Report
from eventlive_db.verify.report import as_dict, as_markdown
from eventlive_db.verify.terminal import show


def write(report: Report, json_file: str | None = None, markdown: Path | None = None) -> list[str]:
    """Write a report, each copy whatever becomes of the others.

    Args:
        report: The report.
        json_file: For JSON; ``-`` for stdout, which then has no table.
        markdown: For Markdown.

    Returns:
        What could not be written, and why.
    """
    problems: list[str] = []

    def attempt(name: object, how: Callable[[], object]) -> None:
        try:
            how()
        except OSError as error:
            # Of a write, unlike an open, the error does not know the file.
            problems.append(f"{name}: {error.strerror or type(error).__name__}")

    if markdown:
        attempt(markdown, lambda: markdown.write_text(as_markdown(report), "utf-8"))
    text = json.dumps(as_dict(report), indent=2, ensure_ascii=False) + "\n"
    if json_file and json_file != "-":
        attempt(json_file, lambda: Path(json_file).write_text(text, "utf-8"))
    attempt("stdout", lambda: _print(text if json_file == "-" else _table(report)))
    return problems


def _table(report: Report) -> str:
    # Not printed by the console itself: that ends the process where nobody reads.
    console = Console()
    with console.capture() as captured:
        show(console, report)
    return captured.get()


def _print(text: str) -> None:
    if sys.stdout is None:  # it was closed before Python began
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        give_up(sys.stdout)
        raise


def give_up(stream: TextIO) -> None:
    """Write no more to a stream that could not be written to.

    What is left in its buffer would be tried again at the end of Python, which would then end with 120.

    Args:
        stream: ``stdout`` or ``stderr``.
    """
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
