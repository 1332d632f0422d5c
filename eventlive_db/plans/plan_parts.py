"""A plan seen by its parts, and what they are called in a sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from eventlive_db.plans.conditions import conjuncts, equation
from eventlive_db.plans.nodes import Node

_JOINS = ("Nested Loop", "Hash Join", "Merge Join")
_USES = {
    "Index Cond": "index",
    "Recheck Cond": "index",
    "TID Cond": "index",
    "Hash Cond": "join",
    "Merge Cond": "join",
    "Join Filter": "join filter",
    "One-Time Filter": "one-time filter",
    "Order By": "order",
    "Conflict Filter": "conflict filter",
}


def listed(names: Iterable[str]) -> str:
    """``a, b and c``; each name once."""
    *most, last = dict.fromkeys(names) or ("",)
    return f"{', '.join(most)} and {last}" if most else last


def kind_of(node: Node) -> str:
    """Its type, whether parallel or not."""
    return node.type.removeprefix("Parallel ")


def reads(node: Node) -> bool:
    """Whether it reads rows of a table, function or subquery."""
    return " Scan" in node.type and "Bitmap Index" not in node.type


def named(node: Node) -> str:
    """What it reads, with the alias that tells two of one name apart."""
    name = node.relation or node.alias or node.type
    return f"{name} ({node.alias})" if node.alias and node.alias != name else name


def leaves(node: Node) -> tuple[str, ...]:
    """What it reads, in the order of the plan, subqueries apart."""
    own = (named(node),) if reads(node) else ()
    return own + tuple(name for child in node.children if not child.role for name in leaves(child))


def outer(join: Node) -> frozenset[str]:
    """What a join reads first."""
    return frozenset(leaves(join.children[0]) if join.children else ())


def tables(node: Node) -> tuple[str, ...]:
    """Tables of a plan, by name."""
    return tuple(sorted({n.relation for n in node.walk() if "." in n.relation}))


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a condition.

    Attributes:
        text: As the plan has it.
        key: The same for an equation that is written the other way round.
        use: As what it is used, such as ``index`` or ``filter``.
        where: What it is checked on.
        index: The indexes of that scan, told; or empty.
    """

    text: str
    key: str
    use: str
    where: str
    index: str


@dataclass(frozen=True)
class Plan:
    """A plan, seen by its parts.

    Attributes:
        root: Its top node.
    """

    root: Node

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, parents first."""
        return tuple(self.root.walk())

    @cached_property
    def reads(self) -> list[Node]:
        """Nodes that read rows."""
        return [n for n in self.nodes if reads(n)]

    @cached_property
    def joins(self) -> list[Node]:
        """Nodes that join."""
        return [n for n in self.nodes if kind_of(n) in _JOINS]

    @cached_property
    def sorts(self) -> list[Node]:
        """Nodes that sort."""
        return [n for n in self.nodes if kind_of(n).endswith("Sort")]

    @cached_property
    def subplans(self) -> list[Node]:
        """Subqueries, each by its top node."""
        return [n for n in self.nodes if n.role]

    def pace(self, node: Node) -> str:
        """How often a subquery runs."""
        if not node.role.startswith("SubPlan"):
            return f"once ({node.role.partition(' ')[0]})"
        hashed = any(f"hashed {node.role})" in text for n in self.nodes for _, text in n.conditions)
        return "once (hashed SubPlan)" if hashed else "for each row (SubPlan)"

    @cached_property
    def terms(self) -> list[Term]:
        """Terms of all conditions."""
        return [term for node in self.nodes for term in terms(node)]

    @cached_property
    def others(self) -> Counter[str]:
        """How often each further step is there."""
        apart = {id(n) for n in (*self.reads, *self.joins, *self.sorts)}
        rest = [n for n in self.nodes if id(n) not in apart and not n.role and "Bitmap Index" not in n.type]
        return Counter(" ".join(filter(None, (n.type, n.relation and f"on {n.relation}", by(n.keys)))) for n in rest)


def by(keys: Iterable[str]) -> str:
    """By what rows are sorted or grouped; empty for nothing."""
    return f"by {', '.join(keys)}" if keys else ""


def indexes(node: Node) -> tuple[str, ...]:
    """The indexes that a scan uses; several below a bitmap."""
    below = [n.index for child in node.children if not child.role for n in child.walk() if "Bitmap Index" in n.type]
    return (node.index,) if node.index else tuple(below) if "Bitmap Heap" in node.type else ()


def terms(node: Node) -> Iterator[Term]:
    """The terms of a node's conditions."""
    if "Bitmap Index" in node.type:  # the heap scan above rechecks the same
        return
    where = named(node) if reads(node) else f"the {node.type}"
    for kind, text in node.conditions:
        for term in conjuncts(text):
            yield Term(term, equation(term), _USES.get(kind, "filter"), where, listed(indexes(node)))


def use(term: Term) -> str:
    """As what a term is used."""
    return f"a condition of the index {term.index}" if term.use == "index" else f"a {term.use}"


def index_word(indexes: Sequence[str]) -> str:
    """One index or several."""
    return f"the index {indexes[0]}" if len(indexes) == 1 else f"the indexes {listed(indexes)}"


def access(node: Node) -> str:
    """How a table is read."""
    by_index = indexes(node)
    return f"{node.type} by {index_word(by_index)}" if by_index else node.type


def method(node: Node) -> str:
    """How rows are joined."""
    return f"{node.type} ({node.join})" if node.join else node.type


def joined(node: Node) -> str:
    """What is joined."""
    return listed(leaves(node)) or "rows"


def subquery(node: Node) -> str:
    """What a subquery reads."""
    read = tables(node)
    return f"the subquery on {listed(read)}" if read else "a subquery without a table"
