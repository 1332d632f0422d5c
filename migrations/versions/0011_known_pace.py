"""Clients know how often to poll before they have to; polling that is switched off is 429."""

from eventlive_db.migrate.frozen import run_frozen

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_frozen(__file__, "up")


def downgrade() -> None:
    run_frozen(__file__, "down")
