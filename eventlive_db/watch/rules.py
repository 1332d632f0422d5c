"""Readings: what the logs and the database say, beside the thresholds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from eventlive_db.logs import redact
from eventlive_db.watch.figures import Figures, Job
from eventlive_db.watch.history import MIN_UPDATES, Transactions, Updates, named
from eventlive_db.watch.readings import HTTP_RULES, Reading, at_most, no_data
from eventlive_db.watch.signals import HTTP_SOURCES, MIN_AUTH_CALLS, Signals
from eventlive_db.watch.silence import ANY
from eventlive_db.watch.thresholds import Thresholds

HOT_TABLES = ("webinar_live_presence", "webinar_user_sessions")
"""Tables whose updates have to be heap-only: heartbeats write them."""

MIN_ROWS = 10_000
"""Rows below which the share of dead ones does not matter."""

TRIES = 2
"""Tries without an answer that make the database unreachable."""

_BAD_JOBS = frozenset({"late", "failing", "never_ran", "missing", "bad_schedule"})
_DATABASE_FIGURES = ("connections", "xmin_age", "dead_tuples", "hot_updates", "lock_waiters", "jobs")


def log_readings(
    signals: Signals,
    thresholds: Thresholds,
    problems: Sequence[str],
    now: float,
    *,
    silent: Mapping[str, Sequence[str]],
    sources: Collection[str],
) -> Iterator[Reading]:
    """What the logs say.

    Where a log cannot be read or is silent, what the others hold may still prove an alarm, and never that there is
    none.

    Args:
        signals: The lines so far.
        thresholds: What is an alarm.
        problems: Logs that cannot be read, in sentences.
        now: Seconds since 1970.
        silent: Logs that say nothing, in sentences, by source or :data:`~eventlive_db.watch.silence.ANY`.
        sources: Programs of which there is a log.
    """
    window_s = thresholds.whole_window_s
    unknown = signals.unknown_per_minute(now, window_s)
    counts: list[tuple[str, float, float, tuple[str, ...]]] = [
        (rule, signals.per_minute(rule, now, window_s), getattr(thresholds, f"{rule}_per_min"), HTTP_SOURCES)
        for rule in HTTP_RULES
    ]
    disconnects = signals.disconnects_per_minute(now, window_s)
    counts.append(
        ("realtime_disconnects", disconnects, thresholds.realtime_disconnects_per_min, ("realtime", "gateway"))
    )

    def hidden(*wanted: str) -> str:
        """Why something may have happened that is not seen, of what the logs of these sources hold."""
        return "; ".join([*problems, *(why for source in (ANY, *wanted) for why in silent.get(source, ()))])

    for rule, value, threshold, wanted in counts:
        reading = at_most(rule, value, threshold, "/min")
        if reading.breached:
            yield reading
        elif why := hidden(*wanted):
            yield no_data(rule, why)
        elif "postgres" in wanted and unknown and value + unknown >= threshold:
            yield no_data(rule, f"{unknown:g} errors a minute without SQLSTATE: put %e into log_line_prefix")
        elif not set(sources) & set(wanted):
            # Only logs of other programs: there is nothing here that could tell.
            yield no_data(rule, f"none of the logs is of {' or '.join(sorted(wanted))}", blind=False)
        elif rule in HTTP_RULES and set(sources) & set(wanted) == {"gateway"} and not signals.gateway_has_calls:
            yield no_data(rule, "no call of PostgREST is in the gateway's log", blind=False)
        else:
            yield reading
    calls, p95 = signals.auth_p95(now, window_s)
    why = hidden("auth", "gateway")
    if p95 is not None and (p95 >= thresholds.auth_p95_s or not why):
        yield at_most("auth_p95", p95, thresholds.auth_p95_s, " s", detail=f"{calls} calls")
    elif why:
        yield no_data("auth_p95", why)
    else:
        yield no_data("auth_p95", f"not enough data: {calls} calls of {MIN_AUTH_CALLS}", blind=False)


class DatabaseRules:
    """What the database says, look after look."""

    def __init__(self) -> None:
        self._updates: defaultdict[str, Updates] = defaultdict(Updates)
        self._transactions = Transactions()

    def readings(self, figures: Figures, thresholds: Thresholds, now: float) -> Iterator[Reading]:
        """Of a look that was answered.

        Args:
            figures: What it brought.
            thresholds: What is an alarm.
            now: Seconds since 1970.
        """
        yield at_most("database", 0, TRIES, " failed tries")
        yield from self._activity(figures, thresholds, now)
        yield from _dead_tuples(figures, thresholds)
        yield from self._hot_updates(figures, thresholds, now)
        yield from _jobs(figures)

    def _activity(self, figures: Figures, thresholds: Thresholds, now: float) -> Iterator[Reading]:
        self._transactions.add(figures.next_xid, now, thresholds.xmin_age_s * 1.1)
        if figures.connections is None or figures.connection_limit is None or figures.lock_waiters is None:
            for rule in ("connections", "xmin_age", "lock_waiters"):
                yield no_data(rule, f'grant pg_monitor to "{figures.role}"')
            return
        limit = max(figures.connection_limit, 1)
        said = f"{figures.connections} of {limit}"
        yield at_most("connections", figures.connections / limit, thresholds.connections_ratio, "", detail=said)
        yield from self._xmin_age(figures, thresholds, now)
        yield at_most("lock_waiters", figures.lock_waiters, thresholds.lock_waiters, " backends")

    def _xmin_age(self, figures: Figures, thresholds: Thresholds, now: float) -> Iterator[Reading]:
        oldest, who = 0.0, ""
        for holder in figures.holders or []:
            age_s = holder.age_s
            if age_s is None:
                age_s = self._transactions.age_s(holder.age_xids, figures.next_xid, now)
            if age_s is None:
                said = f"{holder.age_xids} transactions old; in seconds not known before it is watched for a while"
                yield no_data("xmin_age", said, subject=holder.what, blind=False)
            elif age_s >= oldest:
                oldest, who = age_s, f"{redact(holder.what)}, {holder.age_xids} transactions"
        yield at_most("xmin_age", oldest, thresholds.xmin_age_s, " s", detail=who)

    def _hot_updates(self, figures: Figures, thresholds: Thresholds, now: float) -> Iterator[Reading]:
        for name in HOT_TABLES:
            table = named(figures.tables, name)
            if table is None:
                yield no_data("hot_updates", "the table is not there", subject=name)
                continue
            self._updates[name].add(table, now, thresholds.whole_window_s)
            updates, ratio = self._updates[name].difference()
            if ratio is None:
                said = f"not enough data: {updates} updates in the window, more than {MIN_UPDATES} are needed"
                yield no_data("hot_updates", said, subject=name, blind=False)
            else:
                least = thresholds.hot_ratio_min
                yield Reading("hot_updates", name, ratio, least, "", ratio < least, f"{updates} updates in the window")


def unreachable_readings(failures: int, problem: str) -> Iterator[Reading]:
    """Of a look that was not answered.

    Args:
        failures: Tries in a row that failed.
        problem: Why the last one did.
    """
    if failures >= TRIES:
        yield at_most("database", failures, TRIES, " failed tries", detail=f"database unreachable: {problem}")
    else:
        yield no_data("database", problem)
    for rule in _DATABASE_FIGURES:
        yield no_data(rule, "the database does not answer")


def _dead_tuples(figures: Figures, thresholds: Thresholds) -> Iterator[Reading]:
    """One for each large table, and the worst for the rule."""
    if not figures.tables:
        yield no_data("dead_tuples", "there are no tables in the schema eventlive")
        return
    large = [table for table in figures.tables if table.live + table.dead > MIN_ROWS]
    if not large:
        yield Reading("dead_tuples", "", 0, thresholds.dead_tuple_ratio, "", False, f"no table beyond {MIN_ROWS} rows")
    for table in large:
        share = table.dead / (table.live + table.dead)
        said = f"{table.dead} of {table.live + table.dead} rows"
        yield at_most("dead_tuples", share, thresholds.dead_tuple_ratio, "", subject=table.name, detail=said)


def _jobs(figures: Figures) -> Iterator[Reading]:
    """One for each job."""
    if figures.jobs is None:
        yield no_data("jobs", f'eventlive.job_health() is missing, or "{figures.role}" may not call it')
        return
    if not figures.jobs:
        yield no_data("jobs", "there are none in eventlive.jobs")
    yield from map(_job, figures.jobs)


def _job(job: Job) -> Reading:
    said = job.state + (f": {redact(job.detail)}" if job.detail else "")
    return Reading("jobs", job.name, float(job.state in _BAD_JOBS), None, "", job.state in _BAD_JOBS, said)
