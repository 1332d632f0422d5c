"""What a name may mean at one place of a query: columns of its tables, those of the queries around it, variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from eventlive_db.lint.sql.catalog import Columns

Output = list[tuple[str, str]] | None
"""The columns of a result in order, with their types; None where they cannot be known."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A table, function, sub-select or CTE in a FROM clause.

    Attributes:
        alias: What the query calls it; empty where it has no name.
        columns: None where they cannot be known.
        relation: The qualified name of a table or view, else empty.
        hidden: Whether its columns need the alias in front, as those of OLD and NEW in RETURNING.
    """

    alias: str
    columns: Columns | None
    relation: str = ""
    hidden: bool = False

    @property
    def title(self) -> str:
        """For messages."""
        return self.relation or self.alias or "the sub-query"


@dataclass(frozen=True, slots=True)
class Scope:
    """One level of a query.

    Attributes:
        entries: What its FROM clause has brought so far.
        parent: The level around it.
        ctes: What WITH has defined here, by name.
    """

    entries: tuple[Entry, ...] = ()
    parent: Scope | None = None
    ctes: Mapping[str, Output] = field(default_factory=dict)

    def levels(self) -> Iterator[Scope]:
        """This one, then those around it."""
        level: Scope | None = self
        while level is not None:
            yield level
            level = level.parent

    def entry(self, alias: str) -> Entry | None:
        """The entry of that name, the nearest one."""
        return next((e for level in self.levels() for e in level.entries if e.alias == alias), None)

    def cte(self, name: str) -> tuple[bool, Output]:
        """Whether there is a CTE of that name, and its columns."""
        for level in self.levels():
            if name in level.ctes:
                return True, level.ctes[name]
        return False, None

    def with_entries(self, *entries: Entry) -> Scope:
        """The same level with more in its FROM clause."""
        return Scope((*self.entries, *entries), self.parent, self.ctes)


@dataclass(frozen=True, slots=True)
class Variable:
    """A parameter or variable.

    Attributes:
        type: Name of its type; ``record`` too; empty where it is not known.
        fields: Of a row or record, its fields; None where they cannot be known.
        title: For messages: what the fields belong to.
    """

    type: str = ""
    fields: Columns | None = None
    title: str = ""


@dataclass(slots=True)
class Variables:
    """What a function knows beside the tables.

    Attributes:
        named: Parameters and variables by name.
        qualifiers: What may stand in front of them: the function's name and the labels of its blocks.
    """

    named: dict[str, Variable] = field(default_factory=dict)
    qualifiers: set[str] = field(default_factory=set)


def as_columns(output: Output) -> Columns | None:
    """A result as what may be selected from it."""
    return None if output is None else dict(output)


def renamed(output: Output, names: list[str]) -> Output:
    """A result whose first columns get other names, as an alias with a list does.

    Where the columns are not known, they are not with the list either: there may be more of them.
    """
    if not names or output is None:
        return output
    return [(names[i] if i < len(names) else name, type_of) for i, (name, type_of) in enumerate(output)]
