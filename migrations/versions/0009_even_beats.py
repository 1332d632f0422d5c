"""Heartbeats stay spread; a host does not wait for ever; webinars can be deleted."""

from eventlive_db.migrate.frozen import run_frozen

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_frozen(__file__, "up")


def downgrade() -> None:
    run_frozen(__file__, "down")
