"""What is told to Prometheus after each look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from eventlive_db.watch.alarms import Alarms
from eventlive_db.watch.exposition import Family, Sample, render
from eventlive_db.watch.figures import Figures
from eventlive_db.watch.readings import Reading

STATES = ("ok", "firing", "no_data")
JOB_STATES = ("ok", "late", "failing", "never_ran", "missing", "bad_schedule", "disabled", "running")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that is known after one look.

    Attributes:
        at: When, in seconds since 1970.
        readings: Of this look.
        alarms: After it.
        events: Events so far, by source, status and SQLSTATE.
        unparsed: Lines so far that are part of no event, by file.
        late: Events that came too late to count.
        notices: So far, by outcome; empty without a webhook.
        waiting: Notices that have not arrived yet; none without a webhook.
        figures: Of the database; none where it did not answer.
        watches_database: Whether there is one to ask.
    """

    at: float
    readings: Sequence[Reading]
    alarms: Alarms
    events: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    unparsed: Mapping[str, int] = field(default_factory=dict)
    late: int = 0
    notices: Mapping[str, int] = field(default_factory=dict)
    waiting: int | None = None
    figures: Figures | None = None
    watches_database: bool = False


def page(snapshot: Snapshot) -> str:
    """The page that Prometheus reads."""
    return render([*_rules(snapshot), *_logs(snapshot), *_database(snapshot), *_watch(snapshot)])


def _rules(snapshot: Snapshot) -> Iterator[Family]:
    known = [(reading, {"rule": reading.rule, "subject": reading.subject}) for reading in snapshot.readings]
    values = [(labels, reading.value) for reading, labels in known if reading.value is not None]
    thresholds = [(labels, reading.threshold) for reading, labels in known if reading.threshold is not None]
    states = [
        ({**labels, "state": state}, float(snapshot.alarms[reading.key].state == state))
        for reading, labels in known
        for state in STATES
    ]
    yield Family("eventlive_rule_value", "gauge", "What a rule measured; absent without data.", values)
    yield Family("eventlive_rule_threshold", "gauge", "What it is held against.", thresholds)
    yield Family("eventlive_rule_state", "gauge", "1 for the state that a rule is in.", states)


def _logs(snapshot: Snapshot) -> Iterator[Family]:
    events = [
        ({"source": source, "status": status, "sqlstate": sqlstate}, count)
        for (source, status, sqlstate), count in sorted(snapshot.events.items())
    ]
    unparsed = [({"file": file}, count) for file, count in snapshot.unparsed.items()]
    late: list[Sample] = [({}, snapshot.late)] if unparsed else []
    yield Family("eventlive_log_events_total", "counter", "Records that were read from logs.", events)
    yield Family("eventlive_log_unparsed_lines_total", "counter", "Lines that are part of no record.", unparsed)
    yield Family("eventlive_log_late_events_total", "counter", "Records too old to count when they were read.", late)


def _database(snapshot: Snapshot) -> Iterator[Family]:
    if snapshot.watches_database:
        yield _one("eventlive_database_up", "Whether the database answered.", float(snapshot.figures is not None))
    figures = snapshot.figures
    if figures is None:
        return
    yield _one("eventlive_pg_connections", "Client backends.", figures.connections)
    yield _one("eventlive_pg_connection_limit", "Connections for ordinary roles.", figures.connection_limit)
    yield _one("eventlive_pg_lock_waiters", "Backends that wait for a lock.", figures.lock_waiters)
    for name, says, attribute in (
        ("eventlive_pg_live_rows", "Rows of a table, estimated.", "live"),
        ("eventlive_pg_dead_rows", "Dead rows of a table, estimated.", "dead"),
    ):
        yield Family(name, "gauge", says, [({"table": t.name}, getattr(t, attribute)) for t in figures.tables])
    for name, says, attribute in (
        ("eventlive_pg_updates_total", "Updates of rows.", "updates"),
        ("eventlive_pg_hot_updates_total", "Updates of rows that were heap-only.", "hot_updates"),
    ):
        yield Family(name, "counter", says, [({"table": t.name}, getattr(t, attribute)) for t in figures.tables])
    states = [
        ({"job": job.name, "state": state}, float(job.state == state))
        for job in figures.jobs or []
        for state in JOB_STATES
    ]
    ages = [({"job": job.name}, job.success_age_s) for job in figures.jobs or [] if job.success_age_s is not None]
    yield Family("eventlive_job_state", "gauge", "1 for the state that a job is in.", states)
    yield Family("eventlive_job_success_age_seconds", "gauge", "Time since a job's last success.", ages)


def _watch(snapshot: Snapshot) -> Iterator[Family]:
    outcomes = [({"outcome": outcome}, count) for outcome, count in snapshot.notices.items()]
    yield Family("eventlive_notices_total", "counter", "Notices by what came of them.", outcomes)
    yield _one("eventlive_notices_waiting", "Notices that have not arrived yet.", snapshot.waiting)
    yield _one("eventlive_watch_evaluated_timestamp_seconds", "When all this was measured.", snapshot.at)


def _one(name: str, says: str, value: float | None) -> Family:
    return Family(name, "gauge", says, [] if value is None else [({}, value)])
