"""The exit status says go only where somebody was told, and roll back only where a check failed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eventlive_db.cli import verify as command_module
from eventlive_db.cli.app import app
from tests.support.database import EventliveDatabase
from tests.verify.stand import written
from tests.verify.test_front_and_auth_logs import each, request

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "eventlive_db" / "verify" / "samples"
LOGS = [f"--log={SAMPLES / name}.log" for name in ("postgres", "postgrest", "auth")]
WINDOW = ("--since", "2025-06-02T18:00:00Z", "--until", "2025-06-02T18:30:00Z")
GO = ("verify", *WINDOW, "--without", "dod-4,schema,functions,jobs", *LOGS)
ANSWERS = ("--without", "dod-1,dod-2,dod-3,dod-4,schema,functions,jobs")


@pytest.fixture
def refused(tmp_path: Path) -> tuple[str, ...]:
    """A release after which nobody is answered."""
    lines = [*map(request, each(-60, 0, 10)), *(request(at, status=403) for at in each(0, 30, 10))]
    log = written(tmp_path / "postgrest.log", lines)
    until = ("--since", "2026-08-01T12:00:00Z", "--until", "2026-08-01T12:30:00Z")
    return ("verify", *until, *ANSWERS, "--log", str(log))


def status(
    arguments: tuple[str, ...], stdout: int, stderr: int = subprocess.PIPE, **environment: str
) -> tuple[int, str]:
    """How the command ends as a process of its own, and what it says on stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "eventlive_db", *arguments],
        env={**os.environ, "EVENTLIVE_DSN": "", **environment},
        stdout=stdout,
        stderr=stderr,
        check=False,
        timeout=60,
    )
    return done.returncode, (done.stderr or b"").decode()


def nobody() -> int:
    """The end of a pipe to write to, of which the other is closed."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def test_a_go_that_nobody_reads_is_none_and_a_roll_back_is_one(refused: tuple[str, ...]) -> None:
    writer = nobody()
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        assert status(GO, subprocess.DEVNULL) == (0, "")
        assert status(GO, writer) == (2, "eventlive-db: stdout: Broken pipe\n")
        assert status((*GO, "--json", "-"), writer)[0] == 2
        assert status(GO, writer, writer)[0] == 2
        # Whatever the end of Python does with what stderr still holds.
        assert status(GO, writer, writer, LANG="", LC_ALL="", CI="true")[0] == 2
        assert status(GO, writer, writer, PYTHONUNBUFFERED="1")[0] == 2
        assert status(GO, full) == (2, "eventlive-db: stdout: No space left on device\n")
        assert status(refused, writer)[0] == 1
        assert status(("verify", "--since", "noon"), writer, writer)[0] == 2
    finally:
        os.close(writer)
        os.close(full)


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    """Run it here."""
    done = CliRunner().invoke(app, list(arguments), env={"EVENTLIVE_DSN": "", **environment})
    return done.exit_code, done.output


def test_a_report_that_cannot_be_written_is_named_and_the_others_are_written(
    tmp_path: Path, refused: tuple[str, ...]
) -> None:
    well = tmp_path / "ticket.md"
    code, output = run(*GO, "--json", "/dev/full", "--markdown", str(well))
    assert code == 2
    assert "eventlive-db: /dev/full: No space left on device" in output
    assert "Go: every check passed." in output
    assert well.read_text().startswith("# Verification: go\n")
    code, output = run(*GO, "--markdown", "/dev/full", "--json", str(tmp_path / "report.json"))
    assert code == 2
    assert "eventlive-db: /dev/full: No space left on device" in output
    assert json.loads((tmp_path / "report.json").read_text())["exit_status"] == 0
    assert run(*refused, "--json", "/dev/full")[0] == 1


def test_a_defect_is_no_verdict_and_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(command_module, "verify_once", broken)
    code, output = run(*GO)
    assert code == 2
    assert "RuntimeError: unforeseen" in output
    assert "a defect of eventlive-db, and nothing was verified" in output


def test_a_window_of_no_length_is_none() -> None:
    at = "2025-06-02T18:00:00Z"
    code, output = run("verify", "--since", at, "--until", at, *ANSWERS, *LOGS)
    assert code == 2
    assert "--since is not before the end" in output


@pytest.mark.parametrize("secret", [b"\xff" * 40, b"", b"\n", b"\x00\xfe"])
def test_a_secret_that_is_no_text_is_said_and_never_shown(db: EventliveDatabase, tmp_path: Path, secret: bytes) -> None:
    file = tmp_path / "secret"
    file.write_bytes(secret)
    door = ("verify", "--since", "1h", "--canary", "--dsn", db.dsn, "--api-url", "http://127.0.0.1:1")
    code, output = run(*door, "--jwt-secret-file", str(file))
    assert code == 2
    assert "Traceback" not in output
    assert "0xff" not in output
    code, output = run(*door, EVENTLIVE_JWT_SECRET=os.fsdecode(b"\xff" * 40))
    assert code == 2
    assert "the JWT secret is no text in UTF-8" in output
    code, output = run(*door, EVENTLIVE_JWT_SECRET="x" * 32, EVENTLIVE_API_KEY="s3cr3t\n\N{BULLET}")
    assert code == 2
    assert "EVENTLIVE_API_KEY holds what no header can" in output
    assert "s3cr3t" not in output
    file.write_text(json.dumps(dict.fromkeys(("registered", "unregistered", "admin", "service"), "s3cr3t\N{BULLET}")))
    code, output = run(*door, "--tokens-file", str(file))
    assert code == 2
    assert "the token of registered is none" in output
    assert "s3cr3t" not in output
