"""What changed between two snapshots, in sentences of stable classes.

Each difference between two snapshots is told; what follows from another one (the filter of a scan that lost its index,
the hash below a new hash join) is left to the diff of the texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from eventlive_db.plans.conditions import comparable
from eventlive_db.plans.pairing import pair
from eventlive_db.plans.plan_difference import Kind, plan_changes
from eventlive_db.plans.plan_parts import listed, tables
from eventlive_db.plans.planned import Planned, PlannedStatement, Snapshot

__all__ = ["Change", "Kind", "differences", "plan_changes"]

_SIMILAR = 0.6


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
    on = f" on {listed(tables(planned.plan))}" if planned.plan and tables(planned.plan) else ""
    runs = f" and runs {planned.executions} times" if planned.executions > 1 and kind == "statement_added" else ""
    return _change(kind, f"a statement{on} {what}{runs}: {_brief(statement.text)}", statement)


_Numbered = tuple[int, PlannedStatement]


def _pair_statements(
    before: Sequence[PlannedStatement], after: Sequence[PlannedStatement]
) -> tuple[list[tuple[_Numbered, _Numbered]], list[_Numbered], list[_Numbered]]:
    """Pair statements of one text, then those of a function that were edited."""
    pairs, gone, added = pair(enumerate(before), enumerate(after), lambda s: s[1], lambda s: (s[1].function, s[1].text))
    likeness = {
        (old, new): _likeness(old[1].text, new[1].text)
        for old in gone
        for new in added
        if old[1].function == new[1].function
    }
    for old, new in sorted(likeness, key=lambda both: -likeness[both]):
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
