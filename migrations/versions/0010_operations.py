"""Rollups, retention and alarms: jobs, their runner and their health; statistics for dashboards."""

from eventlive_db.migrate.frozen import run_frozen

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_frozen(__file__, "up")


def downgrade() -> None:
    run_frozen(__file__, "down")
