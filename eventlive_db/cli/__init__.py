"""The command ``eventlive-db``. One module per command group; this one only starts them."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line, or say which extra is missing."""
    try:
        from eventlive_db.cli.app import app

        # A group is imported when one of its commands is called.
        app()
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] not in {"typer", "rich", "alembic", "sqlalchemy", "psycopg_pool"}:
            raise
        sys.stderr.write(f"eventlive-db: {exc.name} is not installed. Run: pip install 'eventlive-db[cli]'\n")
        raise SystemExit(2) from None
