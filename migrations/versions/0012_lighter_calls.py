"""What is called by a timer costs less: identity and durability without a search_path each, batches by place."""

from eventlive_db.migrate.frozen import run_frozen

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_frozen(__file__, "up")


def downgrade() -> None:
    run_frozen(__file__, "down")
