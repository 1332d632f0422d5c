"""Fixtures for the tests of the plan guard as a stranger's project uses it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eventlive_db.server import Server
from tests.plans.plugin_project import VARIABLES, Project, databases


@pytest.fixture
def project(pytester: pytest.Pytester, pg_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project with the schema of the example; whatever happens in it, no database stays."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    before = databases(pg_server)
    yield Project(pytester, pg_server)
    assert databases(pg_server) == before
