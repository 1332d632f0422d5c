"""The watch: looks, judges, tells."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eventlive_db.logs import LogEvent
from eventlive_db.watch.alarms import Alarms, Change
from eventlive_db.watch.database import Database
from eventlive_db.watch.delivery import Delivery
from eventlive_db.watch.errors import WatchError
from eventlive_db.watch.figures import Figures
from eventlive_db.watch.log_files import LogFiles
from eventlive_db.watch.metrics import Snapshot
from eventlive_db.watch.readings import DATABASE_RULES, LOG_RULES, Reading
from eventlive_db.watch.rules import DatabaseRules, log_readings, unreachable_readings
from eventlive_db.watch.signals import Signals
from eventlive_db.watch.silence import SILENT_AFTER_S, Silence
from eventlive_db.watch.state_file import read_state, write_state
from eventlive_db.watch.thresholds import Thresholds

SETTINGS_EVERY_S = 60.0
"""How often the thresholds are read again, in seconds."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look brought.

    Attributes:
        snapshot: Everything, for metrics and tables.
        changes: Alarms that are in another state than before.
        notes: Sentences about the watch itself that were not said before, such as that defaults hold.
    """

    snapshot: Snapshot
    changes: Sequence[Change]
    notes: Sequence[str]


class Watcher:
    """Evaluates the rules, look by look. Used from one thread.

    Args:
        logs: The files to follow.
        database: The database to ask; none for logs alone.
        delivery: Where notices go; none for nowhere.
        state: A file that survives a restart.
        once: There will be one look.
        rules: Those to evaluate; none for all that logs and database can tell.
        silent_after_s: How long a log of requests may be without a line, in seconds.
        wall: Seconds since 1970.
        clock: Seconds that only grow.

    Raises:
        WatchError: The state cannot be read, or not be written.
    """

    def __init__(
        self,
        logs: LogFiles,
        database: Database | None = None,
        delivery: Delivery | None = None,
        *,
        state: Path | None = None,
        once: bool = False,
        rules: Collection[str] | None = None,
        silent_after_s: float = SILENT_AFTER_S,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._once = once
        self._logs, self._database, self._delivery = logs, database, delivery
        self._state, self._rules, self._wall, self._clock = state, rules, wall, clock
        known = read_state(state, wall(), single_looks=once) if state else []
        if state:
            write_state(state, known)
        self._written = known
        self._alarms = Alarms(known)
        self._signals = Signals()
        self._silence = Silence(logs, silent_after_s, followed=not once, prefix=logs.prefix)
        self._database_rules = DatabaseRules()
        self.thresholds = Thresholds()
        self._settings_due = float("-inf")
        self._said: set[str] = set()

    def look(self) -> Look:
        """Look once, judge, and hand what is to be told to the delivery."""
        # The database first: the thresholds are there.
        figures, notes = self._ask()
        if figures is None and self._once:
            figures, notes = self._ask()
        now = self._wall()
        readings = [reading for reading in self._readings(figures, now) if self._wanted(reading)]
        thresholds = self.thresholds
        changes, notices = self._alarms.judge(readings, now, thresholds.whole_window_s, thresholds.cooldown_s)
        if self._delivery is not None:
            self._delivery.put(*notices)
        notes += self.keep()
        fresh = [note for note in dict.fromkeys(notes) if note not in self._said]
        self._said |= set(fresh)
        return Look(self._snapshot(readings, figures, now), changes, fresh)

    def keep(self) -> list[str]:
        """Write the state, if it is another than what was written; why it could not be, in a sentence.

        A disk that is full is no reason to stop watching.
        """
        if self._state is None:
            return []
        kept = self._alarms.to_keep(self._delivery.undelivered_keys() if self._delivery else ())
        if kept == self._written:
            return []
        try:
            write_state(self._state, kept)
        except WatchError as error:
            return [str(error)]
        self._written = kept
        return []

    def _ask(self) -> tuple[Figures | None, list[str]]:
        if self._database is None:
            return None, []
        now = self._clock()
        due = now >= self._settings_due
        figures = self._database.read(now, settings=due)
        if figures is None or not due:
            return figures, []
        self._settings_due = now + SETTINGS_EVERY_S
        if figures.settings is None:
            self.thresholds = Thresholds()
            return figures, [f'eventlive.settings is missing, or "{figures.role}" may not read it: defaults hold']
        self.thresholds, notes = Thresholds.of_settings(figures.settings)
        return figures, notes

    def _readings(self, figures: Figures | None, now: float) -> Iterator[Reading]:
        if self._logs:
            yield from self._log_readings(now)
        if figures is not None:
            yield from self._database_rules.readings(figures, self.thresholds, now)
        elif self._database is not None:
            yield from unreachable_readings(self._database.failures, self._database.problem)

    def _log_readings(self, now: float) -> Iterator[Reading]:
        window_s = self.thresholds.whole_window_s
        if self._once:
            self._logs.poll(lambda event: self._signals.add(event, now, window_s), last=True)
        else:
            new: list[LogEvent] = []
            self._logs.poll(new.append)
            self._signals.add_new(new, now, window_s)
        self._silence.listen(now)
        silent = self._silence.silent(now, window_s)
        yield from log_readings(
            self._signals,
            self.thresholds,
            self._logs.problems,
            now,
            silent=silent,
            sources=self._silence.sources,
        )

    def _wanted(self, reading: Reading) -> bool:
        return self._rules is None or reading.rule in self._rules

    def _snapshot(self, readings: list[Reading], figures: Figures | None, now: float) -> Snapshot:
        counts = self._delivery.counts if self._delivery else {}
        return Snapshot(
            at=now,
            readings=readings,
            alarms=self._alarms,
            events=self._signals.seen,
            unparsed=self._logs.unparsed(),
            late=self._signals.late,
            notices={outcome: counts[outcome] for outcome in ("sent", "failed", "dropped")} if self._delivery else {},
            waiting=len(self._delivery.undelivered()) if self._delivery else None,
            figures=figures,
            watches_database=self._database is not None,
        )


def verdict(readings: Sequence[Reading], named: Collection[str] | None) -> int:
    """Exit status of one look: 0 all is well, 1 something fires, 2 something that was asked for could not be told.

    Args:
        readings: Of this look.
        named: Rules that were asked for by name: of these any lack of data counts; of others only that something
            could not be looked at.
    """
    if any(reading.breached for reading in readings):
        return 1
    asked = named or ()
    missing = [reading for reading in readings if reading.breached is None and (reading.blind or reading.rule in asked)]
    unseen = set(asked) - {reading.rule for reading in readings}
    return 2 if missing or unseen else 0


def check_rules(named: Collection[str], *, logs: bool, database: bool) -> list[str]:
    """Rules that were named and that nothing given can tell."""
    told = {*(LOG_RULES if logs else ()), *(DATABASE_RULES if database else ())}
    return [rule for rule in named if rule not in told]
