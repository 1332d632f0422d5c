"""A PostgREST on loopback, which ends when this process does. It is not part of the package: npm and others have it."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from eventlive_db.server.errors import NoPostgRESTError, ServerStartError
from eventlive_db.server.launcher import PORT_ATTEMPTS, free_port
from eventlive_db.server.process import Child
from eventlive_db.server.rundir import run_directory

START_TIMEOUT_S = 60.0
VARIABLE = "EVENTLIVE_POSTGREST"
"""Names the program, where it is not on PATH."""

CLIENT_ROLES = ("anon", "authenticated", "service_role")
_STATEMENT_TIMEOUTS = {"anon": "3s", "authenticated": "5s", "service_role": "30s"}
_EXEC = Path(__file__).with_name("_exec_killed.py")
_TAKEN = ("Address already in use", "resource busy")

Setting = str | int | bool | None


@dataclass(frozen=True, slots=True)
class PostgREST:
    """A PostgREST that runs.

    Attributes:
        url: Where it answers.
        admin_url: Where it says whether it is ready.
        pid: Its process.
        child: The process with its log.
    """

    url: str
    admin_url: str
    pid: int
    child: Child = field(repr=False)

    def is_ready(self) -> bool:
        """Whether it holds a connection and knows the schema."""
        with closing(HTTPConnection(self.admin_url.removeprefix("http://"), timeout=10)) as connection:
            try:
                connection.request("GET", "/ready")
                return connection.getresponse().status == 200
            except (OSError, HTTPException):
                return False


def find_postgrest(program: Path | None = None) -> Path:
    """PostgREST on this machine: the one given, that of ``EVENTLIVE_POSTGREST``, or the one on PATH.

    Raises:
        NoPostgRESTError: There is none.
    """
    named = program or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is not None:
        if os.access(named, os.X_OK) and not named.is_dir():
            return named.resolve()
        msg = f"there is no program {named}; put a postgrest 12 there, or on PATH"
        raise NoPostgRESTError(msg)
    if on_path := shutil.which("postgrest"):
        return Path(on_path)
    msg = f"PostgREST was not found; put a postgrest 12 on PATH, or its path into {VARIABLE}"
    raise NoPostgRESTError(msg)


def version_of(program: Path) -> str:
    """What it says that it is, such as ``PostgREST 12.0.2``."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=20)
    return said.stdout.strip() or "PostgREST"


def make_authenticator(admin_dsn: str) -> tuple[str, str]:
    """Make a role for PostgREST to log in as, with the limits of the document; its name and password.

    Args:
        admin_dsn: A server of one's own, as the superuser: the limits are the roles', in every database.
    """
    name, password = f"authenticator_{secrets.token_hex(6)}", secrets.token_hex(16)
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute(
            sql.SQL("create role {} login noinherit password {}").format(sql.Identifier(name), sql.Literal(password))
        )
        for role in CLIENT_ROLES:
            admin.execute(sql.SQL("grant {} to {}").format(sql.Identifier(role), sql.Identifier(name)))
            admin.execute(
                sql.SQL("alter role {} set statement_timeout = {}").format(
                    sql.Identifier(role), sql.Literal(_STATEMENT_TIMEOUTS[role])
                )
            )
    return name, password


def config_for(dsn: str, secret: str, api_schema: str = "eventlive_api", **changes: Setting) -> str:
    """A config file, as docs/postgrest.md has it.

    Args:
        dsn: The database, as the authenticator.
        secret: Signs the tokens, with HS256; 32 characters or more.
        api_schema: The exposed schema.
        changes: Other values, by their names with ``_`` for ``-``.
    """
    settings: dict[str, Setting] = {
        "db-uri": _uri(dsn),
        "db-schemas": api_schema,
        "db-extra-search-path": api_schema,
        "db-anon-role": "anon",
        "db-pre-request": f"{api_schema}.pre_request",
        "db-max-rows": 1000,
        "db-pool": 10,
        "db-pool-acquisition-timeout": 10,
        "db-tx-end": "commit",
        "db-config": True,
        "jwt-secret": secret,
        "server-host": "127.0.0.1",
        "server-port": 3000,
        "admin-server-port": 3001,
    }
    settings |= {name.replace("_", "-"): value for name, value in changes.items()}
    return "".join(f"{name} = {_written(value)}\n" for name, value in settings.items() if value is not None)


def _uri(dsn: str) -> str:
    """A connection string as a URI, with all that it names (Postgres manual, "Connection URIs")."""
    given = {name: quote(str(value), safe="") for name, value in conninfo_to_dict(dsn).items()}

    def taken(*names: str) -> str:
        return ":".join(given.pop(name) for name in names if name in given)

    who = taken("user", "password") if "user" in given else ""
    # Neither a socket's directory nor several hosts: those stand behind the question mark.
    where = taken("host", "port") if re.fullmatch(r"[\w.-]+", given.get("host", "")) else ""
    uri = f"postgresql://{who}@{where}/{taken('dbname')}"
    return f"{uri}?{'&'.join(f'{name}={value}' for name, value in given.items())}" if given else uri


def with_settings(config: str, changes: Mapping[str, Setting]) -> str:
    """A config file with other values; None takes the line out.

    Raises:
        KeyError: The file has no such line.
    """
    for name, value in changes.items():
        line = rf"(?m)^{re.escape(name)} = .*\n"
        if not re.search(line, config):
            raise KeyError(name)
        written = "" if value is None else f"{name} = {_written(value)}\n".replace("\\", r"\\")
        config = re.sub(line, written, config)
    return config


def _written(value: Setting) -> str:
    return str(value).lower() if isinstance(value, bool | int) else f'"{value}"'


@contextmanager
def running_postgrest(config: str, program: Path | None = None) -> Iterator[PostgREST]:
    """Run PostgREST for as long as the context lasts, on free ports.

    Args:
        config: Its config file, with the lines ``server-port`` and ``admin-server-port``.
        program: It; default: as :func:`find_postgrest` finds it.

    Raises:
        NoPostgRESTError: It is not on this machine.
        ServerStartError: It did not start; the end of its log is in the message.
    """
    found = find_postgrest(program)
    with run_directory() as run:
        file = run.path / "postgrest.conf"
        for attempt in range(PORT_ATTEMPTS):
            port, admin_port = free_port(), free_port()
            file.touch(mode=0o600)
            file.write_text(with_settings(config, {"server-port": port, "admin-server-port": admin_port}))
            command = [sys.executable, "-I", "-S", str(_EXEC), str(found), str(file)]
            child = Child(command, run=run, account=None, log=run.path / "postgrest.log")
            server = PostgREST(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin_port}", child.pid, child)
            try:
                if _wait_until_ready(server) or attempt + 1 == PORT_ATTEMPTS:
                    yield server
                    return
            finally:
                child.stop()


def _wait_until_ready(server: PostgREST) -> bool:
    """Wait until it is ready; False where a port was taken meanwhile."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not server.is_ready():
        if server.child.wait(0.02):
            if any(sign in server.child.log_tail() for sign in _TAKEN):
                return False
            msg = f"PostgREST ended with exit status {server.child.returncode} while it was starting"
            raise ServerStartError(msg, server.child.log_tail())
        if time.monotonic() > deadline:
            msg = f"PostgREST was not ready within {START_TIMEOUT_S:.0f} s"
            raise ServerStartError(msg, server.child.log_tail())
    return True
