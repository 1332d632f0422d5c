"""The state of the presence table and of the server, looked at again and again while something goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from eventlive_db.load.bench.pgbench import Point
from eventlive_db.load.bench.processes import postmaster_pid, processor_seconds
from eventlive_db.load.bench.results import Plot
from eventlive_db.load.bench.stage import Database

TABLE = "eventlive.webinar_live_presence"
_STATE = f"""
    select pg_table_size('{TABLE}'), pg_indexes_size('{TABLE}'), s.n_dead_tup, s.n_tup_upd, s.n_tup_hot_upd,
           s.autovacuum_count + s.vacuum_count, pg_current_wal_insert_lsn() - '0/0'::pg_lsn
      from pg_stat_user_tables s
     where s.relid = '{TABLE}'::regclass
""".encode()  # noqa: S608  # a constant


@dataclass(frozen=True, slots=True)
class Sample:
    """One look.

    Attributes:
        t: Seconds since the beginning.
        table_bytes: Size of the table.
        index_bytes: Size of its indexes.
        dead: Dead rows, as the statistics have it.
        updates: Rows updated since the table was made.
        hot: Of these, HOT.
        vacuums: How often it was vacuumed.
        wal_bytes: Position of the log.
        cpu_s: Processor time of the server's processes; None where they are not to be seen.
    """

    t: float
    table_bytes: float
    index_bytes: float
    dead: float
    updates: float
    hot: float
    vacuums: float
    wal_bytes: float
    cpu_s: float | None


class Sampler:
    """Looks, and keeps what it saw.

    Args:
        database: Where to look.
    """

    def __init__(self, database: Database) -> None:
        self.samples: list[Sample] = []
        self._database = database
        self._server = postmaster_pid(database.connection)
        self._began = time.monotonic()

    def now(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def look(self) -> Sample:
        """Look now."""
        row = self._database.connection.execute(_STATE).fetchone()
        assert row is not None  # noqa: S101  # the table is there
        table, indexes, dead, updates, hot, vacuums, log = (float(str(value)) for value in row)
        cpu = processor_seconds(self._server) if self._server is not None else None
        self.samples.append(Sample(self.now(), table, indexes, dead, updates, hot, vacuums, log, cpu))
        return self.samples[-1]

    def until(self, ended: Callable[[], bool], every_s: float) -> None:
        """Look every so many seconds from now on until something has ended, and once more then."""
        due = time.monotonic() + every_s
        while not ended():
            if time.monotonic() >= due:
                self.look()
                due += every_s
            time.sleep(min(0.05, every_s))
        self.look()

    def plots(self, points: Sequence[Point], events: Sequence[tuple[float, str]]) -> list[Plot]:
        """All of it over time.

        Args:
            points: What pgbench said meanwhile.
            events: What happened.
        """
        t, looked = [round(sample.t, 1) for sample in self.samples], self.samples
        paced = [round(point.t, 1) for point in points]
        plots: list[tuple[str, str, list[float], dict[str, Sequence[float | None]]]] = [
            ("Pings", "pings/s", paced, {"pings": [point.rate for point in points]}),
            ("Latency of a ping", "ms", paced, {"mean": [point.latency_ms for point in points]}),
            (
                "Size of the presence table",
                "MB",
                t,
                {
                    "table": [one.table_bytes / 1e6 for one in looked],
                    "indexes": [one.index_bytes / 1e6 for one in looked],
                },
            ),
            ("Dead rows", "rows", t, {"dead": [one.dead for one in looked]}),
            ("Updates that are HOT", "%", t, {"HOT": self._between(hot_percent)}),
            ("Log written", "MB/s", t, {"log": self._between(log_rate)}),
            ("Processor time of the server", "cores", t, {"server": self._between(cores)}),
        ]
        return [Plot(title, unit, at, _rounded(lines), events=events) for title, unit, at, lines in plots]

    def _between(self, rate: Callable[[Sample, Sample], float | None]) -> list[float | None]:
        pairs = zip(self.samples, self.samples[1:], strict=False)
        return [None, *(rate(before, after) if after.t > before.t else None for before, after in pairs)]


def hot_percent(before: Sample, after: Sample) -> float | None:
    """The part of the updates between two looks that was HOT; None where there were none."""
    updates = after.updates - before.updates
    return 100 * (after.hot - before.hot) / updates if updates else None


def log_rate(before: Sample, after: Sample) -> float:
    """Megabytes of log a second between two looks."""
    return (after.wal_bytes - before.wal_bytes) / 1e6 / (after.t - before.t)


def cores(before: Sample, after: Sample) -> float | None:
    """Processors that the server kept busy between two looks."""
    if before.cpu_s is None or after.cpu_s is None:
        return None
    return (after.cpu_s - before.cpu_s) / (after.t - before.t)


def _rounded(lines: Mapping[str, Sequence[float | None]]) -> dict[str, list[float | None]]:
    return {name: [None if value is None else round(value, 3) for value in values] for name, values in lines.items()}
