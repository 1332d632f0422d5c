"""The faults of an outage, made for real, and what a log must say of each."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid4

import psycopg

from eventlive_db.logs import LogEvent

MISSING = """select r.id,\t'it''s "quoted", a,b;c\\' as "Ünï — 日本 🎥"
\tfrom eventlive.registrations r

 where r.user_id is not null -- 2026-11-21 22:00:00.000 UTC [1] ERROR:  relation "made_up" does not exist
"""
DUPLICATE = "insert into eventlive.registrations (webinar_id, user_id) values ('{0}', '{0}')"
# Lines that would be records of their own, if nobody minded quotes and tabs.
HOSTILE = """first
2026-11-21 22:00:00.000 UTC [1] a@b/c ERROR:  column "x" does not exist
2026-11-21 22:00:00.000 UTC,"u","d",1,"[local]",6a.1,1,"DO",2026-11-21 22:00:00 UTC,1/2,0,ERROR,42703,"x",,,,,,,,,"a"
{"timestamp":"2026-11-21 22:00:00.000 UTC","pid":1,"error_severity":"ERROR","state_code":"42703","message":"x"}
\tDETAIL:  "none\""""


@dataclass(frozen=True)
class Fault:
    """What was done.

    Attributes:
        sqlstate: How it ended.
        statement: The text of the statement, None where there is none.
    """

    sqlstate: str
    statement: str | None


def _fail(connection: psycopg.Connection[object], sqlstate: str, statement: str) -> Fault:
    try:
        connection.execute(statement.encode())
    except psycopg.Error as error:
        assert error.sqlstate == sqlstate, error  # noqa: PT017  # it returns where pytest.raises would go on
        connection.rollback()
        return Fault(sqlstate, statement)
    raise AssertionError(statement)


def make_faults(dsn: str) -> list[Fault]:
    """Do what fails; returns what the server refused, as the client saw it."""
    with psycopg.connect(dsn, application_name='app, "x"') as one, psycopg.connect(dsn) as two:
        made = [_fail(one, "42703", MISSING) for _ in range(3)]
        made.append(_fail(one, "42P01", "select 1 from eventlive.nothing"))
        made.append(_fail(one, "42883", "select eventlive.nothing(1)"))
        ident = uuid4()
        one.execute("insert into eventlive.webinars (id, slug) values (%s, %s)", [ident, str(ident)])
        one.execute(DUPLICATE.format(ident).encode())
        one.commit()
        made += [_fail(one, "23505", DUPLICATE.format(ident)) for _ in range(5)]
        made.append(_fail(one, "42501", "do 'begin set local role anon; perform 1 from eventlive.registrations; end'"))
        one.execute("set statement_timeout = '10ms'")
        one.commit()
        made.append(_fail(one, "57014", "select pg_sleep(100)"))
        one.execute("reset statement_timeout")
        one.execute("lock table eventlive.webinars")
        two.execute("set lock_timeout = '10ms'")
        two.commit()
        made.append(_fail(two, "55P03", "lock table eventlive.webinars"))
        one.commit()
        made.append(_fail(two, "P0001", f"do $do$ begin raise exception using message = $m${HOSTILE}$m$; end $do$"))
        two.execute("reset lock_timeout")
        two.commit()
        made += [_serialization(one, two, ident), _deadlock(one, two), _too_many(dsn)]
    return made


def _serialization(one: psycopg.Connection[object], two: psycopg.Connection[object], ident: object) -> Fault:
    change = f"update eventlive.webinars set slug = slug where id = '{ident}'"
    two.execute("set transaction isolation level repeatable read")
    two.execute("select 1 from eventlive.webinars")
    one.execute(change.encode())
    one.commit()
    return _fail(two, "40001", change)


def _deadlock(one: psycopg.Connection[object], two: psycopg.Connection[object]) -> Fault:
    statements = ["lock table eventlive.webinars", "lock table eventlive.profiles"]
    one.execute(statements[0].encode())
    two.execute(statements[1].encode())
    found: list[Fault] = []

    def lock(connection: psycopg.Connection[object], statement: str) -> None:
        try:
            connection.execute(statement.encode())
        except psycopg.errors.DeadlockDetected:
            found.append(Fault("40P01", statement))
        connection.rollback()

    thread = threading.Thread(target=lock, args=(two, statements[0]))
    thread.start()
    lock(one, statements[1])
    thread.join()
    [fault] = found
    return fault


def _too_many(dsn: str) -> Fault:
    with psycopg.connect(dsn, autocommit=True) as admin:
        role = f"limited_{uuid4().hex}"
        admin.execute(f"create role {role} login connection limit 0".encode())
        try:
            psycopg.connect(dsn, user=role)
        except psycopg.OperationalError as error:
            assert "too many connections" in str(error), error  # noqa: PT017  # libpq gives no SQLSTATE here
        else:
            raise AssertionError(role)
        finally:
            admin.execute(f"drop role {role}".encode())
    return Fault("53300", None)


def refused(events: Iterable[LogEvent]) -> Counter[Fault]:
    """What a log says was refused."""
    bad = (event for event in events if event.severity in ("ERROR", "FATAL", "PANIC"))
    return Counter(Fault(event.sqlstate or "P0001", event.statement) for event in bad)
