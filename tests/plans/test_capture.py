"""Capture shows plans in both modes, goes on under any role, and leaves the connection as it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from eventlive_db.plans.capture import capture
from eventlive_db.plans.errors import CaptureUnavailableError
from eventlive_db.plans.measure import measuring
from eventlive_db.plans.model import MODES
from eventlive_db.server import Server
from tests.plans.capture_bench import Bench, capture_bench


@pytest.fixture(scope="module")
def app(pg_server: Server) -> Iterator[Bench]:
    with capture_bench(pg_server) as built:
        yield built


def test_a_generic_plan_shows_parameters_and_a_custom_one_values(app: Bench) -> None:
    generic, custom = (app.run("select app.plain(7)", mode).statements[0].node for mode in MODES)
    assert generic.conditions == (("Index Cond", "(items.id = $1)"),)
    assert custom.conditions == (("Index Cond", "(items.id = 7)"),)


def test_capture_goes_on_under_a_role_without_rights_which_cannot_turn_it_off(app: Bench) -> None:
    with psycopg.connect(app.dsn, autocommit=True) as connection, capture(connection) as statements:
        with connection.transaction(force_rollback=True):
            connection.execute(sql.SQL("set local role {}").format(sql.Identifier(app.role)))
            connection.execute("select set_config('request.jwt.claims', '{}', true)")
            connection.execute("select app.plain(7)")
            for setting in ("log_min_duration = -1", "log_nested_statements = off", "log_analyze = off"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                    connection.execute(f"set auto_explain.{setting}".encode())
            connection.execute("select app.plain(8)")
        assert [s.text for s in statements if s.place.name == "app.plain"] == [
            "select n from app.items where id = _id",
            "update app.items set n = n + 1 where id = _id",
        ] * 2


def test_after_the_block_nothing_is_captured_and_the_settings_are_as_before(app: Bench) -> None:
    def settings() -> list[tuple[Any, ...]]:
        return connection.execute(
            "select name, setting from pg_settings where source = 'session' order by 1"
        ).fetchall()

    with psycopg.connect(app.dsn, autocommit=True) as connection:
        before = settings()
        with capture(connection) as statements:
            connection.execute("select app.plain(1)")
        seen = len(statements)
        assert settings() == before
        connection.execute("select app.plain(1)")
        assert len(statements) == seen == 3


def test_a_role_that_may_not_load_auto_explain_is_told_what_it_takes(app: Bench) -> None:
    dsn = make_conninfo(app.dsn, user=app.role, password="x")
    with psycopg.connect(dsn) as connection, pytest.raises(CaptureUnavailableError) as caught, capture(connection):
        pass
    assert caught.value.token == "capture_unavailable"
    assert "auto_explain cannot be loaded" in str(caught.value)
    assert "takes a superuser" in caught.value.advice
    assert isinstance(caught.value.__cause__, psycopg.errors.InsufficientPrivilege)


def test_a_server_without_auto_explain_is_told_with_what_to_install(app: Bench) -> None:
    # As if the contrib package were not there: the server looks for its libraries elsewhere.
    dsn = make_conninfo(app.dsn, options="-c dynamic_library_path=/nonexistent")
    with pytest.raises(CaptureUnavailableError) as caught, measuring(dsn, "generic"):
        pass
    assert "postgresql-contrib" in caught.value.advice
    assert isinstance(caught.value.__cause__, psycopg.errors.UndefinedFile)
