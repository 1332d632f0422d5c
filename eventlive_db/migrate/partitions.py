"""What jobs make of the visit log while it is in use, and how it has to look: like its declared partition."""

from __future__ import annotations

import re

from eventlive_db.migrate.catalog import Catalog

_LOG = "eventlive.event_access_logs"
_DECLARED = f"{_LOG}_default"

_ROTATED = re.compile(rf"partition {_LOG}_(p|until_)\d{{8}}(_\d{{12}})?")
_ASIDE = re.compile(rf"table {_LOG}_(draining(_\d{{12}})?|(p|until_)\d{{8}}(_\d{{12}})?_expired)")

_OF_ITS_OWN = frozenset({"partition of", "comment"})
"""What no two partitions have in common."""


def expected_at_run_time(declared: Catalog, found: Catalog) -> dict[tuple[str, str], str]:
    """What the partitions that a job has made have to look like, and what it has put aside.

    Args:
        declared: What ought to be; with the default partition, which all of them are like.
        found: What is.

    Returns:
        Further entries of what ought to be, for those of them that are there.
    """
    known = declared.objects()
    made = [object_ for object_ in found.objects() - known if _ROTATED.fullmatch(object_) or _ASIDE.fullmatch(object_)]
    template = {
        aspect: value
        for (object_, aspect), value in declared.entries.items()
        if object_ == f"partition {_DECLARED}" and aspect not in _OF_ITS_OWN
    }
    return {
        (object_, _renamed(aspect, object_)): _renamed(value, object_)
        for object_ in made
        for aspect, value in template.items()
        if not _ASIDE.fullmatch(object_) or _is_guarded(aspect)
    }


def may_be_so(object_: str, aspect: str, known: frozenset[str], found: Catalog) -> bool:
    """Whether an entry may differ from what was declared because it is about a table of the log made since.

    Of a partition that somebody made by hand, nobody but its owner may be granted anything; the rest is theirs.
    """
    if object_ in known:
        return False
    if _ROTATED.fullmatch(object_):
        return aspect in _OF_ITS_OWN
    if _ASIDE.fullmatch(object_):
        return not _is_guarded(aspect)
    if object_.startswith("partition "):
        granted = re.search(r"\bgrant .* to (.*)", aspect)
        return granted is None or granted[1] == found.entries.get((object_, "owner"))
    return False


def _renamed(text: str, object_: str) -> str:
    """The same about another partition, whose index and policy are named after it."""
    return text.replace(_DECLARED.partition(".")[2], object_.partition(".")[2])


def _is_guarded(aspect: str) -> bool:
    """Whether it says who may read and write the table."""
    return aspect in {"owner", "row security"} or "grant " in aspect or aspect.startswith(("trigger ", "rule "))
