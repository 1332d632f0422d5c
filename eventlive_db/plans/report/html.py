"""A report as one HTML file that needs nothing else: no network, no server."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

from eventlive_db.plans.report.figures import Figures, figures, short_names, size_name, sizes
from eventlive_db.plans.report.html_case import badge, case_section, violations_list
from eventlive_db.plans.report.markup import element, table, text
from eventlive_db.plans.report.text import plural
from eventlive_db.plans.verdict import CaseReport, Report

_STYLES = ("page/page.css",)
_SCRIPTS = ("page/page.js",)
# Parts of the frames in which plans are drawn, kept as text; bootstrap is the page's own too.
_FRAME_STYLES = ("vendor/pev2.css", "page/frame.css")
_FRAME_SCRIPTS = ("vendor/vue.runtime.global.prod.js", "vendor/pev2.umd.js", "page/frame.js")
_BOOTSTRAP = "vendor/bootstrap.min.css"
_SOURCE_MAP = re.compile(r"/\*# sourceMappingURL=.*?\*/|^//# sourceMappingURL=.*$", re.MULTILINE)

_HEADINGS = (
    ("case", False),
    ("verdict", False),
    ("statements", True),
    ("buffers", True),
    ("rows read", True),
    ("WAL records", True),
    ("WAL bytes", True),
    ("seq scans", False),
    ("locks", False),
    ("aborted", True),
    ("HOT", True),
)


def html_page(report: Report, *, title: str) -> str:
    """The page, for writing as UTF-8.

    Plans are drawn by pev2, each in a frame that is made when a reader opens the statement. ``#case-3`` opens the
    third case. A content security policy, which the frames inherit, allows the page's own scripts and nothing else,
    so that a query text that is markup runs nothing even where pev2 takes it for HTML.

    Args:
        report: The judged suite.
        title: Of the page.
    """
    names = short_names(report)
    rows = [(case, number, figures(case, names)) for number, case in enumerate(report.cases, start=1)]
    main = "\n".join(
        [
            _head(report, title),
            element("section", _summary(report, rows), aria_label="Summary"),
            _suite(report),
            '<section id="cases" aria-label="Cases">',
            *(case_section(case, number, told, names) for case, number, told in rows),
            '<p id="shown" class="note" role="status"></p></section>',
        ]
    )
    allowed = [_asset(path) for path in (*_SCRIPTS, *_FRAME_SCRIPTS)]
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en" data-bs-theme="light">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(allowed)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            text("title", title),
            element("style", _asset(_BOOTSTRAP), id=_part(_BOOTSTRAP)),
            *(element("style", _asset(path)) for path in _STYLES),
            "</head>\n<body>",
            '<a class="skip" href="#cases">Skip to the cases</a>',
            element("main", main, class_="page"),
            *(element("script", _asset(p), type="text/plain", id=_part(p)) for p in (*_FRAME_STYLES, *_FRAME_SCRIPTS)),
            *(element("script", _asset(path)) for path in _SCRIPTS),
            "</body>\n</html>\n",
        ]
    )


@cache
def _asset(path: str) -> str:
    """A file of the page. The addresses of source maps are left out: a browser's tools would look for them."""
    content = files(__package__).joinpath(path).read_text(encoding="utf-8")
    return _SOURCE_MAP.sub("", content)


def _part(path: str) -> str:
    return f"part-{path.rpartition('/')[2]}"


def _policy(scripts: list[str]) -> str:
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{value}'" for value in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )


def _head(report: Report, title: str) -> str:
    failed = sum(not case.passed for case in report.cases)
    said = f"{report.suite} on Postgres {report.server_version}: {plural(len(report.cases), 'case')}"
    said += ", all ok" if report.passed else f", {failed} failed, {plural(len(report.all_violations), 'problem')}"
    tools = (
        '<input id="search" type="search" class="form-control form-control-sm" placeholder="Find a case"'
        ' aria-label="Find a case" autocomplete="off">'
        '<div class="form-check"><input id="failing" type="checkbox" class="form-check-input">'
        '<label class="form-check-label" for="failing">only failing</label></div>'
        '<button id="fold" type="button" class="btn btn-sm btn-outline-secondary">Open or close all</button>'
        '<button id="theme" type="button" class="btn btn-sm btn-outline-secondary">Theme</button>'
    )
    noscript = (
        '<noscript><p class="note">Drawing and finding need JavaScript; each plan is given as text.</p></noscript>'
    )
    return (
        element(
            "header",
            text("h1", title) + badge(report.passed) + text("span", said) + element("div", tools, class_="tools"),
            class_="head",
        )
        + noscript
    )


def _summary(report: Report, rows: list[tuple[CaseReport, int, Figures]]) -> str:
    measured = sizes(report)
    at = "at each size, the smallest first"
    if measured is not None:
        at = f"at {' / '.join(size_name(size) for size in measured)}"
    caption = (
        f"Figures {at}, one where all are the same; of the generic and the custom plan the dearer one."
        " Locks are those stronger than AccessShare."
    )
    shown = table(_HEADINGS, (_row(*row) for row in rows), class_="table table-sm table-hover")
    return shown + text("p", caption, class_="note")


def _row(case: CaseReport, number: int, told: Figures) -> str:
    cells = [
        element("td", text("a", case.name, href=f"#case-{number}"), class_="name"),
        element("td", badge(case.passed)),
        *(text("td", f, class_="num") for f in (told.statements, told.buffers, told.rows_read)),
        *(text("td", f, class_="num") for f in (told.wal_records, told.wal_bytes)),
        *(text("td", f, class_="small-list") for f in (told.seq_scans, told.locks)),
        *(text("td", f, class_="num") for f in (told.aborted, told.hot)),
    ]
    return element("tr", "".join(cells), data_case=case.name.lower(), data_passed=str(case.passed).lower())


def _suite(report: Report) -> str:
    if not report.violations:
        return ""
    return element("section", text("h2", "The suite itself") + violations_list(report.violations))
