"""What the commands of ``eventlive-db plans`` share: options, suites, errors, files."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import psycopg
import typer

from eventlive_db.plans.check import Options
from eventlive_db.plans.errors import PlansError, SuiteError
from eventlive_db.plans.session import Session
from eventlive_db.plans.suite import Suite, load_suite
from eventlive_db.plans.verdict import CaseReport
from eventlive_db.server import ServerError

BROKEN = 1
"""Exit status when a budget, guard or snapshot does not hold, a mutant survived or too little is covered."""

FAILED = 2
"""Exit status when nothing could be judged."""

SuiteArgument = Annotated[
    Path | None,
    typer.Argument(help="The suite's TOML file.", show_default="the only plans.toml at or below this folder"),
]
DsnOption = Annotated[
    str | None,
    typer.Option(
        "--dsn",
        envvar="PLAN_GUARD_DSN",
        show_envvar=True,
        help="A server, as superuser.",
        show_default="one is started",
    ),
]
KindOption = Annotated[
    str | None,
    typer.Option(
        help="Where that one comes from: container, installed or embedded.", show_default="the first there is"
    ),
]
CaseOption = Annotated[
    list[str] | None, typer.Option("--case", help="Only cases whose name holds this; may be repeated.")
]
RealOption = Annotated[
    int | None,
    typer.Option(min=1, help="Fill the tables up to this size, not to [scale] real; snapshots are left out."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def fail(problem: object) -> NoReturn:
    """Say what is wrong and end with :data:`FAILED`."""
    typer.echo(f"eventlive-db: {problem}", err=True)
    raise typer.Exit(FAILED)


@contextmanager
def failures() -> Iterator[None]:
    """End with what is known to go wrong as a message."""
    try:
        yield
    except (PlansError, ServerError) as error:
        fail(error)
    except psycopg.Error as error:
        fail(str(error).strip())


@contextmanager
def session_for(
    dsn: str | None, kind: str | None, options: Options, real: int | None = None, update: str = ""
) -> Iterator[Session]:
    """A session that is closed at the end, also where a CI server or a closed terminal ends the run by a signal."""
    session = Session(dsn=dsn, kind=kind, options=options, update=update, real=real)
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            # Windows has no SIGHUP; nohup has it ignored.
            if (number := getattr(signal, name, None)) and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _end)
    try:
        yield session
    except _Ended as ended:
        raise SystemExit(128 + ended.number) from None
    finally:
        session.close()


class _Ended(KeyboardInterrupt):
    """A signal ended the run. Of this kind, since psycopg then cancels the call that is under way."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _end(number: int, _frame: object) -> NoReturn:
    raise _Ended(number)


def find_suite(path: Path | None) -> Suite:
    """Read the suite that is named, or the only one there is.

    Raises:
        SuiteError: It cannot be read, or has no case.
    """
    if path is None:
        found = sorted(_suites())
        if len(found) != 1:
            named = ", ".join(map(str, found)) or "none"
            fail(f"name a suite: of plans.toml at or below this folder there is not exactly one ({named})")
        path = found[0]
    suite = load_suite(path)
    if not suite.cases:
        msg = f"{path} has no case"
        raise SuiteError(msg, "Write [[case]] with a name, a call and a budget", token="no_case")
    return suite


def _suites() -> Iterator[Path]:
    for folder, folders, files in os.walk("."):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "node_modules"]
        if "plans.toml" in files:
            yield Path(folder) / "plans.toml"


def is_true(variable: str) -> bool:
    """Whether a variable of the environment is set, and not to no."""
    return os.environ.get(variable, "").lower() not in {"", "0", "false", "no"}


def tell(report: CaseReport) -> None:
    """Show a terminal that a case was judged."""
    if sys.stderr.isatty():
        typer.echo(f"{'ok    ' if report.passed else 'FAILED'}  {report.name}", err=True)


def width() -> int:
    """Columns of the terminal; 140 in a pipe."""
    return shutil.get_terminal_size((140, 24)).columns


def see_writable(*paths: Path | None) -> None:
    """Refuse a file that could not be written, before anything takes long."""
    for path in paths:
        if path is None:
            continue
        if path.is_dir():
            fail(f"{path} is a folder, and a file is to be written")
        if not path.parent.is_dir():
            fail(f"{path} cannot be written: there is no folder {path.parent}; make it first")
        if not os.access(path.parent, os.W_OK):
            fail(f"{path} cannot be written: the folder {path.parent} may not be written to")


def write_whole(path: Path, text: str) -> None:
    """Write a file; whoever reads meanwhile sees the old one or the new one, whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}")
    finally:
        temporary.unlink(missing_ok=True)
