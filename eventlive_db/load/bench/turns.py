"""Turns of pgbench as contenders of a comparison."""

from __future__ import annotations

import time
from collections.abc import Callable

from eventlive_db.load.bench.compare import Contender, Timed
from eventlive_db.load.bench.pgbench import Mode, Pgbench, Script

_FIRST_RUNS = 20


class Ration:
    """Users who may have one turn each, such as those who have never pinged.

    Args:
        users: How many.
        refill: Makes all of them as they were; called when there are none left for a turn.
    """

    def __init__(self, users: int, refill: Callable[[], object]) -> None:
        self._users, self._refill, self.used = users, refill, 0

    def take(self, wanted: int, clients: int) -> tuple[int, int]:
        """Where to begin, and how many for each client; at most half of all at once."""
        each = max(1, min(wanted, self._users // 2 // clients))
        if self.used + each * clients > self._users:
            self._refill()
            self.used = 0
        start = self.used
        self.used += each * clients
        return start, each


def contender(
    name: str,
    pgbench: Pgbench,
    script: Script,
    *,
    clients: int = 1,
    mode: Mode = "prepared",
    reset: Callable[[], object] = lambda: None,
    ration: Ration | None = None,
) -> Contender:
    """A script that pgbench runs in turns, timed by pgbench.

    Args:
        name: As it stands in the table.
        pgbench: What runs it.
        script: What is run; one that takes one user after the other has a ration of them.
        clients: Connections.
        mode: The protocol that is spoken.
        reset: Called before each turn, untimed.
        ration: Users who may have one turn each.
    """
    rate = _FIRST_RUNS / 0.05

    def work(until: float) -> Timed:
        nonlocal rate
        left = until - time.perf_counter()
        if ration is None and left >= 1:
            run = pgbench.run(script, clients=clients, mode=mode, seconds=round(left))
        else:
            # Less than a second, which is pgbench's smallest: as many as were done in that time before.
            start, each = 0, max(1, round(rate * left / clients))
            if ration is not None:
                start, each = ration.take(each, clients)
            run = pgbench.run(script, clients=clients, mode=mode, runs=each, start=start)
        rate = run.rate
        return Timed(run.done * script.operations, run.seconds)

    return Contender(name, work, reset)
