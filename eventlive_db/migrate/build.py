"""Builds the declared schema, that is ``sql/``, in an empty database.

It is what a migrated database is compared with. Databases that are to live get the migrations instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from eventlive_db.migrate.execute import execute_script, execute_scripts
from eventlive_db.migrate.render import Names, render
from eventlive_db.resources import sql_dir

# As the migrations have it: what is meant never depends on the session's search_path.
_BEFORE = "set local search_path = pg_catalog, pg_temp;"
_AFTER = "reset role;"


def declared_files(root: Path | None = None) -> Iterator[tuple[str, str]]:
    """The files of the declared schema in the order they are built, as ``(path below sql/, text)``.

    Args:
        root: The folder; default: the one of this installation.
    """
    root = root or sql_dir()
    for path in sorted(root.glob("*/*.sql")):
        yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")


def build_declared(connection: psycopg.Connection[Any], names: Names | None = None, root: Path | None = None) -> None:
    """Build the declared schema in one transaction, and commit it.

    Args:
        connection: To a database without the schema, as a role that may create it; no transaction is open.
        names: The names to build it with.
        root: The folder ``sql``; default: the one of this installation.

    Raises:
        StatementError: A statement failed; nothing was built.
    """
    names = names or Names()
    with connection.transaction():
        execute_script(connection, _BEFORE, "build")
        execute_scripts(connection, ((file, render(text, names)) for file, text in declared_files(root)))
        execute_script(connection, _AFTER, "build")
