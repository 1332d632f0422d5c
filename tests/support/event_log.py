"""The visit log as the rotation finds it: events of long ago, of now and to come, each with a name of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg

from tests.support.database import EventliveDatabase
from tests.support.faults import break_function
from tests.support.races import GATE

JOB = "rotate_event_logs"
CALL = b"call eventlive.run_job('rotate_event_logs')"
STEPS = ("discard", "swap", "check", "attach", "add", "detach", "drop")

WEBINAR = UUID(int=1)

INSERT = (
    b"insert into eventlive.event_access_logs (webinar_id, occurred_at, event, detail)"
    b" select %s, clock_timestamp() + %s::interval, 'left', jsonb_build_object('name', n)"
    b"   from unnest(%s::text[]) n"
)


def write(connection: psycopg.Connection[Any], when: str, *names: str) -> None:
    """Put events into the log.

    Args:
        connection: Of somebody who may.
        when: Interval from now, such as ``-3 days``.
        names: One for each event.
    """
    connection.execute(INSERT, [WEBINAR, when, list(names)])


class EventLog:
    """The log of one database, and the job that looks after it."""

    def __init__(self, db: EventliveDatabase) -> None:
        self.db = db
        self.today = db.value("select current_date")

    def write(self, when: str, *names: str) -> None:
        """Put events into the log, as the superuser."""
        write(self.db.admin, when, *names)

    def names(self) -> list[str]:
        """The events in the log, sorted; one that is there twice is listed twice."""
        rows = self.db.rows("select detail ->> 'name' from eventlive.event_access_logs where webinar_id = %s", WEBINAR)
        return sorted(name for (name,) in rows)

    def caught(self) -> list[str]:
        """Those of them that are in the default partition."""
        rows = self.db.rows(
            "select detail ->> 'name' from eventlive.event_access_logs where tableoid = eventlive.event_log_default()"
        )
        return sorted(name for (name,) in rows)

    def partitions(self) -> list[str]:
        """Names of the partitions but the default one, from the oldest on."""
        return [name for (name,) in self.db.rows("select name from eventlive.event_log_partitions()")]

    def bounds(self) -> list[tuple[str, int, int]]:
        """The partitions: name, and from and until how many days from today; 99999 stands for ever."""
        return self.db.rows(
            "select name, case when isfinite(lower_bound) then lower_bound::date - %s::date else -99999 end,"
            "       case when isfinite(upper_bound) then upper_bound::date - %s::date else 99999 end"
            "  from eventlive.event_log_partitions()",
            self.today,
            self.today,
        )

    def covered(self) -> bool:
        """Whether partitions hold all times from the first one's beginning until as far ahead as is set."""
        [(gap,)] = self.db.rows(
            "select min(lower_bound) >= now() + eventlive.setting_number('event_log_ahead_days')::int * interval '24 h'"
            "  from eventlive.event_log_gaps()"
        )
        return gap is not False

    def is_ahead(self) -> bool:
        """Whether partitions hold all times from now until as far ahead as is set."""
        return not self.db.rows(
            "select from eventlive.event_log_gaps() where upper_bound > now() and lower_bound < now()"
            " + eventlive.setting_number('event_log_ahead_days')::int * interval '24 h'"
        )

    def tables(self) -> list[str]:
        """All tables of the log, partitions or aside."""
        return [
            name
            for (name,) in self.db.rows(
                "select relname::text from pg_class"
                " where relnamespace = 'eventlive'::regnamespace and relkind in ('r', 'p')"
                "   and relname ~ '^event_access_logs|_expired$' order by 1"
            )
        ]

    def beside(self) -> list[tuple[Any, ...]]:
        """What else has a name of the log or of an archive, and is no part of it: kind, name and contents."""
        found = self.db.rows(
            "select c.relkind::text, c.oid::regclass::text from pg_class c"
            " where c.relnamespace in (select oid from pg_namespace where nspname in ('eventlive', 'attic'))"
            "   and c.relname ~ '^(event_access_logs_|archive|other)' and not c.relispartition and c.relkind <> 'S'"
        )
        types = self.db.rows(
            "select 't', oid::regtype::text from pg_type where typname ~ '^event_acc' and typtype = 'e'"
        )
        contents = "select array_agg(t::text order by t::text) from {} t"
        return (
            sorted((*row, self.db.value(contents.format(row[1])) if row[0] in "rpv" else None) for row in found) + types
        )

    def detach(self, name: str) -> None:
        """Take a partition out, as the owner does."""
        self.as_owner(f'alter table eventlive.event_access_logs detach partition eventlive."{name}"')

    def partition_of(self, event: str) -> str:
        """The name of the partition in which an event is."""
        return str(
            self.db.value(
                "select c.relname from eventlive.event_access_logs l join pg_class c on c.oid = l.tableoid"
                " where l.detail ->> 'name' = %s",
                event,
            )
        )

    def set(self, **settings: float) -> None:
        """Change settings."""
        for key, value in settings.items():
            self.db.admin.execute("select eventlive.set_setting(%s, to_jsonb(%s::numeric))", [key, value])

    def partition(self, lower: str | None, upper: str, *names: str) -> None:
        """Have a partition from and until so long from now, with events in its middle, as an earlier run made it."""
        self.as_owner(
            "select eventlive.add_event_log_partition("
            " case when %s::text is null then '-infinity' else date_trunc('hour', now()) + %s::interval end,"
            " date_trunc('hour', now()) + %s::interval)",
            lower,
            lower,
            upper,
        )
        if names:
            [(middle,)] = self.db.rows(
                "select ((coalesce(%s, %s || ' -9 years')::interval + %s::interval) / 2)::text", lower, upper, upper
            )
            self.write(middle, *names)

    def as_owner(self, statement: str, *parameters: object) -> None:
        """Run a statement as the owner of the schema."""
        with self.db.admin.transaction():
            self.db.admin.execute("set local role eventlive_owner")
            self.db.admin.execute(statement.encode(), parameters)

    def work(self) -> list[str]:
        """The steps that a run would make now."""
        return [step for (step,) in self.db.rows("select step from eventlive.job_work(%s)", JOB)]

    def rotate(self, connection: psycopg.Connection[Any] | None = None) -> dict[str, Any]:
        """Run the job to its end, and return its outcome."""
        row = (connection or self.db.admin).execute(CALL).fetchone()
        assert row
        outcome: dict[str, Any] = row[0]
        return outcome

    @contextmanager
    def step(self, step: str, amount: int = 1000) -> Iterator[psycopg.Connection[Any]]:
        """Do a step as the job does, in a transaction that is open during the block and commits at its end."""
        connection = self.db.connect()
        with connection.transaction():
            connection.execute("select eventlive.begin_batch()")
            connection.execute("select eventlive.job_step(%s, null, null, %s, %s)", [JOB, step, amount])
            yield connection
        connection.close()

    def do(self, *steps: str) -> None:
        """Do steps, each in a transaction of its own."""
        for step in steps:
            with self.step(step):
                pass

    def pause(self, verb: str, where: str) -> None:
        """Have each step of a kind stop at its ``beginning`` or its ``end`` for as long as the gate is closed."""
        stop = f"if v_verb = '{verb}' then perform pg_advisory_lock_shared({GATE});"
        stop += f" perform pg_advisory_unlock_shared({GATE}); end if;"
        old, new = {
            "beginning": ("\nbegin\n    case v_verb", f"\nbegin\n    {stop}\n    case v_verb"),
            "end": ("    return v_rows;", f"    {stop}\n    return v_rows;"),
        }[where]
        break_function(self.db, "rotate_event_logs_step", old, new)


def neglect(log: EventLog) -> tuple[list[str], list[str]]:
    """Have a log in which there is something to do for each step.

    Returns:
        The names of the events that a run has to keep, and of those that it has to drop; all are in the log.
    """
    log.partition("-800 days", "-500 days", "expired 1", "expired 2")
    log.partition("-500 days", "-200 days", "kept 1", "kept 2")
    log.write("-900 days", "stray 1", "stray 2", "stray 3")
    log.write("-100 days", "caught 1", "caught 2")
    log.write("0 s", "caught 3")
    keep = ["kept 1", "kept 2", "caught 1", "caught 2", "caught 3"]
    return sorted(keep), ["expired 1", "expired 2", "stray 1", "stray 2", "stray 3"]


def verbs(steps: Iterable[str]) -> list[str]:
    """What kinds of steps there are, each once, in order."""
    return list(dict.fromkeys(step.split()[0] for step in steps))
