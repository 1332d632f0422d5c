"""What every file in ``migrations/versions`` calls. Keep it stable: released migrations rely on it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from alembic import op

from eventlive_db.migrate.environment import NAMES_KEY
from eventlive_db.migrate.errors import MigrateError
from eventlive_db.migrate.execute import execute_script
from eventlive_db.migrate.render import Names, render
from eventlive_db.migrate.trust import check_own_tables


def run_frozen(module_file: str, direction: Literal["up", "down"]) -> None:
    """Run, or in offline mode write out, the SQL that lies beside a migration.

    Args:
        module_file: ``__file__`` of the migration ``NNNN_slug.py``.
        direction: ``up`` runs ``NNNN_slug.up.sql``, ``down`` runs ``NNNN_slug.down.sql``.

    Raises:
        MigrateError: The file is missing, or the schema holds what this package has not made.
        StatementError: A statement failed; alembic rolls the step back.
    """
    path = Path(module_file).with_suffix(f".{direction}.sql")
    if not path.is_file():
        msg = f"{path.name} is missing beside {Path(module_file).name}; write it, or install the package again"
        raise MigrateError(msg)
    context = op.get_context()
    assert context.config is not None  # noqa: S101  # env.py always has one
    names: Names = context.config.attributes[NAMES_KEY]
    script = render(path.read_text(encoding="utf-8"), names)
    if context.as_sql:
        context.impl.static_output(script.strip())
        return
    connection = op.get_bind().connection.driver_connection
    assert connection is not None  # noqa: S101  # it is open
    check_own_tables(connection, "step forward" if direction == "up" else "step back")
    execute_script(connection, script, path.name)
