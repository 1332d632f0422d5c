"""``eventlive-db watch``: thresholds over logs and the database, and alarms to a webhook."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.live import Live

from eventlive_db.cli.output import lose_stdout, say
from eventlive_db.errors import AdvisedError
from eventlive_db.watch import view
from eventlive_db.watch.alarms import Notice
from eventlive_db.watch.bodies import how_many, request_of
from eventlive_db.watch.database import Database
from eventlive_db.watch.delivery import Delivery
from eventlive_db.watch.log_files import LogFiles
from eventlive_db.watch.metrics import page
from eventlive_db.watch.posting import Poster
from eventlive_db.watch.prometheus import Pages, publishing
from eventlive_db.watch.readings import RULES, Reading
from eventlive_db.watch.watcher import Look, Watcher, check_rules, verdict
from eventlive_db.watch.webhook import KINDS, URL_VARIABLE, Webhook, find_webhook

FIRING = 1
"""Exit status of --once where something fires, and of --test-webhook where the notice did not arrive."""

FAILED = 2
"""Exit status where something could not be told."""

_GRACE_S = 5.0


def watch(
    log: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Follow this log, all in this directory, or this pattern; repeatable."),
    ] = None,
    log_line_prefix: Annotated[
        str | None, typer.Option(metavar="PREFIX", help="The server's log_line_prefix, for a log of Postgres in text.")
    ] = None,
    dsn: Annotated[
        str | None,
        typer.Option("--dsn", envvar="EVENTLIVE_DSN", show_envvar=True, help="The database: libpq string or URI."),
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE", help=f"Only this rule; repeatable: {', '.join(RULES)}.", show_default="all that can be told"
        ),
    ] = None,
    interval: Annotated[str, typer.Option(metavar="TIME", help="Between two looks, such as 500ms, 10s or 1m.")] = "10s",
    silent_after: Annotated[
        str, typer.Option(metavar="TIME", help="A log of requests without a line for so long gives no data: 10m, 6h.")
    ] = "10m",
    once: Annotated[
        bool, typer.Option("--once", help="Read the logs from their beginning, judge the last window, and end.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for each change; with --once one for all.")
    ] = False,
    webhook: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Post alarms to the address in this variable of the environment, or in the first line of this file.",
            show_default=f"{URL_VARIABLE}, if it is set",
        ),
    ] = None,
    webhook_kind: Annotated[
        str | None, typer.Option(metavar="KIND", help=f"{', '.join(KINDS)}.", show_default="by the address")
    ] = None,
    test_webhook: Annotated[
        bool, typer.Option("--test-webhook", help="Post a test notice, say what came back, and end.")
    ] = False,
    name: Annotated[str, typer.Option(help="What is watched, such as production; is in every notice.")] = "",
    prometheus: Annotated[
        str | None,
        typer.Option(metavar="[HOST:]PORT", help="Serve metrics at /metrics, on this machine alone without a host."),
    ] = None,
    prometheus_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write metrics to this file after each look.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Remember alarms here, so that a restart tells none twice.")
    ] = None,
) -> None:
    """Hold logs and the database against the thresholds in eventlive.settings, and post alarms to a webhook.

    docs/watch.md says what each rule means and what to do when it fires.

    Exit status: 0 when ended by SIGINT or SIGTERM; with --once 0 all is well, 1 something fires, 2 something that was
    asked for could not be told, or not be printed; with --test-webhook 1 when the notice did not arrive; 2 when it
    cannot begin.
    """
    try:
        found = find_webhook(webhook, webhook_kind)
        if test_webhook:
            _test(found, name)
            return
        logs, rules = log or [], rule or None
        _check(rules, logs=bool(logs), database=bool(dsn))
        every_s = _seconds("--interval", interval, 3600)
        silent_s = _seconds("--silent-after", silent_after, 7 * 86400)
        with ExitStack() as stack:
            pages = stack.enter_context(publishing(prometheus, prometheus_file, _warn))
            database = stack.enter_context(closing(Database(dsn))) if dsn else None
            delivery = _delivery(found, name) if found else None
            files = LogFiles.following(logs, once=once, prefix=log_line_prefix)
            stack.callback(files.close)
            watcher = Watcher(files, database, delivery, state=state, once=once, rules=rules, silent_after_s=silent_s)
            if delivery:
                # In this order: what did not arrive is to be told again after a restart.
                stack.callback(watcher.keep)
                stack.callback(_settle, delivery)
            status = _once(watcher, pages, rules, as_json) if once else _run(watcher, pages, every_s, as_json)
    except AdvisedError as error:
        _fail(error)
    raise typer.Exit(status)


def _fail(problem: object) -> NoReturn:
    _warn(problem)
    raise typer.Exit(FAILED)


def _check(rules: list[str] | None, *, logs: bool, database: bool) -> None:
    if not (logs or database):
        _fail("there is nothing to watch. Give --log or --dsn, or set EVENTLIVE_DSN")
    for name in rules or ():
        if name not in RULES:
            _fail(f"there is no rule {name!r}. There are {', '.join(RULES)}")
    for name in check_rules(rules or (), logs=logs, database=database):
        _fail(f"nothing that was given tells of {name}. Give {'--dsn' if logs else '--log'} as well")


def _seconds(option: str, text: str, most_s: int) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|)", text)
    seconds = float(found[1]) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "": 1}[found[2]] if found else 0
    if not 0.1 <= seconds <= most_s:
        _fail(f"{option} {text!r} is no time from 100ms to {most_s // 3600}h, such as 10s")
    return seconds


def _delivery(webhook: Webhook, name: str) -> Delivery:
    return Delivery(
        Poster(webhook),
        lambda notices: request_of(webhook, notices, name),
        _warn,
        gather=lambda notices: how_many(webhook, notices, name),
    )


def _warn(problem: object) -> None:
    say(f"eventlive-db: {problem}", err=True)


def _settle(delivery: Delivery) -> None:
    """Give the notices a few seconds, then say which were not delivered."""
    for notice in delivery.close(_GRACE_S):
        name = f"{notice.reading.rule} {notice.reading.subject}".strip()
        _warn(f"not delivered: {name} is {notice.state}")


def _once(watcher: Watcher, pages: Pages, rules: list[str] | None, as_json: bool) -> int:
    look = watcher.look()
    pages.show(page(look.snapshot))
    status = verdict(look.snapshot.readings, rules)
    for note in look.notes:
        _warn(note)
    if as_json:
        text = json.dumps(view.look_object(look.snapshot, status))
    else:
        text = "\n".join(view.reading_line(look.snapshot, reading) for reading in look.snapshot.readings)
    # That all is well was not told where nobody can read it.
    told = not text or say(text)
    return status if told else status or FAILED


def _run(watcher: Watcher, pages: Pages, every_s: float, as_json: bool) -> int:
    """Look again and again, until a signal."""
    stop = threading.Event()
    with _stopping(stop), _shown(as_json) as show:
        while not stop.is_set():
            began = time.monotonic()
            look = watcher.look()
            pages.show(page(look.snapshot))
            show(look)
            stop.wait(max(every_s - (time.monotonic() - began), 0.0))
    return 0


@contextmanager
def _stopping(stop: threading.Event) -> Iterator[None]:
    """SIGINT and SIGTERM end the watch after the look that is under way; a second one ends it at once."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def end(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _shown(as_json: bool) -> Iterator[Callable[[Look], None]]:
    """A live table on a terminal; a line, or an object, for each change elsewhere."""
    console = Console()

    def tell(look: Look) -> None:
        for note in look.notes:
            _warn(note)
        for change in look.changes:
            if as_json:
                say(json.dumps(view.change_object(change, look.snapshot.at)))
            else:
                say(view.change_line(change, look.snapshot.at))

    if as_json or not console.is_terminal:
        yield tell
        return
    with Live(console=console, auto_refresh=False) as live:

        def draw(look: Look) -> None:
            try:
                for note in look.notes:
                    live.console.print(note, markup=False)
                live.update(view.table(look.snapshot), refresh=True)
            except OSError as error:
                lose_stdout(error)

        yield draw


def _test(webhook: Webhook | None, name: str) -> None:
    """Post a test notice; say what came back."""
    if webhook is None:
        _fail(f"no webhook is configured. Set {URL_VARIABLE}, or name a variable or a file with --webhook")
    poster = Poster(webhook)
    notice = Notice("test", Reading("test", detail="a test of the webhook: nothing is wrong"), time.time(), time.time())
    outcome = poster(*request_of(webhook, [notice], name))
    poster.close()
    arrived = outcome.verdict == "delivered"
    told = say(f"{webhook.kind} webhook: {outcome.verdict}: {outcome.said}", err=not arrived)
    if not (arrived and told):
        raise typer.Exit(FAILED if arrived else FIRING)
