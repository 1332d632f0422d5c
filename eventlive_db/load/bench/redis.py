"""Redis's ZADD, which is what presence is often kept with, on the same machine by the same number of connections."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eventlive_db.load.bench.compare import Comparison, Contender, Timed, compare
from eventlive_db.load.bench.crowd import BATCHED, BY_ITSELF, IN_TRANSACTION, PING, crowded
from eventlive_db.load.bench.errors import BenchError, MissingToolError
from eventlive_db.load.bench.ping import TABLES, PingPlan
from eventlive_db.load.bench.results import Results
from eventlive_db.load.bench.shapes import Durability
from eventlive_db.load.bench.stage import Place
from eventlive_db.load.bench.turns import contender
from eventlive_db.server.process import wrap

HOW_TO_GET = "Debian has it: apt-get install redis-server"
PERSISTENCE = {"Redis, in memory alone": "no", "Redis, written every second": "yes"}
_START_TIMEOUT_S = 20.0
_RATE = re.compile(r'^"[^"]*","([\d.]+)"', re.MULTILINE)
_FIRST_RUNS = 2000
_LEAST_RUNS = 1000
"""Of fewer redis-benchmark cannot tell a rate."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Redis's programs.

    Attributes:
        server: ``redis-server``.
        benchmark: ``redis-benchmark``, its load generator in C.
    """

    server: Path
    benchmark: Path

    def version(self) -> str:
        """What the server says of itself."""
        said = subprocess.run([str(self.server), "--version"], capture_output=True, text=True, check=False).stdout
        found = re.search(r"v=(\S+)", said)
        return found[1] if found else said.strip()


def find_redis(path: str | None = None) -> Programs:
    """Redis's programs on PATH.

    Args:
        path: Where to look; default: the environment's PATH.

    Raises:
        MissingToolError: One of them is not there.
    """
    found = [shutil.which(name, path=path) for name in ("redis-server", "redis-benchmark")]
    if found[0] is None or found[1] is None:
        msg = f"{'redis-server' if found[0] is None else 'redis-benchmark'} is not on PATH"
        raise MissingToolError(msg, HOW_TO_GET)
    return Programs(Path(found[0]), Path(found[1]))


@contextmanager
def redis_server(programs: Programs, appendonly: str) -> Iterator[Path]:
    """A Redis on a Unix socket of its own, for as long as the block goes; nothing of it is left.

    Args:
        programs: Its programs.
        appendonly: ``yes``: each write goes to a file that is synced every second; ``no``: to memory alone.

    Raises:
        BenchError: It did not start.
    """
    with tempfile.TemporaryDirectory(prefix="eventlive-redis-") as place:
        socket, log = Path(place) / "redis.sock", Path(place) / "redis.log"
        command = [str(programs.server), "--port", "0", "--unixsocket", str(socket), "--dir", place]
        command += ["--save", "", "--appendonly", appendonly, "--appendfsync", "everysec", "--logfile", str(log)]
        # It ends with this process, however that ends.
        process = subprocess.Popen(
            wrap(command, None), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
        )
        try:
            deadline = time.monotonic() + _START_TIMEOUT_S
            while not socket.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    said = log.read_text().strip().splitlines()[-1:] if log.exists() else []
                    msg = f"redis-server did not start: {''.join(said) or 'it does not say why'}"
                    raise BenchError(msg, token="redis_failed")
                time.sleep(0.01)
            yield socket
        finally:
            process.terminate()
            process.wait()


class Zadd:
    """``ZADD key time member``, one at a time on each connection."""

    def __init__(self, programs: Programs, socket: Path, *, clients: int, users: int) -> None:
        self._command = [str(programs.benchmark), "-s", str(socket), "-c", str(clients), "-P", "1", "-r", str(users)]
        self._rate = _FIRST_RUNS / 0.1

    def work(self, until: float) -> Timed:
        """As a contender. The members are as many as the users, any of whom may be next.

        Raises:
            BenchError: redis-benchmark failed.
        """
        runs = max(_LEAST_RUNS, round(self._rate * (until - time.perf_counter())))
        command = [*self._command, "-n", str(runs), "--csv", "ZADD", "presence", "__rand_int__", "user:__rand_int__"]
        said = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
        found = _RATE.search(said.stdout)
        if said.returncode != 0 or found is None:
            msg = f"redis-benchmark failed: {(said.stderr or said.stdout).strip()[:200]}"
            raise BenchError(msg, token="redis_failed")
        self._rate = float(found[1])
        return Timed(runs, runs / self._rate)


def measure_redis(place: Place, plan: PingPlan, programs: Programs) -> Results:
    """Pings as shipped against ZADD, for each number of connections.

    Args:
        place: Where.
        plan: How large.
        programs: Redis's.

    Raises:
        BenchError: Redis did not start, or a call failed.
    """
    comparisons: list[Comparison] = []
    with crowded(place, plan.users, plan.batches) as (database, crowd):
        for clients in plan.clients:
            scripts = {
                f"{name} {shape}": crowd.scripts(shape, Durability.SHIPPED)[name]
                for name, shape in ((PING, BY_ITSELF), (PING, IN_TRANSACTION), (BATCHED, IN_TRANSACTION))
            }
            contenders = [
                contender(name, database.pgbench, script, clients=clients, reset=lambda: database.tidy(*TABLES))
                for name, script in scripts.items()
            ]
            first, second = PERSISTENCE
            with (
                redis_server(programs, PERSISTENCE[first]) as memory,
                redis_server(programs, PERSISTENCE[second]) as written,
            ):
                for name, socket in ((first, memory), (second, written)):
                    zadd = Zadd(programs, socket, clients=clients, users=plan.users)
                    contenders.append(Contender(name, zadd.work))
                comparisons.append(
                    compare(
                        f"Pings beside Redis {programs.version()}, {clients} client{'s' * (clients > 1)}",
                        contenders,
                        unit="pings/s",
                        base=first,
                        rounds=plan.rounds,
                        slice_s=plan.slice_s,
                        progress=place.progress,
                    )
                )
    return Results(comparisons)
