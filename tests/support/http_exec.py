"""Becomes PostgREST, which ends when its parent does.

The launcher of Postgres has the kernel send SIGQUIT, which PostgREST's run time does not heed; here it is SIGKILL.
Run by path in an isolated interpreter by that launcher, so it imports the standard library alone.

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
            sys.exit("the parent ended before PostgREST started")
    os.execv(command[0], command)  # noqa: S606  # there is no shell, which is the point


if __name__ == "__main__":
    main(sys.argv[1:])
