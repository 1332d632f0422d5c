"""Figures that stand in a document by themselves: each has to be a constant that is listed, with the reason.

A figure is a number with a unit, of something that is counted, with a fraction or with thousands; ``three times`` is
one, too. Looked at are sentences, tables and blocks of ``text``, which show what a command prints. Code is not.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.figures.regions import without

_NUMBER = re.compile(r"(?<![\w.,])\d+(?:,\d{3})*(?:\.\d+)*")
_TIME = "ns|us|[\u00b5\u03bc]s|ms|min|h|(?:nano|micro|milli)?seconds?|minutes?|hours?|days?|weeks?"
_SIZE = "B|[kKMGT]i?B|bytes?|kilobytes?|megabytes?|gigabytes?"
_COUNTED = (
    "times|percent|points|cores?|processors?|rows?|pages?|blocks?|buffers?|statements?|query|queries|requests?|calls?"
    "|answers?|replies|pings?|(?:heart)?beats?|polls?|messages?|events?|connections?|clients?|sessions?|viewers?|people"
    "|users?|registrations?|transactions?|records?|locks?|successes"
)
_UNIT = re.compile(
    rf" ?[%\u00d7]| ?(?:{_TIME}|{_SIZE}|x)\b| s\b|(?<![45]\d\d)s\b|/\w+| (?:an?|each|every|per) \w+"
    rf"| (?:(?!(?:and|or|of|for|to|in|on|with)\b)[a-z-]+ )?(?:{_COUNTED})\b"
)
_WORDS = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|fifty|a hundred|a thousand|a million) times\b"
    r"|\btwice (?:the|as)\b",
    re.I,
)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_CODE = re.compile(r"`([^`]*)`|\]\([^)]*\)")
_AROUND = 30


@dataclass(frozen=True, slots=True)
class Constant:
    """Words of a document with figures that nobody measured.

    Attributes:
        file: The document.
        phrase: The words, which stand in it once.
        because: What they are.
    """

    file: str
    phrase: str
    because: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A table of a document that another test compares with what it is about.

    Attributes:
        file: The document.
        heading: What it stands under.
        test: That test, as pytest names it.
    """

    file: str
    heading: str
    test: str


@dataclass(frozen=True, slots=True)
class Known:
    """All that may stand in the documents."""

    constants: Sequence[Constant]
    checked: Sequence[Checked] = ()


def read_known(path: Path) -> Known:
    """What a TOML file lists.

    Args:
        path: The file, with ``[[constant]]`` (``file``, ``because`` and a list of ``phrases``) and ``[[checked]]``.
    """
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    return Known(
        [
            Constant(group["file"], " ".join(phrase.split()), group["because"])
            for group in found["constant"]
            for phrase in group["phrases"]
        ],
        [Checked(**one) for one in found["checked"]],
    )


def figures(text: str) -> Iterator[tuple[int, int]]:
    """Where there are figures in a text."""
    for number in _NUMBER.finditer(text):
        unit = _UNIT.match(text, number.end())
        if unit or not number[0].isdecimal():
            yield number.start(), unit.end() if unit else number.end()
    yield from (words.span() for words in _WORDS.finditer(text))


def problems(documents: Mapping[str, str], known: Known) -> list[str]:
    """Figures of which nobody knows where they come from, and constants that are of no use.

    Args:
        documents: By name, the text of each.
        known: The constants.
    """
    found = [
        f"{constant.file}: there is no such document" for constant in known.constants if constant.file not in documents
    ]
    for name, text in documents.items():
        mine = [constant for constant in known.constants if constant.file == name]
        found += _problems_of(name, _prose(text, [one.heading for one in known.checked if one.file == name]), mine)
    return found


def _problems_of(name: str, prose: str, constants: Sequence[Constant]) -> list[str]:
    found, allowed = [], []
    there = sorted(figures(_without_code(prose)))
    for constant in constants:
        places = [match.span() for match in re.finditer(re.escape(constant.phrase), prose)]
        if len(places) != 1:
            found.append(f"{name}: the constant {constant.phrase!r} stands there {len(places)} times, not once")
        elif not any(_within(figure, places[0]) for figure in there):
            found.append(f"{name}: the constant {constant.phrase!r} has no figure")
        allowed += places
    for begin, end in there:
        if not any(_within((begin, end), place) for place in allowed):
            around = prose[max(0, begin - _AROUND) : end + _AROUND]
            found.append(f"{name}: {prose[begin:end]!r} is in no results file, and no constant: ...{around}...")
    return found


def _within(figure: tuple[int, int], place: tuple[int, int]) -> bool:
    return place[0] <= figure[0] and figure[1] <= place[1]


def _prose(text: str, checked: Sequence[str]) -> str:
    """What is looked at, in one line."""
    text = _FENCE.sub(lambda fence: fence[2] if fence[1] in {"text", ""} else "", without(text))
    for heading in checked:
        before, under, section = text.partition(f"\n## {heading}\n")
        section, following, after = section.partition("\n## ")
        text = before + under + re.sub(r"^\|.*$", "", section, flags=re.M) + following + after
    return " ".join(text.split())


def _without_code(prose: str) -> str:
    """With blanks where code and addresses are, unless the code is nothing but a figure."""

    def blank(code: re.Match[str]) -> str:
        whole = code[1] or ""
        return code[0] if (0, len(whole)) in figures(whole) else "_" * len(code[0])

    return _CODE.sub(blank, prose)
