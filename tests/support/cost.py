"""What a call costs, as a budget reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eventlive_db.client import Call
from eventlive_db.client.calls import SET_IDENTITY
from eventlive_db.plans.capture import capture
from eventlive_db.plans.model import Statement
from tests.support.actors import Actor, named


@dataclass(frozen=True, slots=True)
class Cost:
    """One call: the statements that touch tables, and what the whole call did."""

    statements: tuple[Statement, ...]
    buffers: int
    wal_records: int
    assigned_xid: bool

    @property
    def relations(self) -> set[str]:
        """The tables that were touched."""
        return {relation for statement in self.statements for relation in statement.relations}


def cost_of(actor: Actor, function: str, /, **arguments: object) -> Cost:
    """Make a call on the actor's connection and measure it; it is committed.

    Make it once before on the same connection and throw that away: the first one also reads the catalog.
    """
    connection = actor.connection
    request: Call[Any] = Call(function, named(arguments))
    with capture(connection) as statements, connection.transaction():
        connection.execute(SET_IDENTITY, actor.identity.settings())
        connection.execute(request.query(), request.parameters())
        row = connection.execute("select pg_current_xact_id_if_assigned() is not null").fetchone()
    assert row
    call = next(s for s in reversed(statements) if f".{function}(" in s.query)
    return Cost(
        statements=tuple(s for s in statements if s is not call and s.relations),
        buffers=call.buffers,
        wal_records=call.wal_records,
        assigned_xid=row[0],
    )
