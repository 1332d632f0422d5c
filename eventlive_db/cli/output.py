"""What a command prints, also where the disk is full or nobody reads any more."""

from __future__ import annotations

import sys
from typing import TextIO


def say(text: str, *, err: bool = False) -> bool:
    """Print a line, at once: whoever reads a pipe waits for it.

    Where it cannot be written, stderr says so, once: what is printed from then on is lost, and no error.

    Args:
        text: The line.
        err: On stderr.

    Returns:
        Whether it was written.
    """
    stream = sys.stderr if err else sys.stdout
    try:
        print(text, file=stream, flush=True)
    except OSError as error:
        if err:
            _give_up(sys.stderr)
        else:
            lose_stdout(error)
        return False
    return True


def lose_stdout(error: OSError) -> None:
    """Print no more to stdout, and say why."""
    _give_up(sys.stdout)
    say(f"eventlive-db: stdout cannot be written to: {error.strerror or type(error).__name__}", err=True)


def _give_up(stream: TextIO) -> None:
    from eventlive_db.verify.writing import give_up  # seldom needed, and slow to import

    give_up(stream)
