"""Alembic's entry. All it does stands in ``eventlive_db.migrate.environment``."""

from eventlive_db.migrate.environment import run

run()
