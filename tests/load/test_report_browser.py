"""The report of a load run in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from eventlive_db.load.report import html_page
from eventlive_db.load.report.numbers import number, seconds
from tests.load.report_sample import (
    END_S,
    HOSTILE,
    SPIKE_MS,
    changed,
    hour,
    small,
)
from tests.support.browser import Browser

BOX = "(e => { const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom] })"


def box(browser: Browser, selector: str) -> list[float]:
    """Where an element is: left, top, right, bottom."""
    found: list[float] = browser.ask(f"{BOX}(document.querySelector({json.dumps(selector)}))")
    return found


def background(browser: Browser) -> str:
    return str(browser.ask("getComputedStyle(document.body).backgroundColor"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_draws_every_line_and_asks_for_nothing(
    browser: Browser, page: str, tmp_path: Path, scheme: str
) -> None:
    browser.open(page, tmp_path, scheme=scheme)
    assert browser.complaints() == []
    assert [address.partition(":")[0] for address in browser.requests()] == ["file"]
    assert background(browser) == {"light": "rgb(244, 246, 248)", "dark": "rgb(13, 17, 23)"}[scheme]
    lines = browser.ask(
        "[...document.querySelectorAll('.plot')].map(p => new Set([...p.querySelectorAll('.line')]"
        ".map(e => e.dataset.line)).size)"
    )
    assert lines == [len(plot["lines"]) for plot in hour()["plots"]]
    sizes = browser.ask(f"[...document.querySelectorAll('.line')].map({BOX})")
    assert all(right - left > 20 for left, _, right, _ in sizes)
    strokes = browser.ask(
        "[...document.querySelectorAll('.plot:first-of-type .line')].map(e => getComputedStyle(e).stroke)"
    )
    assert len(set(strokes)) == 3
    assert "none" not in strokes


def test_what_a_page_asks_for_or_complains_of_is_seen(browser: Browser, page: str, tmp_path: Path) -> None:
    without = re.sub(r"<meta http-equiv[^>]*>", "", page)
    browser.open(without.replace("</main>", '<img src="http://127.0.0.1:9/x.png"></main>'), tmp_path)
    assert "http://127.0.0.1:9/x.png" in browser.requests()
    browser.open(page.replace("</main>", "<script>document.title = 1</script></main>"), tmp_path)
    assert browser.complaints()
    assert browser.ask("document.title") != "1"


def test_the_reader_may_choose_the_colours_with_scripts_and_without(browser: Browser, tmp_path: Path) -> None:
    light = "rgb(244, 246, 248)"
    for scripts in (True, False):
        browser.open(html_page(small()), tmp_path, scheme="dark", scripts=scripts)
        assert background(browser) != light
        for label, is_light in ((2, True), (1, False)):
            left, top, right, bottom = box(browser, f".theme label:nth-of-type({label})")
            browser.click((left + right) / 2, (top + bottom) / 2)
            assert (background(browser) == light) == is_light
        # What only a script can do is not offered without one.
        hidden = browser.ask("[...document.querySelectorAll('.hint, .download')].map(e => e.hidden)")
        assert hidden == [not scripts] * 2


def test_spike_and_limit_are_at_their_heights_on_the_screen(browser: Browser, page: str, tmp_path: Path) -> None:
    browser.open(page, tmp_path)
    [_, top, _, bottom] = box(browser, "#run-1-plot-9 .axis")
    foot = (top + bottom) / 2
    [_, spike, _, _] = box(browser, "#run-1-plot-9 .line")
    [_, top, _, bottom] = box(browser, "#run-1-plot-9 line.limit")
    limit = (top + bottom) / 2
    assert foot - limit > 100
    # Strokes have a width.
    assert (foot - spike) / (foot - limit) == pytest.approx(SPIKE_MS / 500, abs=0.02)


def test_the_cursor_reads_all_plots_at_one_time(browser: Browser, page: str, tmp_path: Path) -> None:
    results = hour()
    # As wide as that a sample has more than two pixels.
    browser.open(page, tmp_path, width=1000)
    browser.ask("document.querySelector('#run-1-plot-1 .chart').scrollIntoView({block: 'center'})")
    left, top, right, bottom = box(browser, "#run-1-plot-1 .chart")
    for index in (0, 93, 156, 372):
        at = results["plots"][0]["t"][index]
        browser.point(min(left + (right - left) * at / END_S, right - 1), (top + bottom) / 2)
        browser.drawn()
        for place, plot in ((1, results["plots"][0]), (5, results["plots"][4]), (6, results["plots"][5])):
            shown = browser.ask(
                f"[...document.querySelectorAll('#run-1-plot-{place} [data-highest]')].map(e => e.textContent)"
            )
            factor = 1000 if plot["unit"] == "B/s" else 1
            assert shown == [number(line["values"][index] / factor) for line in plot["lines"]]
        times = browser.ask("[...document.querySelectorAll('.when')].map(e => e.textContent)")
        assert set(times[:8]) == {seconds(at)}
    cursors = browser.ask(
        "[...document.querySelectorAll('.cursor')].map(e => [e.getAttribute('x1'), e.getAttribute('visibility')])"
    )
    assert {tuple(cursor) for index, cursor in enumerate(cursors) if index != 8} == {("100%", "visible")}
    browser.point(1, 1)
    browser.drawn()
    assert set(browser.ask("[...document.querySelectorAll('.when')].map(e => e.textContent)")) == {"highest"}


def test_the_cursor_finds_the_spike_and_says_it_to_those_who_use_keys(
    browser: Browser, page: str, tmp_path: Path
) -> None:
    browser.open(page, tmp_path)
    browser.ask("document.querySelector('#run-1-plot-9 .chart').focus()")
    browser.press("Home")
    for _ in range(5):
        browser.press("PageDown")
    assert seconds(5 * 2976 / 8) in browser.ask("document.getElementById('said').textContent")
    for _ in range(3):
        browser.press("ArrowRight")
    assert browser.ask("document.getElementById('said').textContent").startswith(seconds((5 * 2976 + 3) / 8))
    browser.press("Escape")
    browser.drawn()
    assert set(browser.ask("[...document.querySelectorAll('.when')].map(e => e.textContent)")) == {"highest"}


def test_the_cursor_tells_figures_as_the_tables_do(browser: Browser, tmp_path: Path) -> None:
    values = [0, 1, 12.345, 99.97, 9.996, 999.7, 99.9999, 1000.5, 1234567.8, 0.04567, -5.25, 1e-9]
    times = [index * 61.3 for index in range(len(values))]
    lines = [{"name": "v", "values": values}]
    plot = {"title": "p", "unit": "", "log": False, "limit": None, "t": times, "lines": lines}
    browser.open(html_page(small(plots=[plot], events=[])), tmp_path)
    browser.ask("document.querySelector('.chart').focus()")
    for value, at in zip(values, times, strict=True):
        browser.press("ArrowRight")
        said = browser.ask("document.getElementById('said').textContent")
        assert said == f"{seconds(at)}: v {number(value)}"


def test_a_hostile_run_is_text_in_a_browser_too(browser: Browser, tmp_path: Path) -> None:
    browser.open(html_page(changed(small(), lambda text: HOSTILE + text)), tmp_path)
    assert browser.complaints() == []
    assert len(browser.requests()) == 1
    assert browser.ask("document.images.length") == 0
    assert browser.ask("document.querySelectorAll('.chart .cursor').length") == 1


@pytest.mark.parametrize("width", [360, 700, 1600])
def test_the_page_fits_its_window(browser: Browser, page: str, tmp_path: Path, width: int) -> None:
    browser.open(page, tmp_path, width=width)
    assert browser.ask("document.documentElement.scrollWidth") <= width
    columns = browser.ask(
        "new Set([...document.querySelectorAll('.plot')].map(e => e.getBoundingClientRect().left)).size"
    )
    assert columns == (2 if width == 1600 else 1)


def test_the_results_can_be_downloaded(browser: Browser, tmp_path: Path) -> None:
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path), eventsEnabled=True)
    browser.open(html_page(small()), tmp_path)
    browser.ask("document.querySelector('.download').click()")
    browser.until("Browser.downloadProgress", state="completed")
    assert json.loads((tmp_path / "s1.json").read_text(encoding="utf-8")) == small()
