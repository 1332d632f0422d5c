"""Every role has on every object what ``privileges.txt`` says, and so wherever the package is installed (R17)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from eventlive_db.migrate import Options, upgrade
from eventlive_db.resources import sql_dir
from tests.security.matrix import ALL, EXPECTED, ROLES, Matrix, differences, parse, read_matrix, render

Databases = Callable[..., str]


@contextmanager
def connected(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection in autocommit mode."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


def expected() -> Matrix:
    """The file."""
    return parse(EXPECTED.read_text(encoding="utf-8"))


def test_every_role_has_what_the_file_says(
    make_database: Databases, plain_template: str, nobody: str, pytestconfig: pytest.Config
) -> None:
    with connected(make_database(plain_template)) as admin:
        found = read_matrix(admin, nobody)
    if pytestconfig.getoption("privileges_update", default=False):
        EXPECTED.write_text(render(found), encoding="utf-8")
    assert differences(expected(), found) == []


def test_default_privileges_like_those_of_supabase_change_nothing(
    make_database: Databases, generous_template: str, nobody: str
) -> None:
    with connected(make_database(generous_template)) as admin:
        # They are there, and would have given all of this away.
        admin.execute("set role eventlive_owner")
        admin.execute("create table eventlive.bait (id int); create function eventlive.bait() returns int return 1")
        admin.execute("reset role")
        baited = read_matrix(admin, nobody).lines
        assert baited["tables of eventlive", "eventlive.bait"]["anon"] == ALL
        assert baited["functions of eventlive", "eventlive.bait()"]["authenticated"] == "X"
        admin.execute("drop table eventlive.bait; drop function eventlive.bait()")
        assert differences(expected(), read_matrix(admin, nobody)) == []


def test_default_privileges_on_schemas_change_nothing(
    make_database: Databases, plain_template: str, nobody: str
) -> None:
    """Which Supabase does not set; a schema that a client may create in is one for its functions, too."""
    dsn = make_database()
    with connected(dsn) as admin:
        admin.execute("alter default privileges for role eventlive_owner grant all on schemas to anon, authenticated")
        upgrade(Options(dsn))
        assert differences(expected(), read_matrix(admin, nobody)) == []


def test_the_declared_schema_takes_nothing_from_default_privileges_either(
    make_database: Databases, schema_template: str, nobody: str
) -> None:
    """A revoke that is missing in ``sql/`` shows only where something would be granted."""
    with connected(make_database(schema_template)) as plain, connected(make_database()) as generous:
        for kind in ("tables", "functions"):
            generous.execute(
                f"alter default privileges for role eventlive_owner grant all on {kind} to anon, authenticated".encode()
            )
        with generous.transaction():
            for path in sorted(sql_dir().glob("*/*.sql")):
                generous.execute(path.read_bytes())
        declared = read_matrix(plain, nobody)
        assert differences(declared, read_matrix(generous, nobody)) == []
        # Without its revoke, a function would have been granted.
        generous.execute("set role eventlive_owner")
        generous.execute("create function eventlive_api.bait() returns int return 1")
        generous.execute("reset role")
        [told] = differences(declared, read_matrix(generous, nobody))
        assert "eventlive_api.bait() has no expectation: public X, nobody X, anon X, authenticated X" in told


def test_the_file_is_as_it_would_be_written() -> None:
    text = EXPECTED.read_text(encoding="utf-8")
    assert render(parse(text)) == text


def test_nobody_has_what_public_has() -> None:
    assert all(cells["nobody"] == cells["public"] for cells in expected().lines.values())


SESSIONS = (
    "eventlive.webinar_user_sessions (webinar_id, session_id, user_id, entered_at, last_heartbeat_at, expires_at,"
    " exited_at, exit_reason, replaced_by, watched_seconds"
)
FAULTS = {
    "grant": (
        "grant update on eventlive.registrations to authenticated",
        ["[tables of eventlive] eventlive.registrations: authenticated has rw, expected is r"],
    ),
    "grant-of-a-column": (
        "grant select (leave_token) on eventlive.webinar_user_sessions to service_role",
        [
            f"[tables of eventlive] {SESSIONS}): service_role has -, expected is r",
            f"[tables of eventlive] {SESSIONS}, leave_token) has no expectation: service_role r",
        ],
    ),
    "grant-of-a-schema": (
        "grant usage on schema eventlive to public",
        [
            f"[schemas] eventlive: {role} has U, expected is -"
            for role in ("anon", "authenticated", "nobody", "public", "service_role")
        ],
    ),
    "grant-to-public": (
        "grant truncate on eventlive_api.webinars to public",
        [
            f"[views of eventlive_api] eventlive_api.webinars: {role} has {held}D, expected is {held or '-'}"
            for role, held in (
                ("anon", "r"),
                ("authenticated", "r"),
                ("nobody", ""),
                ("public", ""),
                ("service_role", "r"),
            )
        ],
    ),
    "write-to-a-column": (
        "grant update (nickname) on eventlive.registrations to authenticated",
        ["[tables of eventlive] eventlive.registrations (nickname) has no expectation: authenticated w"],
    ),
    "execute-for-public": (
        "grant execute on function eventlive.require_user() to public",
        [
            f"[functions of eventlive] eventlive.require_user(): {role} has X, expected is -"
            for role in ("anon", "authenticated", "nobody", "public", "service_role")
        ],
    ),
    "grant-by-membership": (
        (
            "create role {role}; grant select on eventlive.jobs to {role}; grant {role} to anon;"
            "alter role anon inherit; {inherit}"
        ),
        ["[tables of eventlive] eventlive.jobs: anon has r, expected is -"],
    ),
    "revoke": (
        "revoke select on eventlive_api.webinars from anon",
        ["[views of eventlive_api] eventlive_api.webinars: anon has -, expected is r"],
    ),
    "new-table": (
        "set role eventlive_owner; create table eventlive.extra (id int); reset role",
        [
            "[tables of eventlive] eventlive.extra has no expectation: eventlive_owner all",
            (
                "[types of eventlive] eventlive.extra has no expectation: public U, nobody U, anon U, authenticated U,"
                " service_role U, eventlive_owner U"
            ),
        ],
    ),
    "new-definer-function": (
        "create function eventlive_api.extra() returns int language plpgsql security definer as 'begin return 1; end'",
        [
            (
                "[functions of eventlive_api] eventlive_api.extra() has no expectation: public X, nobody X, anon X,"
                " authenticated X, service_role X, eventlive_owner X"
            )
        ],
    ),
    "new-sequence": (
        "create sequence eventlive.extra; grant usage on eventlive.extra to anon",
        ["[sequences of eventlive] eventlive.extra has no expectation: anon U"],
    ),
    "object-gone": (
        "drop function eventlive_api.webinar_leave(uuid, uuid, uuid)",
        ["[functions of eventlive_api] eventlive_api.webinar_leave(uuid,uuid,uuid) is expected and does not exist"],
    ),
}


@pytest.mark.parametrize(("fault", "told"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told(
    make_database: Databases, plain_template: str, nobody: str, fault: str, told: list[str]
) -> None:
    role = f"{nobody}_other"
    with connected(make_database(plain_template)) as admin, admin.transaction(force_rollback=True):
        inherit = f"grant {role} to anon with inherit true" if admin.info.server_version >= 160000 else "select 1"
        admin.execute(fault.format(role=role, inherit=inherit).encode())
        assert differences(expected(), read_matrix(admin, nobody)) == sorted(told)


def test_the_roles_are_those_that_a_gateway_can_switch_to_and_the_owner() -> None:
    assert set(ROLES) >= {"public", "anon", "authenticated", "service_role", "eventlive_owner"}
