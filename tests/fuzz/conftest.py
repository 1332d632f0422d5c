"""A database for the fuzzers of a test file, and the sum of what they met at the end of the run."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from eventlive_db.server import Server
from tests.fuzz.budget import PROPERTY, SEED
from tests.fuzz.world import World
from tests.support.database import EventliveDatabase


@pytest.fixture(scope="module")
def make_stage(pg_server: Server, schema_template: str) -> Iterator[Callable[[], EventliveDatabase]]:
    """Make a database that all tests of the file share; it goes with the last of them."""
    made: list[tuple[str, EventliveDatabase]] = []

    def make() -> EventliveDatabase:
        name = f"fuzz_{secrets.token_hex(8)}"
        made.append((name, EventliveDatabase(pg_server.create_database(name, schema_template))))
        return made[-1][1]

    yield make
    for name, db in made:
        db.close()
        pg_server.drop_database(name)


@pytest.fixture(scope="module")
def world(make_stage: Callable[[], EventliveDatabase]) -> World:
    """One world for all calls; each call leaves it as it was."""
    return World(make_stage())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many calls were made and what they came to, added up over all fuzzers and workers."""
    met: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == PROPERTY and getattr(report, "when", "") == "call":
                    met.update(value)
    if met:
        terminalreporter.section(f"fuzz: {met.total()} calls")
        terminalreporter.line(f"seed: {SEED or 'none, the usual examples'}")
        for word, number in met.most_common():
            terminalreporter.line(f"{number:8}  {word}")
