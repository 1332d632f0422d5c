"""Where the SQL of this package lies: inside the installed wheel, or in the checkout it is developed in."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    for candidate in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    msg = f"the folder {name}/ of eventlive-db is missing from this installation; install the package again"
    raise FileNotFoundError(msg)


def sql_dir() -> Path:
    """The declared schema: one object per file, in folders that sort in the order they are built."""
    return _folder("sql")


def migrations_dir() -> Path:
    """The alembic script location: ``env.py`` and ``versions/`` with the frozen up and down SQL."""
    return _folder("migrations")
