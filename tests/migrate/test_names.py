"""Names that a user may choose, and what rendering does with them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlive_db.migrate import MigrateError, NameRefusedError, Names, Options, render


@pytest.mark.parametrize("name", ["public", "api", "_x", "a1", "x" * 63])
def test_plain_identifiers_are_accepted_as_exposed_schema(name: str) -> None:
    assert Names(api_schema=name).api_schema == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Api",
        "1a",
        "a-b",
        'a"b',
        "a b",
        "a;drop",
        "é",
        "x" * 64,
        "api\n",
        "select",
        "user",
        "between",
        "system_user",
    ],
)
def test_names_that_would_need_quotes_are_refused(name: str) -> None:
    with pytest.raises(NameRefusedError, match="choose another one"):
        Names(api_schema=name)
    with pytest.raises(NameRefusedError, match="choose another one"):
        Names(owner=name)


@pytest.mark.parametrize("name", ["eventlive", "pg_catalog", "pg_x", "information_schema"])
def test_schemas_that_mean_something_else_are_refused(name: str) -> None:
    with pytest.raises(NameRefusedError):
        Names(api_schema=name)


@pytest.mark.parametrize("name", ["public", "none", "anon", "authenticated", "service_role", "pg_read_all_data"])
def test_roles_that_mean_something_else_are_refused_as_owner(name: str) -> None:
    with pytest.raises(NameRefusedError):
        Names(owner=name)


def test_rendering_replaces_whole_words_only() -> None:
    text = "eventlive_api.f eventlive_apis x_eventlive_api eventlive_api2 'eventlive_owner' eventlive_owner;"
    expected = "public.f eventlive_apis x_eventlive_api eventlive_api2 'boss' boss;"
    assert render(text, Names("public", "boss")) == expected


def test_names_may_be_swapped() -> None:
    assert render("eventlive_api eventlive_owner", Names("eventlive_owner", "eventlive_api")) == (
        "eventlive_owner eventlive_api"
    )


@given(st.text(alphabet="eventlive_apiowner. \n'", max_size=60))
def test_rendering_with_the_default_names_changes_nothing(text: str) -> None:
    assert render(text, Names()) == text


def test_other_names_than_those_installed_are_refused() -> None:
    with pytest.raises(MigrateError, match="installed with --api-schema public --owner boss"):
        Options(api_schema="api").names(Names("public", "boss"))


def test_names_of_the_installation_are_taken_where_none_are_given() -> None:
    assert Options().names(Names("public", "boss")) == Names("public", "boss")


def test_alembic_arguments_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTLIVE_DSN", "dbname=a")
    monkeypatch.setenv("EVENTLIVE_API_SCHEMA", "front")
    monkeypatch.setenv("EVENTLIVE_OWNER", "boss")
    options = Options.from_alembic({"dsn": "dbname=b", "discard_data": "on"})
    assert options == Options("dbname=b", "front", "boss", discard_data=True)


def test_unknown_alembic_arguments_are_refused() -> None:
    with pytest.raises(MigrateError, match="does not know schema"):
        Options.from_alembic({"schema": "public"})
