"""${message}."""

# Write the SQL beside this file: the same name, ending in .up.sql and .down.sql. Both set lock_timeout first, take the
# owner's role where they need it, and end with `reset role` and the notification, like the migrations before it.

from eventlive_db.migrate.frozen import run_frozen

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    run_frozen(__file__, "up")


def downgrade() -> None:
    run_frozen(__file__, "down")
