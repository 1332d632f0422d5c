"""Arguments as text: what fits a type, up to its extremes, and what does not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from hypothesis import strategies as st

Text = st.SearchStrategy[str]
Argument = str | None

HUGE = 100_000

INJECTIONS = (
    "'; drop table eventlive.webinars; --",
    "' or '1'='1",
    "\\'; select pg_sleep(60); --",
    "$$; select 1/0; $$",
    "') union select leave_token from eventlive.webinar_user_sessions --",
    '"; set role postgres; --',
    "%s %(x)s %% {} {0}",
    "$1",
    "/* ' */",
    "E'\\\\x00'",
    "(select version())",
    "a\\",
)

STRANGE = (
    "",
    " ",
    "null",
    "NULL",
    "\x01\x02\x1b[31m\x7f\x85",
    "\t\r\n",
    "\u202ereversed\u202c\u2066\u2069",
    "e\u0301" * 50 + "\u0300" * 200,
    "\ufeffbom",
    "\ufffd\uffff\ufffe",
    "\U0001f469\u200d\U0001f4bb\U000e0041\U0010ffff\U00020000",
    "\u0130\u0131\u00df\u1e9e\u03c2\ufb01",
    "ﷺ" * 100,
    "..%2f..%00",
    "[]",
    "{}",
    "-1",
    "0x10",
    "1e400",
    "NaN",
    "infinity",
)

UUIDS = (
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFE",
    "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
    "a0eebc999c0b4ef8bb6d6bb9bd380a11",
)

TIMES = (
    "infinity", "-infinity", "now", "epoch", "tomorrow", "today", "allballs", "2030-01-01", "2030-01-02T03:04:05+14:00",
    "4714-11-24 00:00:00+00 BC", "0044-03-15 BC", "0001-01-01", "294276-12-31 23:59:59.999999+00", "2024-02-29",
    "1999-12-31 24:00:00", "2016-12-31 23:59:60", "2000-01-01 00:00:00 America/New_York",
    "2000-01-01 00:00:00-15:59:59",
)  # fmt: skip

NO_TIMES = (
    "4714-11-23 BC", "294277-01-01", "999999-01-01", "2023-02-29", "0000-01-01", "2000-01-01 25:00", "soon",
    "2000-01-01 00:00+16:00", "2000-01-01 00:00 Mars/Phobos", "99999999999999999999", "1e10", "infinityy",
)  # fmt: skip

NUMBERS = (
    "0", "1", "-1", "32767", "32768", "2147483647", "-2147483648", "2147483648", "9223372036854775807",
    "-9223372036854775808", "9223372036854775808", "1e308", "1e-400", "NaN", "Infinity", "-0", "0.1",
)  # fmt: skip

BEYOND_NUMERIC = "1e131072"
"""A number that json takes, and jsonb and numeric do not."""

# Numbers that JSON allows and a program may not expect.
JSON_NUMBERS = (
    "1e308",
    "1e400",
    "-1e-400",
    "1e131071",
    "0." + "3" * 1000,
    "9" * 4000,
    "2147483648",
    "-0",
    BEYOND_NUMERIC,
)

texts = st.one_of(
    st.sampled_from(INJECTIONS),
    st.sampled_from(STRANGE),
    st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=60),
    st.text(st.characters(categories=("Mn", "Me", "Cf", "Cc", "Co"), exclude_characters="\x00"), max_size=40),
    st.sampled_from(("x", "é", "\U0001f600", "'", "\\", "a@b.example,")).map(lambda c: c * (HUGE // len(c.encode()))),
)


@dataclass(frozen=True, eq=False)
class Pool:
    """What means something in a database.

    Attributes:
        ids: Ids that exist, under a word that is in the names of the parameters which take them.
        words: Words that are understood, under the name of the parameter or setting that takes them.
        addresses: Addresses and names, good and bad.
    """

    ids: Mapping[str, Sequence[str]]
    words: Mapping[str, Sequence[str]]
    addresses: Sequence[str]

    def every_id(self) -> list[str]:
        """Every id that means something."""
        return [i for group in self.ids.values() for i in group]

    def ids_for(self, parameter: str) -> Sequence[str]:
        """The ids that a parameter of that name takes."""
        return next((group for word, group in self.ids.items() if word in parameter), self.every_id())

    def every_word(self) -> list[str]:
        """Every word that means something, and the names of what takes them."""
        return sorted({word for name, group in self.words.items() for word in (name, *group)})

    def words_for(self, parameter: str) -> Sequence[str]:
        """The words that a parameter of that name takes."""
        return self.words.get(parameter.strip("_")) or self.addresses


def as_text(value: object) -> Argument:
    """A value of JSON as the text that Postgres reads for a parameter of its type."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return array_of([as_text(item) for item in value])
    return json.dumps(value, ensure_ascii=False)


def array_of(items: Sequence[Argument]) -> str:
    """The text of an array."""
    quoted = ("null" if item is None else '"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items)
    return "{" + ",".join(quoted) + "}"


@cache
def _json_texts(pool: Pool) -> Text:
    """JSON of every shape; objects use the names that functions look for, and often what belongs to them."""
    scalars: st.SearchStrategy[Any] = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from(pool.every_word()), st.sampled_from(pool.every_id()), texts,
    )  # fmt: skip
    names = st.one_of(st.sampled_from(pool.every_word()), st.sampled_from(STRANGE))
    known = st.sampled_from(sorted(pool.words)).flatmap(
        lambda name: st.tuples(st.just(name), st.sampled_from(pool.words[name] or ("1", "true", "90")))
    )
    right = st.lists(known, max_size=3).map(dict)
    objects = st.dictionaries(names, scalars, max_size=6)
    trees = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4))
    raw = st.tuples(names, st.sampled_from(JSON_NUMBERS))
    return st.one_of(
        right.map(json.dumps),
        st.sampled_from(("{}", '{"title": "New", "settings": {"pacing_jitter": 0, "expiry_factor": null}}')),
        objects.map(json.dumps),
        objects.map(lambda value: json.dumps({"settings": value}, ensure_ascii=False)),
        trees.map(json.dumps),
        raw.map(lambda pair: f"{{{json.dumps(pair[0])}: {pair[1]}}}"),
        raw.map(lambda pair: f'{{"settings": {{{json.dumps(pair[0])}: {pair[1]}}}}}'),
        names.map(lambda name: f"{{{json.dumps(name)}: 1, {json.dumps(name)}: {{}}}}"),
        st.integers(0, len(_LARGE) - 1).map(_LARGE.__getitem__),
    )


_LARGE = (
    '{"a":' * 1000 + "1" + "}" * 1000,
    "[" * 1000 + "]" * 1000,
    json.dumps({f"key {n}": n for n in range(10_000)}),
    json.dumps({"settings": {f"key {n}": [n] for n in range(10_000)}}),
    json.dumps({"agent": "x" * 2 * HUGE}),
    json.dumps({"title": "é" * HUGE}, ensure_ascii=False),
)

NO_JSON = (
    "{",
    "rubbish",
    "{'a':1}",
    '{"a":NaN}',
    '"\\u0000"',
    '{"\\u0000":1}',
    '"\\ud800"',
    '{"a":1}}',
    '"\x01"',
    "01",
)


def _arrays(items: st.SearchStrategy[Argument], many: Sequence[str]) -> Text:
    """Arrays: none, a few, thousands, with nulls, with bounds of their own, of two dimensions."""
    few = st.lists(items, max_size=5)
    return st.one_of(
        few.map(array_of),
        st.lists(st.none() | items, min_size=1, max_size=5).map(array_of),
        few.filter(bool).map(lambda values: f"[-5:{len(values) - 6}]={array_of(values)}"),
        st.lists(items, min_size=2, max_size=2).map(lambda row: "{" + array_of(row) + "," + array_of(row) + "}"),
        st.sampled_from((1001, 10_001)).map(lambda number: array_of([many[n % len(many)] for n in range(number)])),
    )


NO_ARRAYS = (
    "{",
    "{{1},{2,3}}",
    "[5:1]={}",
    "[1:3]={1}",
    "{{{{{{{1}}}}}}}",
    "[99999999999:99999999999]={1}",
    "{1",
    "1,2",
)


@cache
def fitting(pool: Pool, of_type: str) -> Text:
    """Texts that can be read as that type, or nearly, up to its extremes."""
    if of_type.endswith("[]"):
        element = of_type.removesuffix("[]")
        many = {"uuid": pool.every_id(), "text": pool.addresses}.get(element, ("1", "2"))
        return _arrays(st.sampled_from(many) | fitting(pool, element), many)
    strategies: dict[str, Text] = {
        "uuid": st.sampled_from(UUIDS) | st.sampled_from(pool.every_id()) | st.uuids().map(str),
        "text": st.sampled_from(pool.every_word()) | texts,
        "jsonb": _json_texts(pool),
        "json": _json_texts(pool),
        "boolean": st.sampled_from(("true", "false", "t", "off", "1", "yes")),
        "timestamp with time zone": st.sampled_from(TIMES) | st.datetimes().map(str),
    }
    return strategies.get(of_type, st.sampled_from(NUMBERS) | st.integers().map(str))


@cache
def plausible(pool: Pool, name: str, of_type: str) -> Text:
    """What a function may well accept for a parameter of that name: ids that exist, words that it knows."""
    if of_type == "uuid":
        return st.sampled_from(pool.ids_for(name))
    if of_type == "text":
        return st.sampled_from(pool.words_for(name))
    if of_type in {"uuid[]", "text[]"}:
        items = pool.addresses if of_type == "text[]" else pool.ids_for(name)
        return st.lists(st.sampled_from(items), max_size=3).map(array_of)
    return st.sampled_from(("true", "false")) if of_type == "boolean" else fitting(pool, of_type)


@cache
def unfit(of_type: str) -> Text:
    """Texts that mostly cannot be read as that type; for text there are none."""
    special = {"jsonb": NO_JSON, "json": NO_JSON, "timestamp with time zone": NO_TIMES}.get(of_type, ())
    if of_type.endswith("[]"):
        special = NO_ARRAYS
    return st.one_of(st.sampled_from(special), texts) if special else texts


@cache
def arguments(pool: Pool, of_type: str) -> st.SearchStrategy[Argument]:
    """Anything at all for a parameter."""
    return st.one_of(st.none(), fitting(pool, of_type), unfit(of_type))
