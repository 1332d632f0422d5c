"""Look inside one call on any database: what it runs, nested, and what each part costs."""

from __future__ import annotations

from eventlive_db.plans.case import Case
from eventlive_db.plans.measure import execute, measuring, prepare
from eventlive_db.plans.model import PlanMode, Run


def explain(dsn: str, case: Case, mode: PlanMode = "custom") -> Run:
    """Make a call, and roll it back.

    It is made ``case.warmups`` times before, and rolled back as well, so that what is shown is not the catalog being
    read. Sequence values that it takes are lost, as always, and what it does outside the database is done.

    Args:
        dsn: The database, as a superuser or a role that may load auto_explain and set its settings.
        case: The call and who makes it.
        mode: ``custom`` plans are made for the values of parameters, as in the first calls of a connection;
            ``generic`` ones know none.

    Raises:
        CaptureUnavailableError: auto_explain cannot be loaded.
        CallFailedError: The call failed.
        psycopg.Error: The database cannot be reached.
    """
    with measuring(dsn, mode) as (connection, recording):
        for _ in range(case.warmups):
            prepare(connection, case)
            execute(connection, recording, case)
        prepare(connection, case)
        return execute(connection, recording, case)
