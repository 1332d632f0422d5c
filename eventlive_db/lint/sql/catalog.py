"""What a schema holds, as its DDL says. A copy is cheap, for the entries themselves never change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from eventlive_db.lint.sql.text import Snippet
from eventlive_db.lint.sql.tree import Node

Columns = Mapping[str, str]
"""Columns by name, with the name of their type; an empty name where it is not known."""

# Whatever a file puts there, most of it comes with the server.
_OF_POSTGRES = frozenset({"pg_catalog", "information_schema"})
SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an object was defined.

    Attributes:
        statement: The text of the statement.
        index: Character of it where the name stands.
        step: Number of the migration; 0 for a declared schema.
    """

    statement: Snippet
    index: int
    step: int = 0


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, view or composite type.

    Attributes:
        name: Qualified.
        kind: ``table``, ``view``, ``type`` or ``sequence``.
        columns: None where they cannot be known.
        origin: Where it was created.
        parent: Of a partition, the table it belongs to.
        row_security: Whether it was enabled.
        constraints: Constraints by name, with their kind.
    """

    name: str
    kind: str
    columns: Columns | None
    origin: Origin
    parent: str = ""
    row_security: bool = False
    constraints: Mapping[str, str] = field(default_factory=dict)
    reads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One of a function.

    Attributes:
        name: May be empty.
        type: Name of its type.
        mode: ``in``, ``out``, ``inout``, ``variadic`` or ``table``.
        has_default: Whether a call may leave it out.
    """

    name: str
    type: str
    mode: str
    has_default: bool


@dataclass(frozen=True, slots=True)
class Function:
    """A function, procedure or aggregate.

    Attributes:
        name: Qualified.
        kind: ``function``, ``procedure`` or ``aggregate``.
        parameters: All of them, in order.
        returns: Name of the type; ``void`` and ``trigger`` too; empty where it is not known.
        returns_set: Whether rows.
        language: In lower case.
        definer: Whether it runs as its owner.
        settings: What ``set name = value`` says, by name; the values of a list in order.
        origin: Where it was created.
        node: The body of its CreateFunctionStmt.
    """

    name: str
    kind: str
    parameters: tuple[Parameter, ...]
    returns: str
    returns_set: bool
    language: str
    definer: bool
    settings: Mapping[str, tuple[str, ...]]
    origin: Origin
    node: Node = field(repr=False, compare=False)

    @property
    def inputs(self) -> list[Parameter]:
        """What a call may pass."""
        return [p for p in self.parameters if p.mode in {"in", "inout", "variadic"}]

    @property
    def outputs(self) -> list[Parameter]:
        """What a row of the result holds, where parameters say so."""
        return [p for p in self.parameters if p.mode in {"out", "inout", "table"}]

    @property
    def signature(self) -> tuple[str, ...]:
        """Types that tell it from others of its name."""
        return tuple(p.type for p in self.inputs)

    @property
    def title(self) -> str:
        """As ``drop function`` wants it."""
        return f"{self.name}({', '.join(self.signature)})"


@dataclass(frozen=True, slots=True)
class Attached:
    """A trigger, policy or index.

    Attributes:
        name: Its own; an index's is qualified.
        table: The qualified table.
        origin: Where it was created.
        function: Of a trigger, what it calls.
        events: Of a trigger: insert, update, delete, truncate.
        columns: Of a trigger ``update of``, those columns.
    """

    name: str
    table: str
    origin: Origin
    function: str = ""
    events: frozenset[str] = frozenset()
    columns: tuple[str, ...] = ()


@dataclass(slots=True)
class Catalog:
    """All of a schema.

    Attributes:
        schemas: Where each was created; those that only hold objects are there too.
        relations: By qualified name.
        functions: By qualified name; several under one name are overloads.
        types: Enumerations, domains and ranges, with where they were created.
        triggers: By table and name.
        policies: By table and name.
        indexes: By qualified name.
        comments: Kind and name of what has one.
        closed: Functions by title whose EXECUTE was taken from public, with the file where.
        external: Patterns of qualified names that exist though no file creates them.
        declared: Schemas that the configuration names.
        opaque: Whether something that is not read here may have made more.
    """

    schemas: dict[str, Origin] = field(default_factory=dict)
    relations: dict[str, Relation] = field(default_factory=dict)
    functions: dict[str, tuple[Function, ...]] = field(default_factory=dict)
    types: dict[str, Origin] = field(default_factory=dict)
    triggers: dict[tuple[str, str], Attached] = field(default_factory=dict)
    policies: dict[tuple[str, str], Attached] = field(default_factory=dict)
    indexes: dict[str, Attached] = field(default_factory=dict)
    comments: set[tuple[str, str]] = field(default_factory=set)
    closed: dict[str, str] = field(default_factory=dict)
    external: tuple[str, ...] = ()
    declared: frozenset[str] = frozenset()
    opaque: bool = False

    def copy(self) -> Catalog:
        """One that changes on its own."""
        return replace(
            self,
            schemas=dict(self.schemas),
            relations=dict(self.relations),
            functions=dict(self.functions),
            types=dict(self.types),
            triggers=dict(self.triggers),
            policies=dict(self.policies),
            indexes=dict(self.indexes),
            comments=set(self.comments),
            closed=dict(self.closed),
        )

    def is_declared(self, schema: str) -> bool:
        """Whether all that a schema holds is known here."""
        known = schema in self.declared or (schema in self.schemas and schema not in _OF_POSTGRES)
        return known and not self.opaque

    def is_external(self, name: str) -> bool:
        """Whether a name is said to exist elsewhere."""
        return any(fnmatchcase(name, pattern) for pattern in self.external)

    def candidates(self, name: tuple[str, ...], path: Iterable[str]) -> Iterator[str]:
        """The qualified names that a name as written may stand for, best first."""
        if len(name) > 1:
            yield ".".join(name[-2:])
        elif name:
            # Temporary tables come first, wherever the path has their schema.
            yield f"pg_temp.{name[0]}"
            yield from (f"{schema}.{name[0]}" for schema in path)

    def relation(self, name: tuple[str, ...], path: Iterable[str] = ()) -> Relation | None:
        """The relation that a name stands for."""
        return next((self.relations[n] for n in self.candidates(name, path) if n in self.relations), None)

    def composite(self, type_name: str, path: Iterable[str] = ()) -> Relation | None:
        """The relation whose row type a type is."""
        return self.relation(tuple(type_name.split(".")), path) if type_name else None

    def overloads(self, name: tuple[str, ...], path: Iterable[str] = ()) -> list[Function]:
        """The functions that a name stands for."""
        return [f for n in self.candidates(name, path) for f in self.functions.get(n, ())]

    def all_functions(self) -> Iterator[Function]:
        """Each of them, in the order of their names."""
        for name in sorted(self.functions):
            yield from self.functions[name]

    def objects(self) -> set[tuple[str, str]]:
        """Kind and name of all there is, to compare two states."""
        found = {("schema", name) for name, origin in self.schemas.items() if origin.index >= 0}
        found |= {(r.kind, r.name) for r in self.relations.values() if r.kind != "sequence"}
        found |= {
            ("column", f"{r.name}.{column}")
            for r in self.relations.values()
            if r.kind != "view"
            for column in r.columns or ()
        }
        found |= {("constraint", f"{c} on {r.name}") for r in self.relations.values() for c in r.constraints}
        found |= {(f.kind, f.title) for f in self.all_functions()}
        found |= {("type", name) for name in self.types}
        found |= {("trigger", f"{name} on {table}") for table, name in self.triggers}
        found |= {("policy", f"{name} on {table}") for table, name in self.policies}
        return found | {("index", name) for name in self.indexes}
