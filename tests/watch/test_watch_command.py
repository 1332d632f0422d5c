"""``eventlive-db watch``, as people and systemd run it."""

from __future__ import annotations

import http.client
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, LiteralString

import psycopg
import pytest
from typer.testing import CliRunner, Result

from eventlive_db.cli.app import app
from eventlive_db.server import TEST_SETTINGS, Server, open_server
from eventlive_db.watch.webhook import SECRET_VARIABLE, URL_VARIABLE
from tests.support.database import EventliveDatabase
from tests.support.own_server import wait_for
from tests.watch.receiver import QUERY, SECRET, TOKEN, Receiver, receiving, says

pytestmark = pytest.mark.heavy

# The command alone, without what the other ones import.
_PROGRAM = "import typer; from eventlive_db.cli.watch import watch; typer.run(watch)"
COMMAND = (sys.executable, "-c", _PROGRAM, "--interval", "100ms")
NO_DATABASE = {"EVENTLIVE_DSN": "", URL_VARIABLE: "", "COLUMNS": "200"}


def watch(*arguments: object, **environment: str) -> Result:
    return CliRunner().invoke(app, ["watch", *map(str, arguments)], env={**NO_DATABASE, **environment})


def answered(status: int, *, count: int = 1, age_s: float = 1, path: str = "/rest/v1/rpc/x") -> str:
    """Lines of a gateway."""
    at = datetime.fromtimestamp(time.time() - age_s, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'203.0.113.9 - - [{at}] "POST {path} HTTP/1.1" {status} 5 "-" "x" 0.013\n' * count


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.log"
    path.write_text(answered(200))
    return path


@pytest.mark.parametrize(("count", "age_s", "status"), [(9, 1, 0), (10, 1, 1), (10, 3000, 0)])
def test_once_judges_the_last_window_by_its_exit_status(log: Path, count: int, age_s: float, status: int) -> None:
    append(log, answered(400, count=count, age_s=age_s))
    done = watch("--once", "--log", log)
    assert done.exit_code == status, done.output
    state = "firing" if status else "ok"
    figure = 0 if age_s > 60 else count
    assert re.search(rf"^{state} +http_400: {figure}/min \(threshold 10\)$", done.stdout, re.M)
    found = json.loads(watch("--once", "--log", log, "--json").stdout)
    assert found["verdict"] == state
    assert found["rules"][0] == {
        "rule": "http_400",
        "subject": "",
        "state": state,
        "value": figure,
        "threshold": 10,
        "unit": "/min",
        "detail": "",
    }


@pytest.mark.parametrize(
    ("status", "count", "rule"), [(503, 10, "http_5xx"), (404, 50, "http_404"), (401, 50, "http_401")]
)
def test_answers_of_other_statuses_are_alarms_too(log: Path, status: int, count: int, rule: str) -> None:
    append(log, answered(status, count=count - 1))
    assert watch("--once", "--log", log).exit_code == 0
    append(log, answered(status))
    done = watch("--once", "--log", log)
    assert done.exit_code == 1
    assert f"firing   {rule}: {count}/min (threshold {count})" in done.stdout


def test_what_scanners_and_other_services_are_answered_is_no_alarm(log: Path) -> None:
    elsewhere = [(404, "/wp-login.php"), (404, "/rest/v1/.env"), (400, "/auth/v1/token"), (401, "/storage/v1/object/x")]
    for status, path in elsewhere:
        append(log, answered(status, count=200, path=path))
    done = watch("--once", "--log", log)
    assert done.exit_code == 0, done.output
    log.write_text(answered(200, path="/auth/v1/token"))
    done = watch("--once", "--log", log, "--rule", "http_400")
    assert done.exit_code == 2
    assert done.stdout == "no_data  http_400: no call of PostgREST is in the gateway's log\n"


def test_a_dead_log_is_not_well(log: Path) -> None:
    log.write_text(answered(200, age_s=7 * 86400))
    done = watch("--once", "--log", log)
    assert done.exit_code == 2
    assert re.search(rf"^no_data +http_400: the log {re.escape(str(log))} ends at \S+Z$", done.stdout, re.M)
    assert "ok " not in done.stdout
    log.write_text(answered(200, age_s=1200))
    assert watch("--once", "--log", log).exit_code == 2
    assert watch("--once", "--log", log, "--silent-after", "1h").exit_code == 0
    log.write_text("")
    done = watch("--once", "--log", log)
    assert done.exit_code == 2
    assert "there is no line in" in done.stdout


def test_looks_by_cron_tell_an_alarm_once_and_its_end(log: Path, tmp_path: Path, db: EventliveDatabase) -> None:
    db.admin.execute("select eventlive.set_setting('alert_window_s', '1')")
    busy, state = tmp_path / "busy.log", tmp_path / "state.json"
    busy.write_text(answered(400, age_s=-30))

    def look(path: Path) -> int:
        options = ("--once", "--dsn", db.dsn, "--rule", "http_400", "--state", state)
        return watch(*options, "--log", path, **{URL_VARIABLE: receiver.url}).exit_code

    with receiving() as receiver:
        assert [look(busy), look(busy)] == [1, 1]
        wait_for("it is over", lambda: look(log) == 0 and len(receiver.requests) > 1)
        assert look(log) == 0
        assert [json.loads(request.body)["state"] for request in receiver.requests] == ["firing", "recovered"]


def test_once_says_where_it_could_not_tell(log: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing.log"
    done = watch("--once", "--log", log, "--log", missing)
    assert done.exit_code == 2
    assert f"{missing} cannot be read: No such file or directory" in done.stdout
    # What can be read proves an alarm all the same.
    append(log, answered(400, count=10))
    assert watch("--once", "--log", log, "--log", missing).exit_code == 1


def test_a_log_that_is_not_understood_is_not_well(tmp_path: Path) -> None:
    strange = tmp_path / "strange.log"
    strange.write_text("hello\n" * 500)
    done = watch("--once", "--log", strange)
    assert done.exit_code == 2
    assert "no_data" in done.stdout


def test_a_rule_that_is_named_has_to_be_told(log: Path) -> None:
    assert watch("--once", "--log", log).exit_code == 0
    done = watch("--once", "--log", log, "--rule", "auth_p95")
    assert done.exit_code == 2
    assert done.stdout == "no_data  auth_p95: not enough data: 0 calls of 20\n"


def test_once_asks_the_database_twice_before_it_calls_it_unreachable(log: Path) -> None:
    done = watch("--once", "--log", log, "--dsn", "postgresql://u:s3cretPW@127.0.0.1:1/x")
    assert done.exit_code == 1
    assert "firing   database: 2 failed tries (threshold 2); database unreachable" in done.stdout
    assert "s3cretPW" not in done.output
    quiet = watch("--once", "--dsn", "host=127.0.0.1 port=1", "--rule", "connections")
    assert quiet.exit_code == 2


def test_once_with_a_real_database(db: EventliveDatabase) -> None:
    db.admin.execute("update eventlive.jobs set enabled = false")
    done = watch("--once", "--dsn", db.dsn)
    assert done.exit_code == 0, done.output
    db.admin.execute("update eventlive.jobs set enabled = true where name = 'purge_presence'")
    done = watch("--once", "--dsn", db.dsn)
    assert done.exit_code == 1
    assert "firing   jobs purge_presence: never_ran" in done.stdout
    db.admin.execute("update eventlive.jobs set last_success_at = now(), schedule = 'nonsense' where enabled")
    done = watch("--once", "--dsn", db.dsn, "--rule", "jobs")
    assert done.exit_code == 1
    assert "firing   jobs purge_presence: bad_schedule" in done.stdout


def test_errors_of_a_real_postgres_are_found_in_its_log(pg_server: Server) -> None:
    if pg_server.kind not in {"installed", "embedded"}:
        pytest.skip("its log is elsewhere")
    prefix = "%m [%p] %e "
    with open_server(kind=pg_server.kind, settings={**TEST_SETTINGS, "log_line_prefix": prefix}) as server:
        assert server.log is not None
        options = ("--once", "--log", server.log, "--log-line-prefix", prefix)
        with psycopg.connect(server.dsn(), autocommit=True) as connection:

            def ask(rule: str, statement: LiteralString, times: int) -> int:
                for _ in range(times):
                    with pytest.raises(psycopg.Error):
                        connection.execute(statement)
                return watch(*options, "--rule", rule).exit_code

            def at_threshold(rule: str, statement: LiteralString, threshold: int) -> list[int]:
                return [ask(rule, statement, threshold - 1), ask(rule, statement, 1)]

            assert at_threshold("http_400", "select id from pg_am", 10) == [0, 1]
            assert at_threshold("http_404", "select missing()", 50) == [0, 1]
            connection.execute("set statement_timeout = '1ms'")
            assert at_threshold("http_5xx", "select pg_sleep(60)", 10) == [0, 1]


@pytest.mark.parametrize(
    ("arguments", "says_what"),
    [
        ([], "nothing to watch"),
        (["--log", "x", "--rule", "nothing"], "there is no rule 'nothing'"),
        (["--log", "x", "--rule", "connections"], "Give --dsn as well"),
        (["--log", "x", "--interval", "soon"], "--interval"),
        (["--log", "x", "--interval", "0"], "--interval"),
        (["--log", "x", "--interval", "2h"], "--interval"),
        (["--log", "x", "--silent-after", "soon"], "--silent-after"),
        (["--log", "x", "--log-line-prefix", "%p"], "time"),
        (["--log", "x", "--prometheus", "x"], "no address"),
        (
            ["--log", "x", "--webhook", f"https://hooks.slack.com/services/{TOKEN}"],
            "does not belong on the command line",
        ),
        (["--log", "x", "--webhook", TOKEN], "neither a variable"),
        (["--test-webhook"], "no webhook is configured"),
        (["--dsn", f"postgresql://u:{TOKEN}@[::1/"], "DSN"),
        (["--log", "x", "--webhook-kind", "teams"], ""),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(arguments: list[str], says_what: str) -> None:
    environment = {"URL": "https://x.example"} if says_what else {URL_VARIABLE: "https://x.example"}
    done = watch(*arguments, **environment)
    assert done.exit_code == 2
    assert says_what in done.stderr
    assert TOKEN not in done.output


def test_without_httpx_the_extra_is_named(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    done = watch("--log", log, **{URL_VARIABLE: "https://x.example"})
    assert done.exit_code == 2
    assert "pip install 'eventlive-db[http]'" in done.stderr
    assert watch("--once", "--log", log).exit_code == 0


@pytest.mark.parametrize(("answer", "status"), [(says(200, b"ok"), 0), (says(404, b"no_service"), 1)])
def test_a_test_notice_says_what_came_back(answer: object, status: int) -> None:
    with receiving(answer) as receiver:  # type: ignore[arg-type]
        done = watch(
            "--test-webhook", "--name", "staging", "--webhook-kind", "slack", "--webhook", "HOOK", HOOK=receiver.url
        )
        assert done.exit_code == status
        said = "delivered: it answered 200: ok" if status == 0 else "refused: it answered 404: no_service"
        assert f"slack webhook: {said}" in done.output
        [request] = receiver.requests
        assert "[staging] test" in json.loads(request.body)["text"]
        assert TOKEN not in done.output


@contextmanager
def running(
    receiver: Receiver | None, *arguments: object, stdout: IO[str] | int = subprocess.PIPE, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, in a pipe; ended with SIGTERM, if it still runs."""
    hook = {URL_VARIABLE: receiver.url, SECRET_VARIABLE: SECRET} if receiver else {}
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        env={**os.environ, **NO_DATABASE, **hook, **environment},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def until(stream: IO[str] | None, wanted: str) -> list[str]:
    """Lines up to the one that holds what is wanted."""
    assert stream is not None
    lines = []
    for line in stream:
        lines.append(line)
        if wanted in line:
            return lines
    raise AssertionError(lines)


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> tuple[str, str]:
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out, err


def test_an_alarm_is_posted_survives_a_restart_and_no_secret_gets_out(log: Path, tmp_path: Path) -> None:
    state, metrics = tmp_path / "state.json", tmp_path / "eventlive.prom"
    options = ("--log", log, "--state", state, "--prometheus-file", metrics, "--name", "prod")
    with receiving(says(500, f"/services/{TOKEN}?key={QUERY}".encode()), says(200)) as receiver:
        with running(receiver, *options) as process:
            first = until(process.stdout, "no_data http_400")
            append(log, answered(400, count=30))
            first += until(process.stdout, "firing http_400: 30/min (threshold 10)")
            receiver.wait(2)
            wait_for("it is remembered", lambda: '"http_400"' in state.read_text())
            first += end(process)
        assert 'eventlive_log_events_total{source="gateway",status="400",sqlstate=""} 30' in metrics.read_text()
        append(log, answered(200))
        with running(receiver, *options, "--log", tmp_path / "missing.log") as process:
            second = until(process.stdout, "no_data http_5xx")
            append(log, answered(400, count=50))
            wait_for("it is counted", lambda: 'status="400",sqlstate=""} 50' in metrics.read_text())
            second += end(process, signal.SIGINT)
        assert [json.loads(request.body)["state"] for request in receiver.requests] == ["firing", "firing"]
        assert json.loads(receiver.requests[0].body)["watching"] == "prod"
        everything = "".join([*first, *second, state.read_text(), metrics.read_text()])
        for secret in (TOKEN, QUERY, SECRET, receiver.url):
            assert secret not in everything


def test_what_did_not_arrive_is_named_at_the_end_and_told_after_a_restart(log: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    with receiving(says(429, Retry_After="600"), says(200)) as receiver:
        with running(receiver, "--log", log, "--state", state) as process:
            until(process.stdout, "no_data http_400")
            append(log, answered(400, count=30))
            until(process.stdout, "firing http_400")
            receiver.wait(1)
            _, err = end(process)
            assert "not delivered: http_400 is firing" in err
        with running(receiver, "--log", log, "--state", state) as process:
            until(process.stdout, "no_data http_400")
            append(log, answered(400, count=30))
            receiver.wait(2)
            end(process)


def test_an_alarm_that_is_over_is_told_once(log: Path, db: EventliveDatabase) -> None:
    db.admin.execute("update eventlive.jobs set enabled = false")
    db.admin.execute("select eventlive.set_setting('alert_window_s', '1')")
    with (
        receiving() as receiver,
        running(receiver, "--log", log, "--json", "--rule", "http_400", EVENTLIVE_DSN=db.dsn) as process,
    ):
        # Nothing was added yet, so nothing is known.
        assert json.loads(until(process.stdout, "http_400")[-1])["state"] == "no_data"
        append(log, answered(200))
        assert json.loads(until(process.stdout, "http_400")[-1])["state"] == "ok"
        # From a clock that is ahead: it counts at the look that reads it, however late that is.
        append(log, answered(400, age_s=-30))
        fired = json.loads(until(process.stdout, '"firing"')[-1])
        assert (fired["rule"], fired["before"], fired["threshold"]) == ("http_400", "ok", 10)
        over = json.loads(until(process.stdout, '"before": "firing"')[-1])
        assert over["state"] == "ok"
        requests = receiver.wait(2)
        assert [json.loads(request.body)["state"] for request in requests] == ["firing", "recovered"]
        _, err = end(process)
        assert err == ""
        assert len(receiver.requests) == 2


@contextmanager
def nowhere(kind: str) -> Iterator[IO[str]]:
    """What can be opened and not written to."""
    if kind == "full" and not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    theirs, ours = os.pipe()
    os.close(theirs)
    with os.fdopen(ours, "w") as pipe, open("/dev/full" if kind == "full" else os.devnull, "w") as full:  # noqa: PTH123
        yield full if kind == "full" else pipe


@pytest.mark.parametrize("kind", ["full", "closed"])
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_it_goes_on_where_nothing_can_be_printed(log: Path, tmp_path: Path, kind: str, form: tuple[str, ...]) -> None:
    metrics = tmp_path / "eventlive.prom"
    options = ("--log", log, "--prometheus-file", metrics, "--rule", "http_400", *form)
    fires = 'eventlive_rule_state{rule="http_400",subject="",state="firing"} 1'
    with nowhere(kind) as stdout, running(None, *options, stdout=stdout) as process:
        until(process.stderr, "eventlive-db: stdout cannot be written to: ")
        append(log, answered(400, count=30))
        wait_for("a later look", lambda: metrics.exists() and fires in metrics.read_text())
        assert end(process)[1] == ""


@pytest.mark.parametrize("kind", ["full", "closed"])
def test_once_is_1_only_where_something_fires_also_where_nobody_can_read_it(log: Path, kind: str) -> None:
    def once() -> int:
        with nowhere(kind) as stdout, running(None, "--once", "--log", log, stdout=stdout) as process:
            return process.wait(60)

    assert once() == 2
    append(log, answered(400, count=10))
    assert once() == 1


def test_a_log_that_is_no_file_is_said_so_and_costs_no_other_rule(tmp_path: Path, db: EventliveDatabase) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with running(None, "--once", "--log", fifo, "--dsn", db.dsn) as process:
        # Nobody writes to it: whoever opens it waits for ever.
        out, err = process.communicate(timeout=60)
        assert process.returncode == 1, err
    assert f"no_data  http_400: {fifo} cannot be read: it is no regular file\n" in out
    assert "ok       database: " in out
    assert "firing   jobs rollup_live: " in out


def test_a_log_that_is_copied_and_emptied_in_a_directory_counts_once(tmp_path: Path) -> None:
    folder, metrics = tmp_path / "logs", tmp_path / "eventlive.prom"
    folder.mkdir()
    log = folder / "a.log"
    log.touch()

    def counted(number: int) -> bool:
        return f'status="400",sqlstate=""}} {number}\n' in metrics.read_text()

    with running(None, "--rule", "http_400", "--log", folder, "--prometheus-file", metrics) as process:
        until(process.stdout, "no_data http_400")
        append(log, answered(400, count=6))
        until(process.stdout, "ok http_400: 6/min")
        shutil.copyfile(log, folder / "a.log.1")
        os.truncate(log, 0)
        append(log, answered(400, age_s=0))
        wait_for("what came after it", lambda: counted(7) or counted(13))
        assert counted(7)
        assert "firing" not in end(process)[0]


def test_lines_that_are_shipped_late_are_alarms_all_the_same(log: Path) -> None:
    with running(None, "--log", log, "--rule", "http_400") as process:
        until(process.stdout, "no_data http_400")
        append(log, answered(400, count=30, age_s=70))
        until(process.stdout, "firing http_400: 30/min (threshold 10)")
        end(process)


def test_a_log_that_appears_later_is_read_from_its_beginning_and_metrics_are_served(tmp_path: Path) -> None:
    late = tmp_path / "late.log"
    with running(None, "--log", late, "--prometheus", "0") as process:
        [line] = until(process.stderr, "metrics are served at port ")
        until(process.stdout, "no_data http_400")
        late.write_text(answered(400, count=20))
        until(process.stdout, "firing http_400: 20/min")
        connection = http.client.HTTPConnection("127.0.0.1", int(re.findall(r"\d+", line)[0]), timeout=60)
        wanted = b'eventlive_rule_state{rule="http_400",subject="",state="firing"} 1'

        def shown() -> bool:
            connection.request("GET", "/metrics")
            return wanted in connection.getresponse().read()

        # The line comes before the page.
        wait_for("it is on the page", shown)
        connection.close()
        end(process)


def test_on_a_terminal_there_is_a_table(log: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "--log", str(log)],
        env={**os.environ, **NO_DATABASE, "TERM": "xterm", "LINES": "40"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while b"auth_p95" not in shown:
        shown += os.read(ours, 65536)
    process.terminate()
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # the terminal is gone
        pass
    os.close(ours)
    assert process.wait(60) == 0
    for word in (b"rule", b"threshold", b"http_400", b"realtime_disconnects"):
        assert word in shown
