"""Arguments of any type (``anyelement`` and its kin): types that they may have.

Source: PostgreSQL manual, "Polymorphic Types". All ``any...`` of a function have one type, or an array or range of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

ENUM = "pg_temp.any_enum"
"""An enumeration that whoever compiles with it has to create."""

_ELEMENT = ("anyelement", "anynonarray", "anyenum", "anycompatible", "anycompatiblenonarray")
_ARRAY = ("anyarray", "anycompatiblearray")
_RANGE = ("anyrange", "anycompatiblerange")
_MULTIRANGE = ("anymultirange", "anycompatiblemultirange")
_POLYMORPHIC = {*_ELEMENT, *_ARRAY, *_RANGE, *_MULTIRANGE}

# Of different categories, so that little but a missing name fails with all of them.
_TRIED = (
    ("integer", "int4range", "int4multirange"),
    ("timestamp with time zone", "tstzrange", "tstzmultirange"),
    ("text", "", ""),
    ("jsonb", "", ""),
)


def stand_ins(types: Iterable[str]) -> list[Mapping[str, str]]:
    """What to write for types of any kind, in each of several ways; nothing where there is no such type.

    Args:
        types: Those of the arguments, as ``format_type`` prints them.
    """
    taken = _POLYMORPHIC.intersection(types)
    if not taken:
        return []
    tried = ((ENUM, "", ""),) if "anyenum" in taken else _TRIED
    found: list[Mapping[str, str]] = []
    for element, range_, multirange in tried:
        fitting = {
            **dict.fromkeys(_ELEMENT, element),
            **dict.fromkeys(_ARRAY, f"{element}[]"),
            **dict.fromkeys(_RANGE, range_),
            **dict.fromkeys(_MULTIRANGE, multirange),
        }
        if all(fitting[name] for name in taken):
            found.append(fitting)
    return found


def replaced(type_: str, fitting: Mapping[str, str]) -> str:
    """The type to write for one that may be of any kind, or an array of such."""
    return fitting.get(type_) or (f"{fitting[type_[:-2]]}[]" if type_[:-2] in fitting else type_)
