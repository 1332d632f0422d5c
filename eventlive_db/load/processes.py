"""Processor time of the server's processes, as Linux tells it in /proc (proc(5))."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg

PROC = Path("/proc")


def postmaster_pid(connection: psycopg.Connection[tuple[object, ...]], proc: Path = PROC) -> int | None:
    """The process that all of the server's processes are children of; None where it is not on this machine.

    Args:
        connection: Whose own process is looked up.
        proc: Where the kernel tells of processes.
    """
    child = connection.info.backend_pid
    row = connection.execute("select setting from pg_settings where name = 'data_directory'").fetchone()
    status = _status(proc / str(child))
    if row is None or status is None or not _is_postgres(proc / str(status[0])):
        return None
    return int(status[0])


def processor_seconds(pid: int, proc: Path = PROC) -> float:
    """Processor time of a process and its children, those that have ended included, in seconds.

    Args:
        pid: The process.
        proc: Where the kernel tells of processes.
    """
    ticks = 0.0
    for directory in _processes(proc):
        status = _status(directory)
        if status is None:
            continue  # ended since
        parent, used, of_ended = status
        if directory.name == str(pid):
            ticks += used + of_ended
        elif parent == pid:
            ticks += used
    return ticks / os.sysconf("SC_CLK_TCK")


def _processes(proc: Path) -> Iterator[Path]:
    return (directory for directory in proc.iterdir() if directory.name.isdigit())


def _is_postgres(directory: Path) -> bool:
    try:
        return (directory / "comm").read_text().startswith("postgres")
    except OSError:
        return False


def _status(directory: Path) -> tuple[int, int, int] | None:
    """Parent, ticks used, ticks used by children that have ended."""
    try:
        # The name stands in parentheses and may contain anything.
        fields = (directory / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
