"""Becomes a program that is killed when its parent ends: one that does not heed SIGQUIT, as PostgREST does not.

Run by path in an isolated interpreter by the launcher of Postgres, so it imports the standard library alone.

Arguments: the program, its arguments.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(command: list[str]) -> None:
    """Do what the module says; returns never."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
        if os.getppid() != parent:
            sys.exit("the parent ended before the program started")
    os.execv(command[0], command)  # noqa: S606  # there is no shell, which is the point


if __name__ == "__main__":
    main(sys.argv[1:])
