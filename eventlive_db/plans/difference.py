"""What changed between two snapshots, in sentences of stable classes.

Each difference between two snapshots is told; what follows from another one (the filter of a scan that lost its index,
the hash below a new hash join) is left to the diff of the texts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cached_property
from itertools import pairwise
from typing import Literal, TypeVar

from eventlive_db.plans.nodes import Node
from eventlive_db.plans.snapshot import (
    Planned,
    PlannedStatement,
    Snapshot,
    comparable,
    conjuncts,
    equation,
    plan_lines,
)

Kind = Literal[
    "index_to_sequential",
    "sequential_to_index",
    "other_index",
    "index_only_lost",
    "scan_changed",
    "join_changed",
    "join_order_changed",
    "sort_added",
    "sort_gone",
    "sort_changed",
    "condition_became_filter",
    "condition_changed",
    "conflict_changed",
    "subplan_changed",
    "parameters_renumbered",
    "plan_changed",
    "mode_differs",
    "mode_agrees",
    "repeated",
    "repeated_less",
    "statement_changed",
    "statement_added",
    "statement_gone",
    "order_changed",
]

_SIMILAR = 0.6
_TOLD = 3
_JOINS = ("Nested Loop", "Hash Join", "Merge Join")
_WRITES = {"Insert", "Update", "Delete", "Merge"}
_HELPERS = {"Hash", "Materialize", "Memoize", "BitmapAnd", "BitmapOr"}
_CONFLICT = {"": "an error", "NOTHING": "DO NOTHING", "UPDATE": "DO UPDATE"}
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
_CALLED = re.compile(r"(?<![\w$.\"])([a-z_][\w$]*(?:\.[a-z_][\w$]*)*)\((?!\*)")

_REFERENCE = re.compile(r"\((?:hashed )?(?:Init|Sub)Plan \d+\)(?:\.col\d+)?|\$\d+")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes:
        kind: Stable name of its class.
        sentence: For a person: which function, table and index.
        function: Without arguments; empty for the call itself.
        statement: Text of the statement as it is now, or was where it is gone.
    """

    kind: Kind
    sentence: str
    function: str
    statement: str


def differences(before: Snapshot, after: Snapshot) -> tuple[Change, ...]:
    """Tell two snapshots of one call apart.

    Args:
        before: The one that is kept.
        after: The one taken now.

    Returns:
        None if they are equal, else at least one change; in the order of the statements, those that are gone last.
    """
    changes: list[Change] = []
    pairs, gone, added = _pair_statements(before.statements, after.statements)
    partners = {new: old for old, new in pairs}
    for new in enumerate(after.statements):
        if new in partners:
            changes += _statement_changes(partners[new][1], new[1])
        elif new in added:
            changes.append(_came_or_went("statement_added", "is new", new[1]))
    changes += [_came_or_went("statement_gone", "is gone", old[1]) for old in gone]
    kept = [(partners[new][0], new[1]) for new in enumerate(after.statements) if new in partners]
    for (number, _), (earlier, statement) in pairwise(kept):
        if earlier < number:
            sentence = f"the statements run in another order, before this one came earlier: {_brief(statement.text)}"
            changes.append(_change("order_changed", sentence, statement))
            break
    return tuple(changes)


def _change(kind: Kind, sentence: str, statement: PlannedStatement) -> Change:
    place = statement.function or "the call itself"
    return Change(kind, f"{place}: {sentence}", statement.function, statement.text)


def _came_or_went(kind: Kind, what: str, statement: PlannedStatement) -> Change:
    planned = statement.custom if statement.generic.plan is None and statement.custom else statement.generic
    on = f" on {_listed(_tables(planned.plan))}" if planned.plan and _tables(planned.plan) else ""
    runs = f" and runs {planned.executions} times" if planned.executions > 1 and kind == "statement_added" else ""
    return _change(kind, f"a statement{on} {what}{runs}: {_brief(statement.text)}", statement)


_Numbered = tuple[int, PlannedStatement]


def _pair_statements(
    before: Sequence[PlannedStatement], after: Sequence[PlannedStatement]
) -> tuple[list[tuple[_Numbered, _Numbered]], list[_Numbered], list[_Numbered]]:
    """Pair statements of one text, then those of a function that were edited."""
    pairs, gone, added = _pair(
        enumerate(before), enumerate(after), lambda s: s[1], lambda s: (s[1].function, s[1].text)
    )
    likeness = {
        (old, new): _likeness(old[1].text, new[1].text)
        for old in gone
        for new in added
        if old[1].function == new[1].function
    }
    for old, new in sorted(likeness, key=lambda pair: -likeness[pair]):
        if likeness[old, new] >= _SIMILAR and old in gone and new in added:
            pairs.append((old, new))
            gone.remove(old)
            added.remove(new)
    return pairs, gone, added


def _likeness(old: str, new: str) -> float:
    """How much two texts have in common, 0 to 1; a text that was lengthened is like the longer one."""
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    kept = sum(block.size for block in matcher.get_matching_blocks() if block.size > 3)
    return max(matcher.ratio(), 0.66 * kept / max(1, min(len(old), len(new))))


def _pair(
    before: Iterable[_T], after: Iterable[_T], *keys: Callable[[_T], object]
) -> tuple[list[tuple[_T, _T]], list[_T], list[_T]]:
    """Pair what is equal under the first key, then the rest under the next; what finds no partner is left."""
    pairs: list[tuple[_T, _T]] = []
    gone, added = list(before), list(after)
    for key in keys:
        for old in tuple(gone):
            new = next((new for new in added if key(new) == key(old)), None)
            if new is not None:
                gone.remove(old)
                added.remove(new)
                pairs.append((old, new))
    return pairs, gone, added


def _statement_changes(before: PlannedStatement, after: PlannedStatement) -> list[Change]:
    told: list[tuple[Kind, str]] = []
    if before.text != after.text:
        told.append(("statement_changed", f"a statement was edited: {_brief(after.text)}"))
    told += _planned_changes(before.generic, after.generic, after.text)
    if after.custom is not None and before.custom is not None:
        custom = _planned_changes(before.custom, after.custom, after.text)
        told += [(kind, f"with the custom plan, {sentence}") for kind, sentence in custom]
    elif after.custom is not None:
        how = "; ".join(s for _, s in _mode_changes(after.generic, after.custom)) or _brief(after.text)
        told.append(("mode_differs", f"the custom plan differs from the generic one, before it did not: {how}"))
    elif before.custom is not None:
        told.append(("mode_agrees", f"the custom plan is like the generic one again: {_brief(after.text)}"))
    if not told and before != after:
        told.append(("plan_changed", f"a statement is planned in another way: {_brief(after.text)}"))
    return [_change(kind, sentence, after) for kind, sentence in told]


def _planned_changes(before: Planned, after: Planned, text: str) -> list[tuple[Kind, str]]:
    told: list[tuple[Kind, str]] = []
    if before.executions != after.executions:
        kind: Kind = "repeated" if after.executions > before.executions else "repeated_less"
        counts = f"{_times(after.executions)}, before {_times(before.executions)}"
        told.append((kind, f"the same statement now runs {counts}: {_brief(text)}"))
    if before.plan is not None and after.plan is not None:
        told += plan_changes(before.plan, after.plan)
    return told


def _mode_changes(generic: Planned, custom: Planned) -> list[tuple[Kind, str]]:
    if generic.plan is None or custom.plan is None:
        return []
    told: list[tuple[Kind, str]] = []
    if generic.executions != custom.executions:
        counts = f"{_times(custom.executions)}, with the generic plan {_times(generic.executions)}"
        told.append(("mode_differs", f"it runs {counts}"))
    return told + plan_changes(comparable(generic.plan), comparable(custom.plan), was="with the generic plan")


def _times(count: int) -> str:
    return "1 time" if count == 1 else f"{count} times"


def _brief(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else text[: limit - 3].rstrip() + "..."


def _listed(names: Iterable[str]) -> str:
    *most, last = dict.fromkeys(names) or ("",)
    return f"{', '.join(most)} and {last}" if most else last


# --- What a plan comes to ---------------------------------------------------------------------------------------------


def _kind_of(node: Node) -> str:
    return node.type.removeprefix("Parallel ")


def _reads(node: Node) -> bool:
    return " Scan" in node.type and "Bitmap Index" not in node.type


def _named(node: Node) -> str:
    name = node.relation or node.alias or node.type
    return f"{name} ({node.alias})" if node.alias and node.alias != name else name


def _leaves(node: Node) -> tuple[str, ...]:
    """What it reads, in the order of the plan, subqueries apart."""
    own = (_named(node),) if _reads(node) else ()
    return own + tuple(name for child in node.children if not child.role for name in _leaves(child))


def _outer(join: Node) -> frozenset[str]:
    return frozenset(_leaves(join.children[0]) if join.children else ())


def _tables(node: Node) -> tuple[str, ...]:
    return tuple(sorted({n.relation for n in node.walk() if "." in n.relation}))


@dataclass(frozen=True, slots=True)
class _Term:
    text: str
    key: str
    use: str
    where: str
    index: str


@dataclass(frozen=True)
class _Plan:
    """A plan, seen by its parts."""

    root: Node

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(self.root.walk())

    @cached_property
    def reads(self) -> list[Node]:
        return [n for n in self.nodes if _reads(n)]

    @cached_property
    def joins(self) -> list[Node]:
        return [n for n in self.nodes if _kind_of(n) in _JOINS]

    @cached_property
    def sorts(self) -> list[Node]:
        return [n for n in self.nodes if _kind_of(n).endswith("Sort")]

    @cached_property
    def subplans(self) -> list[Node]:
        return [n for n in self.nodes if n.role]

    def pace(self, node: Node) -> str:
        """How often a subquery runs."""
        if not node.role.startswith("SubPlan"):
            return f"once ({node.role.partition(' ')[0]})"
        hashed = any(f"hashed {node.role})" in text for n in self.nodes for _, text in n.conditions)
        return "once (hashed SubPlan)" if hashed else "for each row (SubPlan)"

    @cached_property
    def terms(self) -> list[_Term]:
        return [term for node in self.nodes for term in _terms(node)]

    @cached_property
    def others(self) -> Counter[str]:
        apart = {id(n) for n in (*self.reads, *self.joins, *self.sorts)}
        rest = [n for n in self.nodes if id(n) not in apart and not n.role and "Bitmap Index" not in n.type]
        return Counter(" ".join(filter(None, (n.type, n.relation and f"on {n.relation}", _by(n.keys)))) for n in rest)


def _by(keys: Iterable[str]) -> str:
    return f"by {', '.join(keys)}" if keys else ""


def _indexes(node: Node) -> tuple[str, ...]:
    below = [n.index for child in node.children if not child.role for n in child.walk() if "Bitmap Index" in n.type]
    return (node.index,) if node.index else tuple(below) if "Bitmap Heap" in node.type else ()


def _terms(node: Node) -> Iterator[_Term]:
    if "Bitmap Index" in node.type:  # the heap scan above rechecks the same
        return
    where = _named(node) if _reads(node) else f"the {node.type}"
    for kind, text in node.conditions:
        for term in conjuncts(text):
            yield _Term(term, equation(term), _USES.get(kind, "filter"), where, _listed(_indexes(node)))


# --- Comparing two plans ----------------------------------------------------------------------------------------------


def plan_changes(before: Node, after: Node, was: str = "before") -> list[tuple[Kind, str]]:
    """Tell two plans of a statement apart.

    Args:
        before: One plan.
        after: The other.
        was: How to speak of the first one.

    Returns:
        Class and sentence of each change; none if the plans are equal, else at least one.
    """
    if before == after:
        return []
    if _unnumbered(before) == _unnumbered(after):
        return [("parameters_renumbered", "the plan is the same, but for the numbers of its parameters ($n)")]
    comparison = _Comparison(_Plan(before), _Plan(after), was)
    comparison.run()
    return comparison.summary()


def _unnumbered(node: Node) -> Node:
    return replace(
        node,
        conditions=tuple((kind, re.sub(r"\$\d+", "$", text)) for kind, text in node.conditions),
        keys=tuple(re.sub(r"\$\d+", "$", key) for key in node.keys),
        children=tuple(_unnumbered(child) for child in node.children),
    )


class _Comparison:
    def __init__(self, before: _Plan, after: _Plan, was: str) -> None:
        self.before, self.after, self.was = before, after, was
        self.told: list[tuple[Kind, str]] = []
        self.rescanned: set[str] = set()
        self.unneeded: list[Node] = []

    def tell(self, kind: Kind, sentence: str) -> None:
        self.told.append((kind, sentence))

    @property
    def kinds(self) -> set[Kind]:
        return {kind for kind, _ in self.told}

    def run(self) -> None:
        self.scans()
        self.joins()
        self.sorts()
        self.conflicts()
        self.subplans()
        self.conditions()
        self.others()
        if not self.told:
            old, new = plan_lines(self.before.root), plan_lines(self.after.root)
            here = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
            there, now = ((lines[here:] or ["nothing"])[0].strip() for lines in (old, new))
            self.tell("plan_changed", f"the plan is arranged in another way: {now}, {self.was} {there}")

    def summary(self) -> list[tuple[Kind, str]]:
        """What was told, with not more than a few sentences of a class: a table may have many partitions."""
        counts, seen, told = Counter(kind for kind, _ in self.told), Counter[Kind](), []
        for kind, sentence in self.told:
            seen[kind] += 1
            more = counts[kind] - _TOLD
            if seen[kind] <= _TOLD:
                told.append(
                    (kind, f"{sentence} (and {more} more like it)" if seen[kind] == _TOLD and more > 0 else sentence)
                )
        return told

    def scans(self) -> None:
        keys: list[Callable[[Node], object]] = [lambda n: (n.relation, n.alias), lambda n: n.relation or n]
        pairs, gone, added = _pair(self.before.reads, self.after.reads, *keys)
        for old, new in pairs:
            self.scan(old, new)
        for node in added:
            self.tell("plan_changed", f"{_named(node)} is read ({_access(node)}), {self.was} it was not")
        for node in gone:
            self.tell("plan_changed", f"{_named(node)} is not read, {self.was} it was ({_access(node)})")

    def scan(self, old: Node, new: Node) -> None:
        name, was = _named(new), self.was
        by_old, by_new = _indexes(old), _indexes(new)
        if (old.type, by_old) == (new.type, by_new):
            return
        self.rescanned.add(name)
        types = f"{new.type}, {was} {old.type}"
        if new.is_sequential and by_old:
            index = f"by {_index_word(by_old)} ({old.type})"
            self.tell("index_to_sequential", f"{name} is read from end to end ({new.type}), {was} {index}")
        elif old.is_sequential and by_new:
            index = f"by {_index_word(by_new)} ({new.type})"
            self.tell("sequential_to_index", f"{name} is read {index}, {was} from end to end ({old.type})")
        elif by_old != by_new and by_old and by_new:
            also = f" ({types})" if old.type != new.type else ""
            self.tell("other_index", f"{name} is read by {_index_word(by_new)}, {was} by {_index_word(by_old)}{also}")
        elif "Index Only" in old.type and "Index Only" not in new.type:
            sentence = (
                f"{name} is not read from {_index_word(by_new or by_old)} alone, its rows are fetched too ({types})"
            )
            self.tell("index_only_lost", sentence)
        else:
            index = f" by {_index_word(by_new)}" if by_new else ""
            self.tell("scan_changed", f"{name} is read{index} in another way ({types})")

    def joins(self) -> None:
        key = lambda n: frozenset(_leaves(n))  # noqa: E731
        pairs, gone, added = _pair(self.before.joins, self.after.joins, key)
        swapped = False
        for old, new in pairs:
            if (old.type, old.join) != (new.type, new.join):
                self.tell("join_changed", f"{_joined(new)} are joined by {_method(new)}, {self.was} by {_method(old)}")
            else:
                swapped |= _outer(old) != _outer(new)
        same = sorted(_leaves(self.before.root)) == sorted(_leaves(self.after.root))
        if gone and added and same:
            swapped = True
            methods = [_listed(sorted(map(_method, joins))) for joins in (gone, added)]
            if methods[0] != methods[1]:
                self.tell("join_changed", f"{_joined(added[0])} are joined by {methods[1]}, {self.was} by {methods[0]}")
        elif not same or not (gone and added):
            for node in added:
                self.tell("join_changed", f"{_joined(node)} are joined ({_method(node)}), {self.was} they were not")
            for node in gone:
                self.tell("join_changed", f"{_joined(node)} are not joined, {self.was} they were ({_method(node)})")
        if swapped:
            orders = [", ".join(_leaves(plan.root)) for plan in (self.after, self.before)]
            self.tell("join_order_changed", f"the tables are joined in the order {orders[0]}, {self.was} {orders[1]}")

    def sorts(self) -> None:
        key = lambda n: (n.type, n.keys)  # noqa: E731
        _, gone, added = _pair(self.before.sorts, self.after.sorts, key)
        for old, new in zip(gone, added, strict=False):
            words = f"sorted {_by(new.keys)} ({new.type}), {self.was} {_by(old.keys)} ({old.type})"
            self.tell("sort_changed", f"the rows of {_listed(_leaves(new))} are {words}")
        for new in added[len(gone) :]:
            words = f"sorted {_by(new.keys)} ({new.type}), {self.was} they were not"
            self.tell("sort_added", f"the rows of {_listed(_leaves(new))} are {words}")
        for old in gone[len(added) :]:
            words = f"not sorted, {self.was} they were {_by(old.keys)} ({old.type})"
            self.tell("sort_gone", f"the rows of {_listed(_leaves(old))} are {words}")

    def conflicts(self) -> None:
        key = lambda n: (n.type, n.relation)  # noqa: E731
        olds, news = ([n for n in plan.nodes if n.type in _WRITES] for plan in (self.before, self.after))
        for old, new in _pair(olds, news, key)[0]:
            if old.conflict != new.conflict:
                ends = [_CONFLICT.get(n.conflict, n.conflict) for n in (new, old)]
                self.tell(
                    "conflict_changed", f"a conflict in {new.relation} ends in {ends[0]}, {self.was} in {ends[1]}"
                )
            elif old.arbiters != new.arbiters:
                by = [_index_word(n.arbiters) if n.arbiters else "any index" for n in (new, old)]
                sentence = f"a conflict in {new.relation} is decided by {by[0]}, {self.was} by {by[1]}"
                self.tell("conflict_changed", sentence)

    def subplans(self) -> None:
        pairs, gone, added = _pair(self.before.subplans, self.after.subplans, _tables)
        for old, new in pairs:
            paces = self.after.pace(new), self.before.pace(old)
            if paces[0] != paces[1]:
                self.tell("subplan_changed", f"{_subquery(new)} runs {paces[0]}, {self.was} {paces[1]}")
        for new in added:
            self.tell("subplan_changed", f"{_subquery(new)} runs {self.after.pace(new)}, {self.was} it did not")
        for old in gone:
            if self.before.pace(old).startswith("once") and not _tables(old):
                self.unneeded.append(old)  # perhaps a function that is now called for each row
            else:
                self.not_run(old)

    def not_run(self, old: Node) -> None:
        pace = self.before.pace(old)
        self.tell("subplan_changed", f"{_subquery(old)} does not run on its own, {self.was} {pace}")

    def conditions(self) -> None:
        keys: list[Callable[[_Term], object]] = [lambda t: (t.key, t.use, t.where)]
        keys += [lambda t: (t.key, t.where), lambda t: t.key]
        pairs, gone, added = _pair(self.before.terms, self.after.terms, *keys)
        for old, new in pairs:
            if (old.use, old.where) != (new.use, new.where):
                self.moved(old, new)
        for new in tuple(added):
            if calls := self.calls_for_each_row(new):
                earlier = self.before.pace(self.unneeded.pop()) if self.unneeded else "not"
                words = f"called for each row of {new.where} (in its {new.use}), {self.was} {earlier}"
                self.tell("subplan_changed", f"{_listed(calls)} is {words}")
                added.remove(new)
                gone = _without_first(gone, lambda old: bool(_REFERENCE.search(old.text)))
        for node in self.unneeded:
            self.not_run(node)
        changed, gone, added = _pair(gone, added, lambda t: (t.where, t.use), lambda t: t.where)
        for old, new in changed:
            if "subplan_changed" in self.kinds and _REFERENCE.sub("?", old.text) == _REFERENCE.sub("?", new.text):
                continue  # it is the subquery's result, in another guise
            self.tell("condition_changed", f"the condition on {new.where} is {new.text}, {self.was} {old.text}")
        for new in added:
            self.tell("condition_changed", f"a condition on {new.where} is {new.text}, {self.was} it was not there")
        for old in gone:
            self.tell("condition_changed", f"a condition on {old.where} is not there, {self.was} it was {old.text}")

    def calls_for_each_row(self, new: _Term) -> list[str]:
        """Functions that a new filter calls, and that no filter called."""
        rows = {"filter", "join filter"}
        known = {c for t in self.before.terms if t.use in rows for c in _CALLED.findall(t.text)}
        return [f"{c}()" for c in _CALLED.findall(new.text) if c not in known] if new.use in rows else []

    def moved(self, old: _Term, new: _Term) -> None:
        joined = {old.use, new.use} & {"join", "join filter"} or old.where != new.where
        if joined and self.kinds & {"join_changed", "join_order_changed"}:
            return
        uses = old.use, new.use
        if new.where in self.rescanned and (
            uses == ("filter", "index") or (uses == ("index", "filter") and not new.index)
        ):
            return
        if old.use == "index" and new.use == "filter":
            words = f"a filter, {self.was} a condition of the index {old.index}: rows are read and thrown away"
            self.tell("condition_became_filter", f"on {new.where}, {new.text} is {words}")
        elif old.use == new.use:
            sentence = f"{new.text} is checked by {new.where}, {self.was} by {old.where}"
            self.tell("condition_changed", sentence)
        else:
            sentence = f"on {new.where}, {new.text} is used as {_use(new)}, {self.was} as {_use(old)}"
            self.tell("condition_changed", sentence)

    def others(self) -> None:
        more, less = self.after.others - self.before.others, self.before.others - self.after.others
        if self.told:
            more, less = (Counter({k: n for k, n in c.items() if k not in _HELPERS}) for c in (more, less))
        has, had = _listed(sorted(more)), _listed(sorted(less))
        if has and had:
            self.tell("plan_changed", f"a step of the plan is {has}, {self.was} it was {had}")
        elif has:
            self.tell("plan_changed", f"the plan also has the step {has}, {self.was} it had not")
        elif had:
            self.tell("plan_changed", f"the plan has not the step {had}, {self.was} it had")


def _without_first(items: list[_T], matches: Callable[[_T], bool]) -> list[_T]:
    found = next((n for n, item in enumerate(items) if matches(item)), None)
    return items if found is None else items[:found] + items[found + 1 :]


def _use(term: _Term) -> str:
    return f"a condition of the index {term.index}" if term.use == "index" else f"a {term.use}"


def _index_word(indexes: Sequence[str]) -> str:
    return f"the index {indexes[0]}" if len(indexes) == 1 else f"the indexes {_listed(indexes)}"


def _access(node: Node) -> str:
    indexes = _indexes(node)
    return f"{node.type} by {_index_word(indexes)}" if indexes else node.type


def _method(node: Node) -> str:
    return f"{node.type} ({node.join})" if node.join else node.type


def _joined(node: Node) -> str:
    return _listed(_leaves(node)) or "rows"


def _subquery(node: Node) -> str:
    tables = _tables(node)
    return f"the subquery on {_listed(tables)}" if tables else "a subquery without a table"
