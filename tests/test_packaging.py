"""What a stranger installs: the SQL is in the wheel, and the client needs psycopg alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from eventlive_db.cli import main

ROOT = Path(__file__).resolve().parent.parent

ONLY_PSYCOPG = """
import sys
allowed = sys.stdlib_module_names | {"eventlive_db", "psycopg", "psycopg_binary", "psycopg_c", "typing_extensions"}
class Blocked:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in allowed and not top.startswith("_"):
            raise ModuleNotFoundError(f"No module named {top!r}", name=top)
sys.meta_path.insert(0, Blocked())
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the package as the wheel has it, and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    target = folder / "installed"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target)]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    return target


def python(installed: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the installed package in front of this checkout, in a directory that is not the checkout's."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=installed.parent,
        env={**os.environ, "PYTHONPATH": str(installed), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_wheel_holds_every_sql_file_and_migration(installed: Path) -> None:
    for folder in ("sql", "migrations"):
        ours = {
            p.relative_to(ROOT / folder) for p in (ROOT / folder).rglob("*") if p.suffix in {".sql", ".py", ".mako"}
        }
        data = installed / "eventlive_db" / "_data" / folder
        assert ours
        assert {p.relative_to(data) for p in data.rglob("*") if p.suffix in {".sql", ".py", ".mako"}} == ours
    assert (installed / "eventlive_db" / "py.typed").exists()
    assert list((installed / "eventlive_db" / "load" / "samples").glob("*.csv"))


def test_the_installed_package_migrates_without_a_checkout(installed: Path, make_database: Callable[..., str]) -> None:
    where = python(installed, "-c", "import eventlive_db; print(eventlive_db.__file__)").stdout
    assert where.startswith(str(installed))
    dsn = make_database()
    done = python(installed, "-m", "eventlive_db", "migrate", "up", EVENTLIVE_DSN=dsn)
    assert done.returncode == 0, done.stderr
    assert python(installed, "-m", "eventlive_db", "migrate", "diff", EVENTLIVE_DSN=dsn).returncode == 0


def test_the_client_needs_psycopg_alone(installed: Path) -> None:
    done = python(installed, "-c", ONLY_PSYCOPG + "import eventlive_db.client")
    assert done.returncode == 0, done.stderr
    control = python(installed, "-c", ONLY_PSYCOPG + "import eventlive_db.migrate.runner")
    assert "ModuleNotFoundError" in control.stderr


def test_the_command_without_its_extra_says_what_to_install(installed: Path) -> None:
    done = python(installed, "-c", ONLY_PSYCOPG + "from eventlive_db.cli import main; main()")
    assert done.returncode == 2
    assert "pip install 'eventlive-db[cli]'" in done.stderr


def test_nothing_imports_the_parser_at_run_time() -> None:
    """pglast is GPL: it is imported inside the functions that need it, and by nobody who does not call them."""
    sources = (ROOT / "eventlive_db").rglob("*.py")
    everywhere = re.compile(r"^(?:import|from)\s+pglast", re.MULTILINE)
    assert [p for p in sources if everywhere.search(p.read_text(encoding="utf-8"))] == []
    modules = [
        ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for p in (ROOT / "eventlive_db").rglob("*.py")
        if p.name != "__main__.py"
    ]
    script = f"import importlib, sys\nfor m in {modules!r}: importlib.import_module(m)\nprint('pglast' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "False"


def test_every_extra_that_the_readme_names_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["dependencies"] == ["psycopg>=3.2.1"]
    assert {"cli", "dev", "lint"} <= set(project["optional-dependencies"])
    assert callable(main)
