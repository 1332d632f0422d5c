"""What the parts of the resolver share: the catalog, the text, and the faults found so far."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from eventlive_db.lint.sql.apply_create import name_index
from eventlive_db.lint.sql.catalog import SYSTEM_COLUMNS, Catalog, Columns, Relation
from eventlive_db.lint.sql.scope import Variables
from eventlive_db.lint.sql.text import Snippet
from eventlive_db.lint.sql.tree import Node, location

_HOLE = re.compile(r"_{2,}")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in a text.

    Attributes:
        snippet: The text.
        index: Character of it.
        rule: Stable token.
        message: One sentence.
        advice: What to do next; may be empty.
        word: The faulty word, to mark it.
        object: What it is about, such as a function; exceptions in the configuration go by it.
    """

    snippet: Snippet
    index: int
    rule: str
    message: str
    advice: str = ""
    word: str = ""
    object: str = ""


@dataclass(slots=True)
class Context:
    """One text that is resolved.

    Attributes:
        catalog: What exists.
        path: Where unqualified names are looked up.
        snippet: The text.
        variables: Those of the function it is in.
        faults: Found so far.
        is_part: Whether the text may be a part of something, whose names come from around it.
        in_body: Whether it belongs to a function, where names of ours want their schema.
    """

    catalog: Catalog
    path: tuple[str, ...]
    snippet: Snippet
    variables: Variables = field(default_factory=Variables)
    faults: list[Fault] = field(default_factory=list)
    is_part: bool = False
    in_body: bool = False

    def on(self, catalog: Catalog) -> Context:
        """The same text against another catalog; faults go to the same list."""
        return replace(self, catalog=catalog)

    def is_surely_missing(self, name: tuple[str, ...]) -> bool:
        """Whether nothing that is not known here can have a name that the catalog does not have."""
        catalog = self.catalog
        if any(is_hole(part) for part in name):
            return False
        if len(name) > 1:
            return catalog.is_declared(name[-2]) and not catalog.is_external(".".join(name[-2:]))
        schemas = [s for s in self.path if s not in {"pg_catalog", "pg_temp", "information_schema"}]
        if not schemas or any(not catalog.is_declared(s) for s in schemas):
            return False
        return not any(catalog.is_external(f"{schema}.{part}") for schema in (*self.path, "") for part in name)

    def note_unqualified(self, name: tuple[str, ...], body: Node, full: str) -> None:
        """Say that a body names what is ours without its schema."""
        if self.in_body and len(name) == 1:
            message = f"{name[0]} is named without its schema, so that the search_path decides what it is"
            self.fault("body.unqualified", body, message, f"write {full}", name[0])

    def fault(self, rule: str, body: Node, message: str, advice: str = "", word: str = "", near: int = 0) -> None:
        """Note a fault.

        Args:
            rule: Stable token.
            body: The node where it is.
            message: One sentence.
            advice: What to do next.
            word: The faulty word; it is looked for from the node on.
            near: Character to begin at where the node says no place.
        """
        place = location(body) if "location" in body else None
        start = self.snippet.char_index(place) if place is not None else near
        index = name_index(self.snippet, word, start) if word else start
        self.faults.append(Fault(self.snippet, index, rule, message, advice, word))

    def missing_column(self, body: Node, column: str, owner: str, columns: Columns, near: int = 0) -> None:
        """Say that a relation has no such column, and which it has."""
        message = f"{owner} has no column {column}; it has {listing(columns)}"
        self.fault("resolve.column", body, message, suggestion(column, columns), column, near)

    def columns_of(self, type_name: str) -> tuple[str, Columns] | None:
        """The columns of a row type: its name and what it has; None where that is not known."""
        if not type_name or type_name.endswith("[]"):
            return None
        relation = self.catalog.composite(type_name, self.path)
        return (relation.name, relation.columns) if relation and relation.columns is not None else None

    def find_relation(self, name: tuple[str, ...], body: Node) -> Relation | None:
        """A relation by its name as written; a fault where there cannot be one."""
        relation = self.catalog.relation(name, self.path)
        if relation is None and not any(is_hole(part) for part in name):
            self._missing_relation(name, body)
        return relation

    def _missing_relation(self, name: tuple[str, ...], body: Node) -> None:
        catalog, word = self.catalog, name[-1]
        if len(name) > 1:
            full = ".".join(name[-2:])
            if catalog.is_declared(name[-2]) and not catalog.is_external(full):
                known = [
                    n for n, r in catalog.relations.items() if n.startswith(f"{name[-2]}.") and r.kind != "sequence"
                ]
                bare = [n.partition(".")[2] for n in known]
                advice = suggestion(word, bare)
                self.fault("resolve.relation", body, f"there is no table or view {full}", advice, word)
            return
        schemas = [s for s in self.path if s not in {"pg_catalog", "pg_temp", "information_schema"}]
        if word.startswith("pg_") or catalog.opaque or any(not catalog.is_declared(s) for s in schemas):
            return
        if any(catalog.is_external(f"{schema}.{word}") for schema in (*self.path, "")):
            return
        elsewhere = sorted(n for n in catalog.relations if n.rpartition(".")[2] == word)
        if not schemas and not elsewhere:
            return
        where = (
            f"in none of the schemas {', '.join(self.path)}"
            if len(self.path) > 1
            else f"not in {''.join(self.path) or 'pg_catalog'}"
        )
        advice = f"write {elsewhere[0]}" if elsewhere else ""
        self.fault("resolve.relation", body, f"{word} is {where}", advice, word)


def is_hole(name: str) -> bool:
    """Whether a name stands for something that is only known when the program runs."""
    return bool(_HOLE.fullmatch(name))


def is_system_column(name: str) -> bool:
    """Whether every table has it."""
    return name in SYSTEM_COLUMNS


def listing(names: Iterable[str]) -> str:
    """The names, parted by commas."""
    return ", ".join(names) or "none"


def suggestion(name: str, known: Iterable[str] | Sequence[str]) -> str:
    """Advice that names the nearest one that exists."""
    near = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else ""
