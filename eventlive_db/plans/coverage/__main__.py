"""``python -m eventlive_db.plans.coverage``: the coverage that logs prove, for a database or for this package.

Exit status: 0 covered well enough, 1 not, 2 it could not be measured.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from eventlive_db.migrate.build import build_declared
from eventlive_db.plans.coverage import CoverageError, render, report
from eventlive_db.resources import sql_dir
from eventlive_db.server import TEST_SETTINGS, ServerError, open_server


@contextmanager
def declared_schema(kind: str | None = None) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a throwaway database that holds this package's declared schema.

    Args:
        kind: Where the Postgres comes from; default: the first there is.
    """
    name = f"coverage_{secrets.token_hex(8)}"
    with open_server(kind=kind, settings=TEST_SETTINGS) as server:
        try:
            with psycopg.connect(server.create_database(name), autocommit=True) as connection:
                build_declared(connection)
                yield connection
        finally:
            server.drop_database(name)


def sql_files(paths: Sequence[Path]) -> list[Path]:
    """The files given, and those named ``*.sql`` below the folders given, in the order of their names."""
    return [file for path in paths for file in (sorted(path.rglob("*.sql")) if path.is_dir() else [path])]


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m eventlive_db.plans.coverage",
        description="Which SQL statements of a database's functions ran, told from server logs.",
    )
    parser.add_argument("--log", type=Path, nargs="+", required=True, help="server logs of the test run")
    parser.add_argument("--source", type=Path, nargs="*", default=[], help="SQL files or folders with the functions")
    parser.add_argument("--dsn", help="database with the functions (default: a new one with this package's own)")
    parser.add_argument("--schema", action="append", help="judge this schema alone; may be repeated")
    parser.add_argument("--fail-under", type=float, default=0.0, metavar="PERCENT", help="exit with 1 below this")
    parser.add_argument("--all", action="store_true", help="list what is covered in full, and what is not judged")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--kind", help="where the Postgres for the new database comes from")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit status."""
    given = _arguments().parse_args(arguments)
    sources = sql_files(given.source or ([] if given.dsn else [sql_dir()]))
    database = psycopg.connect(given.dsn, autocommit=True) if given.dsn else declared_schema(given.kind)
    try:
        with database as connection:
            coverage = report(given.log, connection, schemas=given.schema, sources=sources)
    except (CoverageError, ServerError, OSError, psycopg.Error) as error:
        print(f"coverage: {error}", file=sys.stderr)
        return 2
    print(json.dumps(coverage.to_dict()) if given.json else render(coverage, all_functions=given.all))
    return 1 if coverage.percent < given.fail_under else 0


if __name__ == "__main__":
    sys.exit(main())
