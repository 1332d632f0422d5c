"""Ending a session and finding the hosts no longer read the whole webinar."""

from eventlive_db.migrate.frozen import run_frozen

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_frozen(__file__, "up")


def downgrade() -> None:
    run_frozen(__file__, "down")
