"""Keeps loops that are resumed together from calling together."""

from __future__ import annotations


class Pace:
    """The first of its loops that is due after a pause calls at once, the others after it at their usual rate.

    One for all loops of a process that may be resumed together; a loop that is alone has its own. Not for several
    threads at once: the shells see to that.
    """

    __slots__ = ("_next_at", "loops")

    def __init__(self) -> None:
        self.loops = 0
        """How many loops run, paused ones too."""
        self._next_at = 0.0

    def wait_s(self, now: float, interval_s: float) -> float:
        """How long one of the loops waits that is due at ``now``, in seconds; takes its place.

        Args:
            now: The time, in seconds of the loops' clock.
            interval_s: Its interval, in seconds.
        """
        at = max(now, self._next_at)
        self._next_at = at + interval_s / max(self.loops, 1)
        return at - now
