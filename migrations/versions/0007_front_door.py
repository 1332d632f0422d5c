"""Through PostgREST: tokens are looked at before a request, refusals are alike, Retry-After is sent."""

from eventlive_db.migrate.frozen import run_frozen

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_frozen(__file__, "up")


def downgrade() -> None:
    run_frozen(__file__, "down")
