"""What came of the runs that pg_cron began, and of those that it could not begin: an entry alone runs nothing.

Unless ``cron.use_background_workers`` is on, pg_cron is a client like others: it connects to ``cron.host`` as the role
of the entry, and pg_hba.conf has to let it in. Where that does not, it records ``connection failed``, without a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from eventlive_db.jobs.pg_cron import Entry, setting
from eventlive_db.jobs.session import read

REFUSED = "connection failed"
"""What pg_cron says where it was not let in, and no more than that."""

_LAST_RUNS = """
select e.id, d.status = 'failed', coalesce(d.return_message, ''), coalesce(d.start_time, d.end_time)
  from unnest(%s::bigint[]) as e (id)
 cross join lateral (
        select r.status, r.return_message, r.start_time, r.end_time
          from cron.job_run_details r
         where r.jobid = e.id and r.status in ('succeeded', 'failed')
         order by r.runid desc
         limit 1
       ) d
"""


@dataclass(frozen=True, slots=True)
class CronRun:
    """The last run of an entry that has ended.

    Attributes:
        entry: The entry.
        failed: Whether it failed.
        message: What pg_cron says of it.
        at: When it began; none where it could not begin.
    """

    entry: Entry
    failed: bool
    message: str
    at: datetime | None

    def failed_after(self, success: datetime | None) -> bool:
        """Whether it failed, and no success is known to be newer."""
        return self.failed and (self.at is None or success is None or self.at > success)

    @property
    def why(self) -> str:
        """Its message, and what to do where that says too little."""
        text = " ".join(self.message.split()) or "failed"
        return f"{text}: {remedy([self.entry])}" if self.message == REFUSED else text


def last_runs(connection: psycopg.Connection[Any], entries: Sequence[Entry]) -> list[CronRun]:
    """The last run of each entry, as far as this role sees them; none of an entry that has not run yet."""
    by_id = {entry.id: entry for entry in entries}
    return [CronRun(by_id[row[0]], *row[1:]) for row in read(connection, _LAST_RUNS, list(by_id))]


def remedy(entries: Sequence[Entry]) -> str:
    """How pg_cron is let in."""
    places = sorted({f"{entry.host} port {entry.port} as {entry.role}" for entry in entries})
    return (
        f"pg_cron connects to {', '.join(places)}, with no password but that of a .pgpass of the server's own account;"
        " let it in there in pg_hba.conf, write that file, or set cron.use_background_workers = on and restart"
    )


def doubt(connection: psycopg.Connection[Any], entries: Sequence[Entry]) -> str:
    """Why pg_cron may be unable to begin the runs of these entries; empty where nothing speaks for it.

    Args:
        connection: To the database in which pg_cron is.
        entries: Those of one role.
    """
    workers = setting(connection, "use_background_workers")
    if workers == "on" or not entries:
        return ""
    runs = last_runs(connection, entries)
    if any(run.failed and run.message == REFUSED for run in runs):
        return f"the last run that pg_cron tried was '{REFUSED}': {remedy(entries)}"
    if any(not run.failed for run in runs):
        return ""
    known = "" if workers else "unless cron.use_background_workers is on, which this role may not see, "
    return known + remedy(entries)
