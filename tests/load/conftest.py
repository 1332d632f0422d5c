"""What the tests of a report share: the page of an hour, and a browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from eventlive_db.load.report import html_page
from tests.load.report_sample import hour
from tests.support.browser import Browser


@pytest.fixture(scope="module")
def page() -> str:
    """The page of an hour."""
    return html_page(hour())


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser; each test opens what it wants."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("neither chromium nor google-chrome is installed")
    opened = Browser(program, tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()
