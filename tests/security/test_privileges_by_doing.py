"""What ``privileges.txt`` says is what happens: every role tries everything, by name (R17)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tests.security.attempts import functions, outcome, relations, surprises
from tests.security.matrix import EXPECTED, Matrix, parse

CLIENTS = ("anon", "authenticated", "service_role", "nobody")
OPEN = "grant usage on schema eventlive, eventlive_api to public"


@pytest.fixture(params=["plain", "generous"])
def admin(
    request: pytest.FixtureRequest, make_database: Callable[..., str], plain_template: str, generous_template: str
) -> Iterator[psycopg.Connection[Any]]:
    """The superuser, in a database that was installed plainly or under Supabase's default privileges."""
    template = {"plain": plain_template, "generous": generous_template}[request.param]
    with psycopg.connect(make_database(template), autocommit=True) as connection:
        yield connection


@pytest.fixture
def expected() -> Matrix:
    """The file."""
    return parse(EXPECTED.read_text(encoding="utf-8"))


def become(connection: psycopg.Connection[Any], role: str, nobody: str) -> None:
    """Act as a client role until the end of the transaction."""
    connection.execute(f'set local role "{nobody if role == "nobody" else role}"'.encode())


def test_the_private_schema_is_closed_to_every_client_by_name(
    admin: psycopg.Connection[Any], expected: Matrix, nobody: str
) -> None:
    statements = [
        *(f"select from {relation.name}" for relation in relations(admin) if relation.kind == "tables"),
        *(f"insert into {relation.name} default values" for relation in relations(admin) if relation.kind == "tables"),
        *(f"truncate {relation.name}" for relation in relations(admin) if relation.kind == "tables"),
        *(f"select nextval('{name}')" for name in expected.objects("sequences")),
        *(call for name, call in functions(admin).items() if name.startswith("eventlive.")),
    ]
    assert len(statements) > 90
    for role in CLIENTS:
        with admin.transaction(force_rollback=True):
            become(admin, role, nobody)
            answers = {outcome(admin, statement) for statement in statements}
        assert answers == {"permission denied for schema eventlive"}, role


@pytest.mark.parametrize("role", CLIENTS)
def test_with_the_schemas_open_a_client_could_do_no_more_than_the_matrix_says(
    admin: psycopg.Connection[Any], expected: Matrix, nobody: str, role: str
) -> None:
    found, calls = relations(admin), functions(admin)
    with admin.transaction(force_rollback=True):
        admin.execute(OPEN)
        become(admin, role, nobody)
        assert surprises(admin, expected, role, found, calls) == []


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_the_exposed_schema_works_as_it_is_installed(
    admin: psycopg.Connection[Any], expected: Matrix, nobody: str, role: str
) -> None:
    found = [relation for relation in relations(admin) if relation.name.startswith("eventlive_api.")]
    calls = {name: call for name, call in functions(admin).items() if name.startswith("eventlive_api.")}
    assert found
    assert calls
    with admin.transaction(force_rollback=True):
        become(admin, role, nobody)
        assert surprises(admin, expected, role, found, calls) == []


@pytest.mark.parametrize(
    ("fault", "role", "told"),
    [
        (
            "grant delete on eventlive.jobs to authenticated",
            "authenticated",
            "authenticated: delete from eventlive.jobs: may",
        ),
        (
            "grant update (nickname) on eventlive.registrations to anon",
            "anon",
            "anon: update of eventlive.registrations: ['nickname'] instead of []",
        ),
        (
            "grant execute on function eventlive.set_setting(text, jsonb) to public",
            "nobody",
            "nobody: execute eventlive.set_setting(text,jsonb): permission denied for function check_setting",
        ),
        (
            "revoke select (slug) on eventlive.webinars from anon",
            "anon",
            "anon: select slug of eventlive_api.webinars: permission denied for table webinars",
        ),
        (
            "revoke execute on function eventlive_api.webinar_leave from anon",
            "anon",
            "anon: execute eventlive_api.webinar_leave(uuid,uuid,uuid): permission denied for function webinar_leave",
        ),
    ],
)
def test_a_fault_is_met(
    make_database: Callable[..., str],
    plain_template: str,
    expected: Matrix,
    nobody: str,
    fault: str,
    role: str,
    told: str,
) -> None:
    with psycopg.connect(make_database(plain_template), autocommit=True) as connection:
        found, calls = relations(connection), functions(connection)
        with connection.transaction(force_rollback=True):
            connection.execute(fault.encode())
            connection.execute(OPEN)
            become(connection, role, nobody)
            assert told in surprises(connection, expected, role, found, calls)
