"""The page: one HTML file that needs no network, no server and, but for its cursor, no script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from eventlive_db import __version__
from eventlive_db.load.report.checked import ResultsError
from eventlive_db.load.report.files import write_aside
from eventlive_db.load.report.model import RunResults, read_results
from eventlive_db.load.report.section import moment, run_section
from eventlive_db.load.report.tables import badge, comparison
from eventlive_db.plans.report.markup import element, text
from eventlive_db.plans.report.text import one_line, plural

_ICON = {True: "#1a7f4b", False: "#c8102e", None: "#738091"}
_THEMES = ("auto", "light", "dark")


def write_report(results: Mapping[str, Any] | Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write the results of one run, or of several, as one HTML page.

    Args:
        results: As in a results file (see :mod:`eventlive_db.load.report.model`), or a list of such.
        path: Where to; folders that are missing are made.

    Raises:
        ResultsError: The results are not what they have to be. Nothing is written.
        OSError: The file cannot be written; one that was there before stays as it was.
    """
    write_aside(path, html_page(results))


def html_page(results: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> str:
    """The page, for writing as UTF-8.

    Whatever the results hold is text in it. A content security policy allows the page's own script and style by
    their hashes, and nothing to be fetched.

    Args:
        results: As for :func:`write_report`.

    Raises:
        ResultsError: The results are not what they have to be.
    """
    runs = _read(results)
    several = len(runs) > 1
    title = f"Load report: {plural(len(runs), 'run')}" if several else one_line(runs[0].title)
    passed = _verdict(runs)
    said = {True: "passed", False: "failed", None: "not judged"}[passed]
    style, script = _asset("page.css"), _asset("page.js")
    body = "\n".join(
        [
            text("a", "Skip to the results", class_="skip", href="#results"),
            element("header", text("span", "eventlive-db · load", class_="brand") + _theme_switch(), class_="top"),
            element(
                "main",
                "\n".join(
                    [
                        _overview(runs, title) if several else "",
                        *(run_section(run, index, 2 if several else 1) for index, run in enumerate(runs, start=1)),
                    ]
                ),
                id="results",
            ),
            text("p", "", id="said", class_="unseen", role="status"),
            element("footer", text("p", f"Made by eventlive-db {__version__}. This page fetches nothing.")),
        ]
    )
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            '<meta name="referrer" content="no-referrer">',
            text("title", f"{title}: {said}"),
            _icon(passed),
            element("style", style),
            "</head>\n<body>",
            body,
            element("script", script),
            "</body>\n</html>\n",
        ]
    )


def _read(results: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> list[RunResults]:
    if not isinstance(results, list | tuple):
        return [read_results(results)]
    if not results:
        msg = "there are no results to report"
        raise ResultsError(msg, "Give at least one results file")
    return [read_results(run, f"results[{index}]") for index, run in enumerate(results)]


def _verdict(runs: Sequence[RunResults]) -> bool | None:
    """Failed where one is, passed where all are."""
    verdicts = {run.passed for run in runs}
    return False if False in verdicts else None if None in verdicts else True


@cache
def _asset(name: str) -> str:
    return files(__package__).joinpath("page", name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _icon(passed: bool | None) -> str:
    """A dot in the colour of the verdict; a browser would ask a server for one that is not named."""
    circle = f"<circle cx='4.5' cy='4.5' r='4' fill='{_ICON[passed]}'/>"
    dot = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'>{circle}</svg>"
    return f'<link rel="icon" href="data:image/svg+xml,{quote(dot)}">'


def _theme_switch() -> str:
    """Three radio buttons, which the style sheet reads: they work without the script, which only remembers."""
    choices = "".join(
        f'<label><input type="radio" name="theme" value="{theme}" id="theme-{theme}"'
        f"{' checked' if theme == 'auto' else ''}><span>{theme}</span></label>"
        for theme in _THEMES
    )
    return element("fieldset", text("legend", "Colours", class_="unseen") + choices, class_="theme")


def _overview(runs: Sequence[RunResults], title: str) -> str:
    """A list of the runs, and the marks that they have in common."""
    items = "".join(
        element(
            "li",
            badge(run.passed)
            + text("a", run.title, href=f"#run-{index}")
            + text("span", _met(run), class_="note")
            + text("span", moment(run.at), class_="note"),
        )
        for index, run in enumerate(runs, start=1)
    )
    shared = comparison(runs)
    return "\n".join(
        [
            text("h1", title),
            element("nav", element("ol", items), class_="runs", aria_label="Runs"),
            element("section", text("h2", "Side by side") + shared, class_="part side") if shared else "",
        ]
    )


def _met(run: RunResults) -> str:
    return f"{sum(mark.passed for mark in run.marks)} of {plural(len(run.marks), 'mark')} met"
