"""Calls that meet in the database: step by step with two sessions, and many at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg

from eventlive_db.client import Call, RpcError
from eventlive_db.client.calls import SET_IDENTITY
from tests.support.actors import Actor, Background, in_background, named, wait_until_blocked
from tests.support.database import EventliveDatabase
from tests.support.faults import break_function

GATE = 4711


@dataclass(frozen=True, slots=True)
class Step:
    """One call by one actor, made now or later."""

    actor: Actor
    function: str
    arguments: dict[str, object]

    def attempt(self) -> Any:
        """Call, and return the reply or the refusal; every other error is raised."""
        try:
            return self.actor.call(self.function, **self.arguments)
        except RpcError as refusal:
            return refusal


@dataclass(frozen=True, slots=True)
class Overlap:
    """What came of two calls, of which the second was made while the first one's transaction was open."""

    first: Any
    second: Any
    waited: bool


def overlap(db: EventliveDatabase, first: Step, second: Step, *, commits: bool) -> Overlap:
    """Make the second call while the first is done but open; then commit the first, or roll it back."""
    with first.actor.transaction() as transaction:
        reply = transaction.call(first.function, **first.arguments)
        background = in_background(second.attempt)
        waited = settled(db, background, second.actor)
        if not commits:
            raise psycopg.Rollback
    return Overlap(reply, background.result(), waited)


def settled(db: EventliveDatabase, step: Background, actor: Actor) -> bool:
    """Wait until a step has ended or waits for a lock that another one holds; say whether it waits."""
    for _ in range(12_000):
        if not step.thread.is_alive():
            return False
        if db.value("select cardinality(pg_blocking_pids(%s)) > 0", actor.pid):
            return True
        time.sleep(0.005)
    raise AssertionError("the step neither ends nor waits for a lock")


def pause_in(db: EventliveDatabase, function: str) -> None:
    """Make a function of this database stop where its body begins, for as long as the gate is closed."""
    stop = f"perform pg_advisory_lock_shared({GATE}); perform pg_advisory_unlock_shared({GATE});"
    break_function(db, function, "\nbegin\n", f"\nbegin\n    {stop}\n")


@contextmanager
def closed_gate(db: EventliveDatabase) -> Iterator[None]:
    """Hold every call that comes to a pause, until the end of the block."""
    holder = db.connect()
    holder.execute("select pg_advisory_lock(%s)", [GATE])
    try:
        yield
    finally:
        holder.execute("select pg_advisory_unlock(%s)", [GATE])


@contextmanager
def held(db: EventliveDatabase, statement: str, *parameters: object) -> Iterator[None]:
    """Run a statement as the superuser, keep its locks during the block, then undo it."""
    holder = db.connect()
    with holder.transaction(force_rollback=True):
        holder.execute(statement.encode(), parameters)
        yield


def deadlocks(db: EventliveDatabase, *actors: Actor) -> int:
    """Deadlocks that Postgres has broken in this database, those that these actors met included."""
    for actor in actors:
        actor.connection.execute("select pg_stat_force_next_flush()")
    return int(db.value("select deadlocks from pg_stat_database where datname = current_database()"))


@dataclass(frozen=True, slots=True)
class Footprint:
    """What one call leaves behind besides its reply."""

    wal_records: int
    assigned_xid: bool
    sequence_values: int


NOTHING = Footprint(0, False, 0)


def footprint(db: EventliveDatabase, step: Step) -> Footprint:
    """Make a call under EXPLAIN, as its actor, and measure it."""
    request: Call[Any] = Call(step.function, named(step.arguments))
    query = b"explain (analyze, wal, format json) " + request.query()
    before = sequence_values(db)
    connection = step.actor.connection
    with connection.transaction():
        connection.execute(SET_IDENTITY, step.actor.identity.settings())
        plan = connection.execute(query, request.parameters()).fetchone()
        xid = connection.execute("select pg_current_xact_id_if_assigned() is not null").fetchone()
    assert plan
    assert xid
    [entry] = plan[0]
    return Footprint(entry["Plan"]["WAL Records"], xid[0], sequence_values(db) - before)


def sequence_values(db: EventliveDatabase) -> int:
    """How many values all sequences of the schema have given out."""
    return int(db.value("select coalesce(sum(last_value), 0) from pg_sequences where schemaname = 'eventlive'"))


def rush(db: EventliveDatabase, gate: AbstractContextManager[None], steps: list[Step], *, times: int) -> list[Any]:
    """Make every step so many times, all steps at once, and return all replies and refusals.

    The gate is something that each step has to wait for; it opens when the last one has come to it.
    """
    calls = []
    try:
        with gate:
            for step in steps:
                calls.append(in_background(partial(_repeat, step, times)))
            for step in steps:
                wait_until_blocked(db.admin, step.actor.pid)
    finally:
        for call in calls:  # a connection must not be closed under a call
            call.thread.join()
    return [outcome for call in calls for outcome in call.result()]


def _repeat(step: Step, times: int) -> list[Any]:
    return [step.attempt() for _ in range(times)]
