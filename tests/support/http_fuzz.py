"""Requests that nobody would send, made of what might hurt: for every function and view, as everybody."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

from hypothesis import strategies as st

INJECTIONS = (
    "'; drop table eventlive.registrations; --",
    "' or '1'='1",
    '" or ""="',
    "$$; select 1; $$",
    "\\'; select pg_sleep(20); --",
    "1) union select * from eventlive.settings --",
    "%s%s%n{0}${jndi}",
    "(select leave_token from eventlive.webinar_user_sessions limit 1)",
    "eventlive.settings",
    "*,eventlive.settings(*)",
    "../../eventlive/settings",
)
EXTREMES = (0, -1, 2**31, -(2**31) - 1, 2**63, -(2**63) - 1, 10**400, 1e308, 1e-308, float("inf"), float("nan"))
STRANGE = (
    "",
    " ",
    "\0",
    "\x01\x1b[31m\x7f",
    "\u202e\ufeff",
    "\ud800",
    "é" * 1000,
    "🎥" * 500,
    "null",
    "NaN",
    "infinity",
)

LONGEST_QUERY = 8000
NO_HEADERS: dict[str, str] = {}

texts = st.one_of(st.text(max_size=40), st.sampled_from(STRANGE), st.sampled_from(INJECTIONS))
scalars = st.one_of(texts, st.sampled_from(EXTREMES), st.integers(), st.booleans(), st.none(), st.uuids().map(str))
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)
huge = st.sampled_from(("x" * 300_000, ["x"] * 20_000, {"a": "y" * 100_000})) | st.just("[" * 3000).map(str)


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent.

    Attributes:
        caller: The name of the one who sends it.
        function: The function that is called, if one is.
        given: Its arguments, as far as they can be read.
    """

    method: str
    path: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    caller: str = ""
    function: str = ""
    given: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Targets:
    """What there is to aim at.

    Attributes:
        functions: Name to the names of the parameters.
        views: Name to the names of the columns.
        good: Values that are right, by name of the parameter or column.
        right: Function to calls that succeed: by whom, with what.
        callers: Everybody.
    """

    functions: dict[str, list[str]]
    views: dict[str, list[str]]
    good: dict[str, list[object]]
    right: dict[str, list[tuple[str, dict[str, Any]]]]
    callers: list[str]


def to_json(value: object) -> bytes:
    """As a careless client writes it: with NaN, infinity and halves of surrogates."""
    return json.dumps(value).encode()


def arguments(names: list[str], good: dict[str, list[object]]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the arguments, right or wrong, and now and then one that does not exist."""
    right = {name: st.sampled_from(good.get(name, [None])) for name in names}
    wrong = {name: st.one_of(right[name], right[name], right[name], documents) for name in names}
    return st.one_of(
        st.fixed_dictionaries({name: right[name] for name in names if name in good}),
        st.fixed_dictionaries({}, optional=right),
        st.fixed_dictionaries(wrong),
        st.fixed_dictionaries({}, optional=wrong),
        st.tuples(st.fixed_dictionaries(right), st.dictionaries(texts, documents, max_size=2)).map(
            lambda two: two[0] | two[1]
        ),
    )


@st.composite
def aims(draw: st.DrawFn, targets: Targets, function: str) -> tuple[str, dict[str, Any]]:
    """By whom and with what: a call that succeeds, now and then with somebody or something else; or anything."""
    anybody = st.sampled_from(targets.callers)
    if not draw(st.integers(0, 3)):
        return draw(anybody), draw(arguments(targets.functions[function], targets.good))
    caller, given = draw(st.sampled_from(targets.right[function]))
    if not draw(st.integers(0, 4)):
        caller = draw(anybody)
    if given and not draw(st.integers(0, 3)):
        given = given | {draw(st.sampled_from(sorted(given))): draw(documents | huge)}
    return caller, dict(given)


@st.composite
def calls(draw: st.DrawFn, targets: Targets) -> Request:
    """A call of a function."""
    name = draw(st.sampled_from(sorted(targets.functions)))
    caller, given = draw(aims(targets, name))
    if draw(st.integers(0, 7)) == 0:
        query = "&".join(f"{quote_plus(key, errors='replace')}={in_query(value)}" for key, value in given.items())
        if len(query) > LONGEST_QUERY:
            query = query[:LONGEST_QUERY].rpartition("&")[0]  # never within an escape: see test_requests
        method = draw(st.sampled_from(("GET", "HEAD", "POST")))
        return Request(method, f"/rpc/{name}?{query}", caller=caller, function=name, given=given)
    if draw(st.integers(0, 3)):
        return call(name, caller, given)
    body = to_json(draw(st.sampled_from((given, given, [given], [given, given], [[given]]))))
    body = draw(st.sampled_from((body, body, body[:-1], body + b"\xff", b"", body * 2)))
    return Request("POST", f"/rpc/{name}", body, draw(headers), caller, name, given)


def call(function: str, caller: str, given: Mapping[str, Any]) -> Request:
    """The plain call of a function."""
    return Request("POST", f"/rpc/{function}", to_json(given), caller=caller, function=function, given=dict(given))


def in_query(value: object) -> str:
    """A value in a query string."""
    text = value if isinstance(value, str) else json.dumps(value)
    return quote_plus(text[:500], errors="replace")


OPERATORS = ("eq", "neq", "gt", "like", "ilike", "in", "is", "fts", "cs", "cd", "ov", "not.eq", "match", "nonsense", "")


@st.composite
def reads(draw: st.DrawFn, targets: Targets) -> Request:
    """A look at a view, with filters, orders and ranges of all kinds."""
    name = draw(st.sampled_from([*sorted(targets.views), "settings", "webinar_live"]))
    columns = targets.views.get(name, ["id"])
    column = st.sampled_from(columns) | texts.map(lambda text: quote(text, safe="", errors="replace"))
    value = st.one_of(scalars, *(st.sampled_from(targets.good[c]) for c in columns if c in targets.good))
    parts = draw(
        st.lists(
            st.one_of(
                st.builds("{}={}.{}".format, column, st.sampled_from(OPERATORS), value.map(in_query)),
                st.builds("order={}.{}".format, column, st.sampled_from(("asc", "desc.nullslast", "x"))),
                st.builds("select={}".format, column),
                st.builds("select=*,{}(*)".format, st.sampled_from(sorted(targets.views)) | column),
                st.builds("{}={}".format, st.sampled_from(("limit", "offset")), value.map(in_query)),
                st.builds("or=({}.eq.{},{}.gt.{})".format, column, value.map(in_query), column, value.map(in_query)),
                st.builds("{}={}".format, column, value.map(in_query)),
            ),
            max_size=4,
        )
    )
    method, caller = draw(st.sampled_from(("GET", "GET", "HEAD"))), draw(st.sampled_from(targets.callers))
    return Request(method, f"/{name}?{'&'.join(parts)}", None, draw(headers), caller)


@st.composite
def writes(draw: st.DrawFn, targets: Targets) -> Request:
    """An attempt to write through a view."""
    name = draw(st.sampled_from(sorted(targets.views)))
    row = draw(arguments(targets.views[name], targets.good))
    method = draw(st.sampled_from(("POST", "PATCH", "PUT", "DELETE")))
    query = draw(st.sampled_from(("", f"?{targets.views[name][0]}=not.is.null", "?limit=1", "?columns=nonsense")))
    body, caller = to_json(draw(st.sampled_from((row, [row])))), draw(st.sampled_from(targets.callers))
    return Request(method, f"/{name}{query}", body, draw(headers), caller)


headers = (
    st.just(NO_HEADERS)
    | st.just(NO_HEADERS)
    | st.fixed_dictionaries(
        {},
        optional={
            "Content-Type": st.sampled_from(
                ("application/json", "application/json", "text/csv", "text/plain", "x", "")
            ),
            "Accept": st.sampled_from(
                ("*/*", "application/json", "text/csv", "application/vnd.pgrst.object+json", "x/y")
            ),
            "Prefer": st.sampled_from(
                (
                    "count=exact",
                    "count=planned",
                    "tx=rollback",
                    "return=representation",
                    "resolution=merge-duplicates",
                    "x",
                )
            ),
            "Range": st.sampled_from(("0-1", "5-1", "-1", "x", "0-99999999999999999999")),
            "Accept-Profile": st.sampled_from(("eventlive_api", "eventlive", "public", "")),
            "Content-Profile": st.sampled_from(("eventlive_api", "eventlive_api", "eventlive", "pg_catalog")),
        },
    )
)


def requests(targets: Targets) -> st.SearchStrategy[Request]:
    """All kinds, calls more often than the others."""
    return st.one_of(calls(targets), calls(targets), calls(targets), reads(targets), writes(targets))


def forged_claims(user_id: str, audience: str) -> st.SearchStrategy[dict[str, Any]]:
    """Claims that are none of a good token's, or not all of them: of a user, never of the service."""
    return st.fixed_dictionaries(
        {
            "role": st.sampled_from(("authenticated",) * 4 + ("anon", "postgres", "eventlive_owner", "", "none")),
            "sub": st.just(user_id) | st.just(user_id) | documents,
            "aud": st.just(audience) | st.just(audience) | st.just([audience, "x"]) | documents,
            "exp": st.just(4_000_000_000)
            | st.just(4_000_000_000)
            | st.sampled_from((4_000_000_000.5, 1, "4000000000", 10**400))
            | documents,
        },
        optional={
            "email": texts,
            "email_verified": st.booleans() | texts,
            "iss": documents,
            "nbf": st.sampled_from((0, 0, 4_000_000_000)),
        },
    )
