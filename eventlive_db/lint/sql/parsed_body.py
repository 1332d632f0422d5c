"""A function's body, parsed into its statements."""

from __future__ import annotations

from dataclasses import dataclass

from eventlive_db.lint.sql.context import Fault
from eventlive_db.lint.sql.plpgsql import Embedded, PlpgsqlBody
from eventlive_db.lint.sql.text import Snippet
from eventlive_db.lint.sql.tree import Node


@dataclass(frozen=True, slots=True)
class BodyQuery:
    """A statement of a body, parsed.

    Attributes:
        snippet: Its text.
        node: ``{kind: body}``.
        embedded: In plpgsql, the statement it belongs to.
    """

    snippet: Snippet
    node: Node
    embedded: Embedded | None = None


@dataclass(slots=True)
class ParsedBody:
    """A function's body.

    Attributes:
        queries: Its statements and expressions.
        plpgsql: Where it is plpgsql, that.
        faults: What could not be parsed.
    """

    queries: list[BodyQuery]
    plpgsql: PlpgsqlBody | None
    faults: list[Fault]
