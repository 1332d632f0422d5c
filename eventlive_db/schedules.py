"""Which schedules of jobs can be read: the rule of whoever runs jobs, and of whoever says that they are well."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from eventlive_db.errors import AdvisedError

INTERVAL = re.compile(r"([1-9]\d{0,4}) seconds?")
"""A schedule that is no expression of cron; its group is how many seconds."""

ADVICE = "Write five fields of cron in UTC, such as '*/5 * * * *', or '10 seconds'"
"""What to do about a schedule that cannot be read."""

# Of what cronsim reads, pg_cron does not: the last day of a month, and the second Monday.
_NOT_EVERYWHERE = re.compile(r"#|(?<!JU)L")
# Steps from a single number: up to the end for cronsim, an error or that number alone for others.
_STEPS_FROM_ONE = re.compile(r"(?<![-\w*])(\w+)(?:-\1)?/")


def schedule_problem(text: str) -> str:
    """Why a schedule cannot be read, in a sentence; empty where it can.

    It is five fields of cron, in UTC, or ``10 seconds``, and means the same to every runner, pg_cron included.

    Raises:
        AdvisedError: cronsim is not installed.
    """
    problem = _problem(text.strip())
    return f"the schedule {text.strip()[:60]!r} cannot be read: {problem}" if problem else ""


def _problem(text: str) -> str:
    if INTERVAL.fullmatch(text):
        return ""
    if len(text.split()) != 5:
        return "five fields are needed"
    if _NOT_EVERYWHERE.search(text.upper()):
        return "L and # are no part of it"
    if _STEPS_FROM_ONE.search(text):
        return "steps need a range, such as 5-59/15"
    try:
        import cronsim  # an extra
    except ModuleNotFoundError:
        raise AdvisedError(
            "cronsim is not installed", "Run: pip install 'eventlive-db[cli]'", token="missing_extra"
        ) from None
    try:
        times = cronsim.CronSim(text, datetime(2000, 1, 1, tzinfo=UTC))
    except cronsim.CronSimError as error:
        return str(error)[:1].lower() + str(error)[1:]
    return "" if next(times, None) is not None else "there is no such day"
