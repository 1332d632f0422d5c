"""Becomes a Postgres program: gives up root, ties its life to its parent's, then executes the program.

Run by path in a fresh isolated interpreter (``python -I -S``), so it imports the standard library alone. A
``preexec_fn`` would do the same inside a fork of a threaded process, where taking any lock may hang.

Arguments: parent's pid, uid and gid to change to (-1: stay), program, its arguments.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def _die_with_parent(parent: int) -> None:
    """Have the kernel send SIGQUIT (Postgres: immediate shutdown) when the parent ends: prctl(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if libc.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGQUIT), zero, zero, zero) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        sys.exit("the parent ended before the server started")


def main(arguments: list[str]) -> None:
    """Do what the module says; returns never."""
    parent, uid, gid = (int(argument) for argument in arguments[:3])
    command = arguments[3:]
    os.umask(0o077)
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After setuid: a change of credentials clears the parent-death signal.
    if sys.platform == "linux":
        _die_with_parent(parent)
    os.execv(command[0], command)  # noqa: S606  # there is no shell, which is the point


if __name__ == "__main__":
    main(sys.argv[1:])
