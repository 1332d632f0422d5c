"""One PostgREST for each test process, set up by the snippets of the documents, before a database by the migrations."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from uuid import UUID

import httpx
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from eventlive_db.migrate import Options, upgrade
from eventlive_db.server import Server
from tests.support import http_parts
from tests.support.database import EventliveDatabase
from tests.support.http_door import TIMEOUT_S, Caller, Door
from tests.support.http_driver import Supabase, driving
from tests.support.http_python import PythonClient
from tests.support.http_server import SECRET, PostgREST, running, snippet, with_settings

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "postgrest.md"
OpenDoor = Callable[..., AbstractContextManager[Door]]
Changes = dict[str, str | int | bool | None]
CLIENT_ROLES = ("anon", "authenticated", "service_role")


def have(part: Callable[[], object]) -> None:
    """Skip, or fail where the HTTP tests were asked for, when a part is missing."""
    try:
        part()
    except http_parts.MissingPartError as missing:
        if http_parts.REQUIRED in os.environ:
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def migrated(pg_server: Server) -> Iterator[str]:
    """The name of a database that the migrations filled."""
    have(http_parts.postgrest)
    name = f"test_http_{secrets.token_hex(8)}"
    upgrade(Options(dsn=pg_server.create_database(name)))
    yield name
    pg_server.drop_database(name)


@pytest.fixture(scope="session")
def authenticator(pg_server: Server, migrated: str) -> Iterator[tuple[str, str]]:
    """Name and password of the role that PostgREST logs in as, made by the snippet of the document."""
    name, password = f"authenticator_{secrets.token_hex(6)}", secrets.token_hex(16)
    script = snippet(DOCUMENT, "sql").replace("authenticator", name).replace("change-me", password)
    with psycopg.connect(pg_server.dsn(migrated), autocommit=True) as admin:
        admin.execute(script.encode())
        yield name, password
        for role in CLIENT_ROLES:
            admin.execute(sql.SQL("alter role {} reset statement_timeout").format(sql.Identifier(role)))
        admin.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def configured(pg_server: Server, authenticator: tuple[str, str]) -> Callable[[str], str]:
    """The config file of the document, for a database of this server."""
    name, password = authenticator
    where = conninfo_to_dict(pg_server.tcp_dsn())
    host, port = where.get("host", "127.0.0.1"), where.get("port", "5432")

    def config(database: str) -> str:
        uri = f"postgresql://{name}:{password}@{host}:{port}/{database}"
        return with_settings(snippet(DOCUMENT, "ini"), {"db-uri": uri, "jwt-secret": SECRET})

    return config


@pytest.fixture(scope="session")
def postgrest(migrated: str, configured: Callable[[str], str]) -> Iterator[PostgREST]:
    """The PostgREST of this test process."""
    with running(configured(migrated)) as server:
        yield server


@pytest.fixture(scope="session")
def http(postgrest: PostgREST) -> Iterator[httpx.Client]:
    """A client that gives up on what hangs."""
    with httpx.Client(base_url=postgrest.url, timeout=TIMEOUT_S) as client:
        yield client


@pytest.fixture
def door(pg_server: Server, migrated: str, postgrest: PostgREST, http: httpx.Client) -> Iterator[Door]:
    """The front door; the settings are the defaults again after the test."""
    database = EventliveDatabase(pg_server.dsn(migrated))
    yield Door(database, postgrest, http)
    database.admin.execute("update eventlive.settings set value = default_value where value <> default_value")
    database.close()


@pytest.fixture
def another_door(make_database: Callable[..., str], configured: Callable[[str], str]) -> OpenDoor:
    """Open a door of its own for a test, to a database of its own: ``with another_door({"db-pre-request": None})``."""

    @contextmanager
    def opened(changes: Changes | None = None, prepare: Callable[[str], None] | None = None) -> Iterator[Door]:
        dsn: str = make_database()
        upgrade(Options(dsn=dsn))
        if prepare:
            prepare(dsn)
        config = with_settings(configured(str(conninfo_to_dict(dsn)["dbname"])), changes or {})
        with (
            closing(EventliveDatabase(dsn)) as database,
            running(config) as server,
            httpx.Client(base_url=server.url, timeout=TIMEOUT_S) as client,
        ):
            yield Door(database, server, client)

    return opened


@pytest.fixture(scope="session")
def supabase(postgrest: PostgREST) -> Iterator[Supabase]:
    """supabase-js under Node."""
    have(http_parts.node)
    have(http_parts.supabase_js)
    with driving(postgrest.url) as driver:
        yield driver


@pytest.fixture(scope="session")
def python_client(http: httpx.Client) -> PythonClient:
    """The Python client of PostgREST."""
    return PythonClient(http)


@pytest.fixture
def webinar(door: Door) -> UUID:
    """A webinar that is live and open to guests."""
    return door.db.webinar(access_policy="guest_allowed")


@pytest.fixture
def people(door: Door, webinar: UUID) -> dict[str, Caller]:
    """Everybody who matters to it."""
    return door.people(webinar)
