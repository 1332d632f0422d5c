"""Cancellations that were lost on their way.

Before Python 3.12, ``asyncio.wait_for`` that is cancelled in the moment in which what it waits for comes returns that,
and nobody hears of the cancellation again. Pools wait with it, and so may anybody whose code is called here. The task
knows better: :meth:`asyncio.Task.cancelling`.
"""

from __future__ import annotations

import asyncio


def cancellations() -> int:
    """How often the running task was asked to end and has not taken it back; 0 outside of a task."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def end_if_cancelled(before: int) -> None:
    """End the task if it was cancelled, where what it awaited has not.

    Args:
        before: :func:`cancellations` before that: who was cancelled earlier, and calls while it cleans up, goes on.

    Raises:
        asyncio.CancelledError: It was cancelled since.
    """
    if cancellations() > before:
        raise asyncio.CancelledError
