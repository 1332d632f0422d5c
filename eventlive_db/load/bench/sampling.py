"""The state of the presence table and of the server, looked at again and again while something goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eventlive_db.load.bench.pgbench import Point
from eventlive_db.load.bench.stage import Database
from eventlive_db.load.looks import hot_percents, rates
from eventlive_db.load.processes import postmaster_pid, processor_seconds
from eventlive_db.load.results_parts import Plot

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
        t, looked = [sample.t for sample in self.samples], self.samples
        paced = [point.t for point in points]
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
            # Nothing was seen between the first look and one before it.
            ("Updates that are HOT", "%", t, {"HOT": [None, *hot_percents(looked)]}),
            ("Log written", "MB/s", t, {"log": [None, *rates(looked, lambda one: one.wal_bytes, 1e6)]}),
            ("Processor time of the server", "cores", t, {"server": [None, *rates(looked, lambda one: one.cpu_s)]}),
        ]
        return [Plot(title, unit, at, lines, events=events) for title, unit, at, lines in plots]
