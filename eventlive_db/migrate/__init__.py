"""Apply, take back, write out and compare the migrations of the schema.

    >>> upgrade(Options(dsn="dbname=webinars"))
    >>> downgrade(Options(dsn="dbname=webinars", discard_data=True), "base")

Needs the extra ``migrate``.
"""

from __future__ import annotations

from eventlive_db.migrate.build import build_declared
from eventlive_db.migrate.catalog import Catalog, read_catalog
from eventlive_db.migrate.drift import Change, Difference, compare, find_drift
from eventlive_db.migrate.errors import MigrateError, NameRefusedError, StatementError
from eventlive_db.migrate.options import Options, Step
from eventlive_db.migrate.render import Names, render
from eventlive_db.migrate.runner import Status, downgrade, revisions, script, status, upgrade
from eventlive_db.migrate.scratch import scratch_database

__all__ = [
    "Catalog",
    "Change",
    "Difference",
    "MigrateError",
    "NameRefusedError",
    "Names",
    "Options",
    "StatementError",
    "Status",
    "Step",
    "build_declared",
    "compare",
    "downgrade",
    "find_drift",
    "read_catalog",
    "render",
    "revisions",
    "scratch_database",
    "script",
    "status",
    "upgrade",
]
