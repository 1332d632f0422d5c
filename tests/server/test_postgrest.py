"""Where PostgREST comes from, and its config file. That it runs is what the HTTP tests show."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventlive_db.server.errors import NoPostgRESTError
from eventlive_db.server.postgrest import config_for, find_postgrest, with_settings
from tests.support.http_server import snippet

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "postgrest.md"


def program(path: Path, mode: int = 0o755) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.delenv("EVENTLIVE_POSTGREST", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def test_the_one_given_comes_before_the_variable_and_that_before_path(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, named, on_path = (program(nowhere / place / "postgrest") for place in ("a", "b", "bin"))
    assert find_postgrest() == on_path
    monkeypatch.setenv("EVENTLIVE_POSTGREST", str(named))
    assert find_postgrest() == named
    assert find_postgrest(given) == given


def test_where_there_is_none_it_says_how_to_get_it(nowhere: Path) -> None:
    with pytest.raises(NoPostgRESTError, match="put a postgrest 12 on PATH"):
        find_postgrest()


@pytest.mark.parametrize("kind", ["nothing", "a directory", "no program"])
def test_what_is_none_is_not_taken_and_no_other_in_its_place(nowhere: Path, kind: str) -> None:
    program(nowhere / "bin" / "postgrest")
    place = nowhere / "x"
    if kind == "a directory":
        place.mkdir()
    elif kind == "no program":
        program(place, 0o644)
    with pytest.raises(NoPostgRESTError, match="there is no program"):
        find_postgrest(place)


def test_its_config_is_that_of_the_document() -> None:
    ours = config_for(
        "postgresql://authenticator:change-me@127.0.0.1:5432/webinars",
        "at-least-32-characters-of-the-service-that-signs",
    )
    assert ours == snippet(DOCUMENT, "ini")
    assert config_for("postgresql://a:b@c:1/d", "s" * 32, db_pool=40) == with_settings(
        config_for("postgresql://a:b@c:1/d", "s" * 32), {"db-pool": 40}
    )
    assert 'db-schemas = "front"\n' in config_for("postgresql://a:b@c:1/d", "s" * 32, "front")


def test_a_setting_that_is_not_there_is_not_added() -> None:
    with pytest.raises(KeyError):
        with_settings("db-pool = 10\n", {"db-pol": 20})
