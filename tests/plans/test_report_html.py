"""What a person opens in a browser: one file that fetches nothing and runs nothing but its own scripts."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest

from eventlive_db.plans.frames import Place
from eventlive_db.plans.report import html_page
from eventlive_db.plans.verdict import Report, Violation
from eventlive_db.server import Server
from tests.plans.report_sample import HOSTILE, made_up, of_figures, real_report


@pytest.fixture(scope="module")
def report(pg_server: Server, schema_template: str) -> Report:
    """Calls that really ran."""
    return real_report(pg_server, schema_template)


VENDOR = Path(str(files("eventlive_db.plans.report"))) / "vendor"
FETCHING = {"src", "srcset", "href", "action", "formaction", "data", "poster", "background", "xlink:href"}


class Page(HTMLParser):
    """A page as a browser takes it apart."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.contents: list[str] = []
        self.open = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.contents.append("")
        self.open = True

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self.open = False

    def handle_data(self, data: str) -> None:
        if self.open:
            self.contents[-1] += data

    def of(self, tag: str, **attributes: str | None) -> list[str]:
        """The text at the beginning of each such element, up to the next tag."""
        found = zip(self.elements, self.contents, strict=True)
        return [c for (t, a), c in found if t == tag and all(a.get(k) == v for k, v in attributes.items())]

    def fetched(self) -> list[str]:
        """Addresses that a browser would load, other than those inside the page."""
        addresses = [v or "" for _, a in self.elements for k, v in a.items() if k in FETCHING]
        for style in [*self.of("style"), *(c for c in self.of("script", type="text/plain"))]:
            addresses += re.findall(r"url\(\s*[\"']?([^\"')]+)", style)
            addresses += re.findall(r"@import\s+[\"']?([^\"';]+)", style)
        return [a for a in addresses if not a.startswith(("#", "data:"))]


def policy(page: Page) -> str:
    """The content security policy."""
    return next(a["content"] or "" for t, a in page.elements if t == "meta" and a.get("http-equiv"))


def test_the_vendored_files_are_those_that_were_installed() -> None:
    entries = json.loads((VENDOR / "VERSIONS.json").read_text(encoding="utf-8"))["files"]
    for entry in entries:
        content = (VENDOR / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"], entry["file"]
        assert len(content) == entry["bytes"]
    ours = {"VERSIONS.json", "collect.py", "package.json", "package-lock.json"}
    assert {p.name for p in VENDOR.iterdir() if p.is_file()} == {e["file"] for e in entries} | ours
    wanted = json.loads((VENDOR / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert {e["package"]: e["version"] for e in entries} == wanted
    assert {f"LICENSE-{package}.txt" for package in wanted} <= {e["file"] for e in entries}


def test_the_lock_names_no_registry() -> None:
    lock = (VENDOR / "package-lock.json").read_text(encoding="utf-8")
    assert "resolved" not in lock
    assert "http" not in re.sub(r'"url": "[^"]+"', "", lock)  # where one may give a package's authors money


def test_no_part_of_the_page_can_end_its_own_element() -> None:
    for folder in (VENDOR, VENDOR.parent / "page"):
        for path in folder.iterdir():
            if path.suffix in {".js", ".css"}:
                content = path.read_text(encoding="utf-8")
                end = r"</script|<!--|\r" if path.suffix == ".js" else r"</|<!--|\r"
                assert not re.search(end, content, re.IGNORECASE), path.name


def test_nothing_is_fetched(report: Report) -> None:
    page = Page(html_page(report, title="Plans"))
    assert page.fetched() == []
    assert policy(page).startswith("default-src 'none'; script-src 'sha256-")
    assert "sourceMappingURL" not in html_page(made_up(), title="Plans")


@pytest.mark.parametrize(
    "markup",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link href="http://fonts.example/x.css">',
        "<style>p { background: url('//example/x.png') }</style>",
        "<style>@import 'https://example/x.css'</style>",
    ],
)
def test_the_check_for_what_is_fetched_finds_it(markup: str) -> None:
    assert len(Page(html_page(made_up(), title="Plans") + markup).fetched()) == 1


def test_the_policy_allows_the_scripts_of_the_page_and_no_other() -> None:
    page = Page(html_page(made_up(), title="Plans"))
    run = page.of("script", type=None)
    of_frames = [c for c in page.of("script", type="text/plain") if "use strict" in c or "Vue" in c]
    assert len(run) == 1
    hashes = {base64.b64encode(hashlib.sha256(c.encode()).digest()).decode() for c in (*run, *of_frames)}
    assert set(re.findall(r"'sha256-([^']+)'", policy(page))) == hashes
    assert "unsafe" not in policy(page).partition("style-src")[0]


def test_hostile_texts_are_text() -> None:
    violation = Violation(HOSTILE, HOSTILE, HOSTILE, HOSTILE, Place(HOSTILE, 3), "generic", 1000, HOSTILE, HOSTILE, 4)
    hostile = html_page(made_up(HOSTILE, name=HOSTILE, violations=(violation,)), title=HOSTILE)
    tame = html_page(made_up("tame", name="tame", violations=(violation,)), title="tame")
    assert [t for t, _ in Page(hostile).elements] == [t for t, _ in Page(tame).elements]
    assert not [a for _, attributes in Page(hostile).elements for a in attributes if a.startswith("on")]
    assert "<img" not in hostile
    assert html.escape("<img src=x onerror=alert(1)>") in hostile
    assert not set(hostile) & set("\x1b\x00\u202e")


def test_each_statement_has_its_plan_once_and_as_text(report: Report) -> None:
    page = Page(html_page(report, title="Plans"))
    statements = [a for t, a in page.elements if t == "details" and a.get("class") == "stmt"]
    plans = {
        a["id"]: c
        for (t, a), c in zip(page.elements, page.contents, strict=True)
        if a.get("type") == "application/json"
    }
    assert len(plans) == 3 * 2 * 2
    for statement in statements:
        entry = json.loads(plans[f"plans-{statement['data-plans']}"])[int(statement["data-index"] or "")]
        assert "Node Type" in entry["plan"]["Plan"]
        assert entry["query"]
    assert sum(len(json.loads(c)) for c in plans.values()) == len(statements)
    assert any("Index Scan using webinars_pkey on eventlive.webinars w (1 row)" in c for c in page.of("pre"))


def test_a_failing_case_is_open_and_marked_and_others_are_not(report: Report) -> None:
    page = Page(html_page(report, title="Plans"))
    cases = [a for t, a in page.elements if t == "details" and "case" in (a.get("class") or "").split()]
    assert [(a["id"], a["class"], "open" in a) for a in cases] == [
        ("case-1", "case", False),
        ("case-2", "case", False),
        ("case-3", "case fail", True),
    ]
    assert "- Index Scan using item_note" in "".join(page.of("span", **{"class": "gone"})).replace("-  ", "- ")
    assert "FAIL" not in "".join(Page(html_page(Report("a", "18", (of_figures(6, name="b"),)), title="t")).of("span"))


def test_the_browser_opens_what_the_address_names(tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("neither chromium nor google-chrome is installed")
    report = Report("suite", "18.6", (of_figures(6, name="first"), *made_up(HOSTILE).cases))
    (tmp_path / "page.html").write_text(html_page(report, title="Plans"), encoding="utf-8")
    told = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=3000",
            "--dump-dom",
            f"{(tmp_path / 'page.html').as_uri()}#statement-2-0-custom-0",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    page = Page(told)
    opened = [a["id"] for t, a in page.elements if t == "details" and "open" in a]
    assert opened == ["case-2", "statement-2-0-custom-0"]
    assert [t for t, _ in page.elements].count("iframe") == 1
    assert [t for t, _ in page.elements].count("img") == 0
