"""pgbench, the load generator that comes with Postgres: in C, so that the driver's own cost does not level the ratios.

Source: Postgres manual, "pgbench". Any version from 15 on drives any server from 15 on.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from eventlive_db.load.bench.errors import BenchError, MissingToolError
from eventlive_db.server import Server
from eventlive_db.server.binaries import embedded_package
from eventlive_db.server.conninfo import environment

Mode = Literal["simple", "extended", "prepared"]

HOW_TO_GET = "It comes with Postgres (Debian: apt-get install postgresql), or: pip install 'eventlive-db[embedded]'"
_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")

_DONE = re.compile(r"number of transactions actually processed: (\d+)")
_FAILED = re.compile(r"number of failed transactions: (\d+)")
_RATE = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)
_LATENCY = re.compile(r"latency average = ([\d.]+) ms")
_PROGRESS = re.compile(r"^progress: ([\d.]+) s, ([\d.]+) tps, lat ([\d.]+) ms", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Script:
    """What a client of pgbench does again and again.

    Attributes:
        text: In pgbench's language. ``:clients`` and ``:start`` are given beside its own ``:client_id``.
        operations: How many of what is counted one run of it does.
        options: Settings of its connections.
    """

    text: str
    operations: int = 1
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Point:
    """A moment of a run.

    Attributes:
        t: Seconds since it began.
        rate: Runs of the script a second, since the point before.
        latency_ms: Their mean latency.
    """

    t: float
    rate: float
    latency_ms: float


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a run.

    Attributes:
        done: Runs of the script.
        rate: Of them a second, without the time to connect.
        latency_ms: Their mean latency.
        points: The same over time, where it was asked for.
    """

    done: int
    rate: float
    latency_ms: float
    points: Sequence[Point] = ()

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.done / self.rate


def pgbench_places(server: Server) -> Iterator[Path]:
    """Where pgbench may be: beside the server's own programs, on PATH, in the usual places, in the wheel."""
    if server.bindir:
        yield server.bindir / "pgbench"
    if on_path := shutil.which("pgbench"):
        yield Path(on_path)
    for pattern in _PLACES:
        yield from (place / "pgbench" for place in sorted(Path("/").glob(pattern[1:]), reverse=True))
    if package := embedded_package():
        yield package / "pginstall" / "bin" / "pgbench"


def find_pgbench(places: Iterable[Path]) -> Path:
    """The first of these that can be run.

    Raises:
        MissingToolError: There is none; says how to get one.
    """
    for place in places:
        if os.access(place, os.X_OK):
            return place
    msg = "pgbench is not on this machine"
    raise MissingToolError(msg, HOW_TO_GET)


@dataclass(frozen=True, slots=True)
class Pgbench:
    """pgbench with a database to run against.

    Args:
        program: Where it is.
        dsn: The database. A password goes by the environment, which ps does not show.
    """

    program: Path
    dsn: str = field(repr=False)

    def version(self) -> str:
        """What it says of itself."""
        run = subprocess.run([str(self.program), "--version"], capture_output=True, text=True, check=False)
        return run.stdout.strip()

    def run(
        self,
        script: Script,
        *,
        clients: int = 1,
        mode: Mode = "prepared",
        seconds: int | None = None,
        runs: int | None = None,
        rate: float | None = None,
        every_s: int | None = None,
        start: int = 0,
    ) -> Run:
        """Run it to its end.

        Args:
            script: What to do.
            clients: Connections.
            mode: The protocol that is spoken.
            seconds: How long; or
            runs: How often, for each client.
            rate: Runs a second for all clients together; default: as fast as they can.
            every_s: Seconds between two points.
            start: The script's ``:start``.

        Raises:
            BenchError: A statement failed, or it could not connect.
        """
        with self.running(
            script,
            clients=clients,
            mode=mode,
            seconds=seconds,
            runs=runs,
            rate=rate,
            every_s=every_s,
            start=start,
        ) as child:
            return child.wait()

    @contextmanager
    def running(
        self,
        script: Script,
        *,
        clients: int = 1,
        mode: Mode = "prepared",
        seconds: int | None = None,
        runs: int | None = None,
        rate: float | None = None,
        every_s: int | None = None,
        start: int = 0,
    ) -> Iterator[Running]:
        """Run it beside what the block does; it is ended with the block at the latest. As :meth:`run`."""
        with tempfile.TemporaryDirectory(prefix="eventlive-pgbench-") as place:
            file = Path(place) / "script.sql"
            file.write_text(script.text, "utf-8")
            command = [str(self.program), "-n", "-f", str(file), "-M", mode, "-c", str(clients)]
            command += ["-j", str(min(clients, os.cpu_count() or 1))]
            command += ["-D", f"clients={clients}", "-D", f"start={start}", "-D", "i=0"]
            command += ["-T", str(seconds)] if seconds else ["-t", str(runs or 1)]
            command += ["-R", str(rate)] if rate else []
            command += ["-P", str(every_s)] if every_s else []
            given = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
            options = " ".join(f"-c {name}={value}" for name, value in script.options.items())
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**given, **environment(self.dsn), "PGOPTIONS": options},
            )
            try:
                yield Running(process)
            finally:
                if process.poll() is None:
                    process.terminate()
                process.wait()
                for pipe in (process.stdout, process.stderr):
                    if pipe:
                        pipe.close()


class Running:
    """A pgbench that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def ended(self) -> bool:
        """Whether it has come to its end."""
        return self._process.poll() is not None

    def wait(self) -> Run:
        """Wait for its end.

        Raises:
            BenchError: It failed.
        """
        said, told = self._process.communicate()
        if self._process.returncode != 0:
            raise BenchError(_why(told), "Nothing of this run is used", token="pgbench_failed")
        return read_run(said, told)


def read_run(said: str, told: str = "") -> Run:
    """What pgbench's report says.

    Args:
        said: Its standard output.
        told: Its standard error, with the points.

    Raises:
        BenchError: It is no report, or transactions failed.
    """
    done, rate, latency, failed = (pattern.search(said) for pattern in (_DONE, _RATE, _LATENCY, _FAILED))
    if done is None or rate is None or latency is None:
        msg = f"pgbench's report is not understood: {said[:200]!r}"
        raise BenchError(msg, token="pgbench_failed")
    if failed and int(failed[1]):
        msg = f"{failed[1]} transactions failed"
        raise BenchError(msg, "Nothing of this run is used", token="pgbench_failed")
    points = tuple(Point(float(t), float(tps), float(ms)) for t, tps, ms in _PROGRESS.findall(told))
    return Run(int(done[1]), float(rate[1]), float(latency[1]), points)


def _why(told: str) -> str:
    errors = [line for line in told.splitlines() if "error:" in line.lower()]
    return f"pgbench failed: {(errors or told.strip().splitlines() or ['it does not say why'])[0]}"
