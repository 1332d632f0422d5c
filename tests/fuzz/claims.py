"""Who calls: the people of the test, and tokens that nobody should have issued."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from hypothesis import strategies as st

from tests.fuzz.catalog import ROLES
from tests.fuzz.values import JSON_NUMBERS, Pool, texts


@dataclass(frozen=True, slots=True)
class Caller:
    """A role, the text of the claims, and whom they name.

    Attributes:
        user_id: Who that is; ``None`` for a guest.
        readable: Whether the claims are a JSON object whose sub, if there is one, is a uuid.
    """

    role: str
    claims: str
    user_id: UUID | None = None
    readable: bool = True

    @property
    def label(self) -> str:
        """For people who read a failure."""
        return f"{self.role} with {self.claims[:300]}"


NO_OBJECT = (
    "rubbish", "{", "[]", "null", "5", '"text"', "true", "{}{}", '{"sub":', "{'sub':1}", " ", " {}", "\ufeff{}",
    '{"a":1,}', "{\x01}", '{"a":"\x01"}', '{"a":"\\u0000"}', '{"\\u0000":1}', '{"a":"\\ud800"}', '{"a":NaN}', "{\\}",
    '[{"sub":null}]', '{"x":' * 100_000, '{"x":' + "[" * 100_000 + "]" * 100_000 + "}",
)  # fmt: skip

NO_SUB = (
    '""', '"rubbish"', "5", "true", "[]", "{}", '["%s"]', '{"sub":"%s"}', '" %s"', '"%s "', '"%s\\n"', '"urn:uuid:%s"',
    '"%s%s"', "0.1", "1e400", '"\\u202e%s"', '"%s\\ud800"', '"%s\\u0000"', '"null"',
)  # fmt: skip

SPELLINGS: tuple[Callable[[UUID], str], ...] = (
    str,
    lambda who: str(who).upper(),
    lambda who: who.hex,
    lambda who: f"{{{who}}}",
)

LARGE = ("[" * 1000 + "]" * 1000, '{"a":' * 900 + "1" + "}" * 900, json.dumps({str(n): n for n in range(20_000)}))
# By their numbers, for Hypothesis writes out what a strategy is made of.
large = st.integers(0, len(LARGE) - 1).map(LARGE.__getitem__)
no_object = st.integers(0, len(NO_OBJECT) - 1).map(NO_OBJECT.__getitem__)


def forged(pool: Pool, users: Mapping[str, UUID]) -> st.SearchStrategy[Caller]:
    """Any role with claims that no well-meant service issues; some can be read, and then name somebody."""
    roles = st.sampled_from(ROLES)
    people = st.sampled_from(sorted(users.values()))
    more = _more(pool)
    return st.one_of(
        st.builds(_no_object, roles, no_object | texts.map(lambda text: f"x{text}")),
        st.builds(_no_sub, roles, st.sampled_from(NO_SUB), people, more),
        st.builds(_guest, roles, st.sampled_from(('"a":1', '"sub":null')), more),
        st.builds(_somebody, roles, people, st.sampled_from(SPELLINGS), more),
        st.builds(_two_subs, roles, people, people, more),
    )


def _more(pool: Pool) -> st.SearchStrategy[str]:
    """Further members of the claims, as JSON text that begins with a comma, or nothing."""
    names = ("role", "email", "email_verified", "exp", "iss", "aud", "is_admin", "user_metadata", "x", "")
    words = ("null", "true", "false", "0", "4102444800", '"service_role"', '"postgres"', '"fuzz"', '["fuzz"]')
    values = st.one_of(
        st.sampled_from(words),
        st.sampled_from(JSON_NUMBERS),
        large,
        st.sampled_from(pool.addresses).map(json.dumps),
        texts.map(json.dumps),
        texts.map(lambda text: json.dumps({"role": "service_role", "email": text})),
    )
    members = st.one_of(
        st.tuples(st.sampled_from(names), values).map(_member),
        st.tuples(st.sampled_from(("exp", "aud")), st.sampled_from(JSON_NUMBERS)).map(_member),
        st.sampled_from((',"exp":4102444800', ',"exp":4102444800,"aud":"fuzz"', ',"exp":1')),
    )
    return st.lists(members, max_size=4).map("".join)


def _member(pair: tuple[str, str]) -> str:
    name, value = pair
    return f",{json.dumps(name)}:{value}"


def _no_object(role: str, claims: str) -> Caller:
    return Caller(role, claims, readable=False)


def _no_sub(role: str, sub: str, who: UUID, more: str) -> Caller:
    return Caller(role, f'{{"sub":{sub.replace("%s", str(who))}{more}}}', readable=False)


def _guest(role: str, sub: str, more: str) -> Caller:
    return Caller(role, f"{{{sub}{more}}}")


def _somebody(role: str, who: UUID, spell: Callable[[UUID], str], more: str) -> Caller:
    return Caller(role, f'{{"sub":"{spell(who)}"{more}}}', who)


def _two_subs(role: str, first: UUID, last: UUID, more: str) -> Caller:
    """Of two members with one name the last one counts, as for every reader of JSON that clients know."""
    return Caller(role, f'{{"sub":"{first}"{more},"sub":"{last}"}}', last)
