"""Writes the first migrations from ``sql/``, until they are released: ``python -m eventlive_db.migrate.freeze``.

For work on this package, in a checkout. ``--final`` marks the files as released; from then on this program refuses,
and a change is a new migration, written by hand.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from eventlive_db.migrate.errors import MigrateError
from eventlive_db.migrate.undo import undo_statements
from eventlive_db.resources import migrations_dir, sql_dir

_DRAFT = "-- Draft, written from sql/ by `python -m eventlive_db.migrate.freeze`; do not change it by hand."
_FINAL = "-- Released: never change this file. A change of the schema is a new migration."
_LIMITS = "set local lock_timeout = '5s';\nset local search_path = pg_catalog, pg_temp;"
_AS_OWNER = "set local role eventlive_owner;"
_RESET = "reset role;"
_NOTIFY = "notify pgrst, 'reload schema';"


@dataclass(frozen=True, slots=True)
class Part:
    """One of the first migrations.

    Attributes:
        revision: Its number.
        slug: The rest of its file name.
        folder: The folder of ``sql/`` that it holds.
        title: What it is about.
        makes_owner: Whether it makes the owner role, and so cannot begin as the owner.
    """

    revision: str
    slug: str
    folder: str
    title: str
    makes_owner: bool = False

    @property
    def stem(self) -> str:
        """File name without its ending."""
        return f"{self.revision}_{self.slug}"


PARTS = (
    Part("0001", "roles_and_schemas", "00_roles", "Roles, schemas, and who is calling", makes_owner=True),
    Part("0002", "tables", "10_tables", "Tables with their indexes and policies"),
    Part("0003", "core_functions", "20_core", "Private functions and triggers"),
    Part("0004", "rpc_functions", "30_rpc", "Functions that clients call"),
    Part("0005", "views", "40_views", "Views that clients read"),
    Part("0006", "jobs", "50_jobs", "Retention, rollup and health"),
)

_MODULE = '''"""{title}."""

from eventlive_db.migrate.frozen import run_frozen

revision = "{revision}"
down_revision = {down_revision}
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_frozen(__file__, "up")


def downgrade() -> None:
    run_frozen(__file__, "down")
'''


def freeze(sql: Path, migrations: Path, *, final: bool = False) -> list[Path]:
    """Write the migrations, replacing the drafts of an earlier run.

    Args:
        sql: The declared schema.
        migrations: Holds ``parts/``, what is written by hand around the generated text, and ``versions/``.
        final: Mark them as released.

    Returns:
        The files written.

    Raises:
        MigrateError: They are released already, or a statement cannot be undone without being told how.
    """
    versions = migrations / "versions"
    for path in sorted(versions.glob("*.sql")):
        if path.read_text(encoding="utf-8").startswith(_FINAL):
            msg = f"{path.name} is released; write a new migration instead: alembic revision -m ..."
            raise MigrateError(msg)
    folders = {path.name for path in sql.iterdir() if any(path.glob("*.sql"))}
    if unknown := folders - {part.folder for part in PARTS}:
        msg = f"no migration takes sql/{', sql/'.join(sorted(unknown))}; add it to PARTS in freeze.py"
        raise MigrateError(msg)

    texts: dict[Path, str] = {}
    previous: str | None = None
    for part in PARTS:
        if part.folder in folders:
            before = _FINAL if final else _DRAFT
            up, down = _both_ways(part, sql, migrations / "parts")
            texts[versions / f"{part.stem}.up.sql"] = f"{before}\n\n{up}"
            texts[versions / f"{part.stem}.down.sql"] = f"{before}\n\n{down}"
            texts[versions / f"{part.stem}.py"] = _MODULE.format(
                title=part.title,
                revision=part.revision,
                down_revision=f'"{previous}"' if previous else None,
            )
            previous = part.revision

    for part in PARTS:
        for path in versions.glob(f"{part.revision}_*"):
            path.unlink()
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    return list(texts)


def _both_ways(part: Part, sql: Path, parts: Path) -> tuple[str, str]:
    files = sorted((sql / part.folder).glob("*.sql"))
    declared = [f"-- sql/{part.folder}/{path.name}\n\n{path.read_text(encoding='utf-8').strip()}" for path in files]
    undo = undo_statements([path.read_text(encoding="utf-8") for path in files], prepares=part.makes_owner)
    up = [
        _LIMITS,
        _by_hand(parts, part, "before.up"),
        "" if part.makes_owner else _AS_OWNER,
        *declared,
        _RESET,
        _by_hand(parts, part, "after.up"),
        _NOTIFY,
    ]
    down = [
        _LIMITS,
        _AS_OWNER,
        _by_hand(parts, part, "before.down"),
        "\n".join(undo),
        _RESET,
        _by_hand(parts, part, "after.down"),
        _NOTIFY,
    ]
    return "\n\n".join(filter(None, up)) + "\n", "\n\n".join(filter(None, down)) + "\n"


def _by_hand(parts: Path, part: Part, where: str) -> str:
    path = parts / f"{part.revision}_{where}.sql"
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def main() -> int:
    """The command line. Exit status: 0, or 1 when it refused."""
    parser = argparse.ArgumentParser(prog="python -m eventlive_db.migrate.freeze", description=__doc__)
    parser.add_argument("--final", action="store_true", help="mark the migrations as released")
    arguments = parser.parse_args()
    try:
        written = freeze(sql_dir(), migrations_dir(), final=arguments.final)
    except MigrateError as error:
        sys.stderr.write(f"freeze: {error}\n")
        return 1
    sys.stdout.writelines(f"{path.name}\n" for path in written)
    return 0


if __name__ == "__main__":
    sys.exit(main())
