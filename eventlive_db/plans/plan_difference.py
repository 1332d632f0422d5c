"""How two plans of one statement differ, in sentences of stable classes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Literal

from eventlive_db.plans.conditions import unnumbered
from eventlive_db.plans.nodes import Node
from eventlive_db.plans.pairing import pair, without_first
from eventlive_db.plans.plan_parts import (
    Plan,
    Term,
    access,
    by,
    index_word,
    indexes,
    joined,
    leaves,
    listed,
    method,
    named,
    outer,
    subquery,
    tables,
    use,
)
from eventlive_db.plans.snapshot_text import plan_lines

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

_TOLD = 3
_WRITES = {"Insert", "Update", "Delete", "Merge"}
_HELPERS = {"Hash", "Materialize", "Memoize", "BitmapAnd", "BitmapOr"}
_CONFLICT = {"": "an error", "NOTHING": "DO NOTHING", "UPDATE": "DO UPDATE"}
_CALLED = re.compile(r"(?<![\w$.\"])([a-z_][\w$]*(?:\.[a-z_][\w$]*)*)\((?!\*)")
_REFERENCE = re.compile(r"\((?:hashed )?(?:Init|Sub)Plan \d+\)(?:\.col\d+)?|\$\d+")


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
    if unnumbered(before) == unnumbered(after):
        return [("parameters_renumbered", "the plan is the same, but for the numbers of its parameters ($n)")]
    comparison = _Comparison(Plan(before), Plan(after), was)
    comparison.run()
    return comparison.summary()


class _Comparison:
    def __init__(self, before: Plan, after: Plan, was: str) -> None:
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
        pairs, gone, added = pair(self.before.reads, self.after.reads, *keys)
        for old, new in pairs:
            self.scan(old, new)
        for node in added:
            self.tell("plan_changed", f"{named(node)} is read ({access(node)}), {self.was} it was not")
        for node in gone:
            self.tell("plan_changed", f"{named(node)} is not read, {self.was} it was ({access(node)})")

    def scan(self, old: Node, new: Node) -> None:
        name, was = named(new), self.was
        by_old, by_new = indexes(old), indexes(new)
        if (old.type, by_old) == (new.type, by_new):
            return
        self.rescanned.add(name)
        types = f"{new.type}, {was} {old.type}"
        if new.is_sequential and by_old:
            index = f"by {index_word(by_old)} ({old.type})"
            self.tell("index_to_sequential", f"{name} is read from end to end ({new.type}), {was} {index}")
        elif old.is_sequential and by_new:
            index = f"by {index_word(by_new)} ({new.type})"
            self.tell("sequential_to_index", f"{name} is read {index}, {was} from end to end ({old.type})")
        elif by_old != by_new and by_old and by_new:
            also = f" ({types})" if old.type != new.type else ""
            self.tell("other_index", f"{name} is read by {index_word(by_new)}, {was} by {index_word(by_old)}{also}")
        elif "Index Only" in old.type and "Index Only" not in new.type:
            sentence = (
                f"{name} is not read from {index_word(by_new or by_old)} alone, its rows are fetched too ({types})"
            )
            self.tell("index_only_lost", sentence)
        else:
            index = f" by {index_word(by_new)}" if by_new else ""
            self.tell("scan_changed", f"{name} is read{index} in another way ({types})")

    def joins(self) -> None:
        key = lambda n: frozenset(leaves(n))  # noqa: E731
        pairs, gone, added = pair(self.before.joins, self.after.joins, key)
        swapped = False
        for old, new in pairs:
            if (old.type, old.join) != (new.type, new.join):
                self.tell("join_changed", f"{joined(new)} are joined by {method(new)}, {self.was} by {method(old)}")
            else:
                swapped |= outer(old) != outer(new)
        same = sorted(leaves(self.before.root)) == sorted(leaves(self.after.root))
        if gone and added and same:
            swapped = True
            methods = [listed(sorted(map(method, joins))) for joins in (gone, added)]
            if methods[0] != methods[1]:
                self.tell("join_changed", f"{joined(added[0])} are joined by {methods[1]}, {self.was} by {methods[0]}")
        elif not same or not (gone and added):
            for node in added:
                self.tell("join_changed", f"{joined(node)} are joined ({method(node)}), {self.was} they were not")
            for node in gone:
                self.tell("join_changed", f"{joined(node)} are not joined, {self.was} they were ({method(node)})")
        if swapped:
            orders = [", ".join(leaves(plan.root)) for plan in (self.after, self.before)]
            self.tell("join_order_changed", f"the tables are joined in the order {orders[0]}, {self.was} {orders[1]}")

    def sorts(self) -> None:
        key = lambda n: (n.type, n.keys)  # noqa: E731
        _, gone, added = pair(self.before.sorts, self.after.sorts, key)
        for old, new in zip(gone, added, strict=False):
            words = f"sorted {by(new.keys)} ({new.type}), {self.was} {by(old.keys)} ({old.type})"
            self.tell("sort_changed", f"the rows of {listed(leaves(new))} are {words}")
        for new in added[len(gone) :]:
            words = f"sorted {by(new.keys)} ({new.type}), {self.was} they were not"
            self.tell("sort_added", f"the rows of {listed(leaves(new))} are {words}")
        for old in gone[len(added) :]:
            words = f"not sorted, {self.was} they were {by(old.keys)} ({old.type})"
            self.tell("sort_gone", f"the rows of {listed(leaves(old))} are {words}")

    def conflicts(self) -> None:
        key = lambda n: (n.type, n.relation)  # noqa: E731
        olds, news = ([n for n in plan.nodes if n.type in _WRITES] for plan in (self.before, self.after))
        for old, new in pair(olds, news, key)[0]:
            if old.conflict != new.conflict:
                ends = [_CONFLICT.get(n.conflict, n.conflict) for n in (new, old)]
                self.tell(
                    "conflict_changed", f"a conflict in {new.relation} ends in {ends[0]}, {self.was} in {ends[1]}"
                )
            elif old.arbiters != new.arbiters:
                by = [index_word(n.arbiters) if n.arbiters else "any index" for n in (new, old)]
                sentence = f"a conflict in {new.relation} is decided by {by[0]}, {self.was} by {by[1]}"
                self.tell("conflict_changed", sentence)

    def subplans(self) -> None:
        pairs, gone, added = pair(self.before.subplans, self.after.subplans, tables)
        for old, new in pairs:
            paces = self.after.pace(new), self.before.pace(old)
            if paces[0] != paces[1]:
                self.tell("subplan_changed", f"{subquery(new)} runs {paces[0]}, {self.was} {paces[1]}")
        for new in added:
            self.tell("subplan_changed", f"{subquery(new)} runs {self.after.pace(new)}, {self.was} it did not")
        for old in gone:
            if self.before.pace(old).startswith("once") and not tables(old):
                self.unneeded.append(old)  # perhaps a function that is now called for each row
            else:
                self.not_run(old)

    def not_run(self, old: Node) -> None:
        pace = self.before.pace(old)
        self.tell("subplan_changed", f"{subquery(old)} does not run on its own, {self.was} {pace}")

    def conditions(self) -> None:
        keys: list[Callable[[Term], object]] = [lambda t: (t.key, t.use, t.where)]
        keys += [lambda t: (t.key, t.where), lambda t: t.key]
        pairs, gone, added = pair(self.before.terms, self.after.terms, *keys)
        for old, new in pairs:
            if (old.use, old.where) != (new.use, new.where):
                self.moved(old, new)
        for new in tuple(added):
            if calls := self.calls_for_each_row(new):
                earlier = self.before.pace(self.unneeded.pop()) if self.unneeded else "not"
                words = f"called for each row of {new.where} (in its {new.use}), {self.was} {earlier}"
                self.tell("subplan_changed", f"{listed(calls)} is {words}")
                added.remove(new)
                gone = without_first(gone, lambda old: bool(_REFERENCE.search(old.text)))
        for node in self.unneeded:
            self.not_run(node)
        changed, gone, added = pair(gone, added, lambda t: (t.where, t.use), lambda t: t.where)
        for old, new in changed:
            if "subplan_changed" in self.kinds and _REFERENCE.sub("?", old.text) == _REFERENCE.sub("?", new.text):
                continue  # it is the subquery's result, in another guise
            self.tell("condition_changed", f"the condition on {new.where} is {new.text}, {self.was} {old.text}")
        for new in added:
            self.tell("condition_changed", f"a condition on {new.where} is {new.text}, {self.was} it was not there")
        for old in gone:
            self.tell("condition_changed", f"a condition on {old.where} is not there, {self.was} it was {old.text}")

    def calls_for_each_row(self, new: Term) -> list[str]:
        """Functions that a new filter calls, and that no filter called."""
        rows = {"filter", "join filter"}
        known = {c for t in self.before.terms if t.use in rows for c in _CALLED.findall(t.text)}
        return [f"{c}()" for c in _CALLED.findall(new.text) if c not in known] if new.use in rows else []

    def moved(self, old: Term, new: Term) -> None:
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
            sentence = f"on {new.where}, {new.text} is used as {use(new)}, {self.was} as {use(old)}"
            self.tell("condition_changed", sentence)

    def others(self) -> None:
        more, less = self.after.others - self.before.others, self.before.others - self.after.others
        if self.told:
            more, less = (Counter({k: n for k, n in c.items() if k not in _HELPERS}) for c in (more, less))
        has, had = listed(sorted(more)), listed(sorted(less))
        if has and had:
            self.tell("plan_changed", f"a step of the plan is {has}, {self.was} it was {had}")
        elif has:
            self.tell("plan_changed", f"the plan also has the step {has}, {self.was} it had not")
        elif had:
            self.tell("plan_changed", f"the plan has not the step {had}, {self.was} it had")
