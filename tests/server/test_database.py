"""Databases, connection strings, and servers that somebody else runs."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from eventlive_db.server import ContainerError, Server, ServerError, container_engine, open_server
from eventlive_db.server.conninfo import environment, psql_command, with_database

Ask = Callable[[str, str], Any]


def test_an_empty_database_is_empty_utf8_and_in_the_c_locale(empty_database: str, ask: Ask) -> None:
    query = "select (pg_encoding_to_char(encoding), datcollate, datctype)::text from pg_database "
    assert ask(empty_database, query + "where datname = current_database()") == "(UTF8,C,C)"
    assert ask(empty_database, "select count(*) from pg_tables where schemaname = 'public'") == 0


def test_a_database_is_a_copy_of_its_template(pg_server: Server, make_database: Callable[..., str], ask: Ask) -> None:
    template = make_database()
    with psycopg.connect(template) as connection:
        connection.execute("create table t as select 42 as answer")
    copy = make_database(str(conninfo_to_dict(template)["dbname"]))
    assert ask(copy, "select answer from t") == 42


def test_a_dropped_database_is_gone_even_with_a_client_in_it(pg_server: Server, ask: Ask) -> None:
    name = 'odd "name" %s'
    client = psycopg.connect(pg_server.create_database(name))
    pg_server.drop_database(name)
    pg_server.drop_database(name)
    with pytest.raises(psycopg.OperationalError):
        client.execute("select 1")
    client.close()
    assert ask(pg_server.dsn(), "select count(*) from pg_database where datname like 'odd%'") == 0


def test_an_explicit_dsn_is_used_as_it_is_and_not_stopped(empty_database: str, ask: Ask) -> None:
    with open_server(dsn=empty_database) as server:
        assert (server.kind, server.dsn(), server.tcp_dsn()) == ("dsn", empty_database, empty_database)
        assert server.ended() is None
    assert ask(empty_database, "select 1") == 1


def test_an_explicit_dsn_that_leads_nowhere_says_what_to_do() -> None:
    with (
        pytest.raises(ServerError, match="Correct the DSN"),
        open_server(dsn="host=/nonexistent dbname=x"),
    ):
        pass


def test_data_and_port_are_refused_where_they_would_mean_nothing(empty_database: str) -> None:
    with pytest.raises(ValueError, match="leave them out"):
        open_server(dsn=empty_database, port=5432)


@pytest.mark.parametrize(
    ("dsn", "dbname", "expected"),
    [
        ("postgresql://u:p@h:5/a?sslmode=disable", "b c", "postgresql://u:p@h:5/b%20c?sslmode=disable"),
        ("postgres://h1:1,h2:2/a", "b", "postgres://h1:1,h2:2/b"),
        ("postgresql://u@/a?host=%2Ftmp&port=1", "b", "postgresql://u@/b?host=%2Ftmp&port=1"),
        ("postgresql:///a", "b", "dbname=b"),
        ("postgresql://h/?dbname=a", "b", "host=h dbname=b"),
        ("host=h dbname=a", "b c", "host=h dbname='b c'"),
    ],
)
def test_another_database_of_the_same_server(dsn: str, dbname: str, expected: str) -> None:
    changed = with_database(dsn, dbname)
    assert conninfo_to_dict(changed) == conninfo_to_dict(expected)
    assert changed.startswith(("postgresql://", "postgres://")) == expected.startswith("postgres")


def test_the_psql_command_survives_a_shell_and_keeps_the_password_off_the_command_line() -> None:
    words = shlex.split(psql_command("postgresql://u:p%27%20w@h/d"))
    assert words[:2] == ["PGPASSWORD=p' w", "psql"]
    assert conninfo_to_dict(words[2]) == {"user": "u", "host": "h", "dbname": "d"}


def test_the_environment_leads_to_the_same_server() -> None:
    assert environment("postgresql://u:p@h:5/d?sslmode=disable&application_name=x") == {
        "PGUSER": "u",
        "PGPASSWORD": "p",
        "PGHOST": "h",
        "PGPORT": "5",
        "PGDATABASE": "d",
        "PGSSLMODE": "disable",
    }


@pytest.mark.parametrize("address", ["unix:///nonexistent/docker.sock", "tcp://127.0.0.1:1", "nonsense://x"])
def test_no_container_engine_is_a_clear_error(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    pytest.importorskip("testcontainers")
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(ContainerError, match="no container engine answers; start Docker"):
        container_engine()
    with pytest.raises(ContainerError, match="no container engine answers"), open_server(kind="container"):
        pass


@pytest.mark.container
def test_a_container_has_the_settings_and_is_gone_afterwards(ask: Ask) -> None:
    pytest.importorskip("testcontainers")
    try:
        container_engine()
    except ContainerError as exc:
        pytest.skip(str(exc))
    with open_server(kind="container") as server:
        database = server.create_database("try")
        assert ask(database, "show fsync") == "off"
        assert ask(database, "show data_checksums") == "off"
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(database, connect_timeout=2)
