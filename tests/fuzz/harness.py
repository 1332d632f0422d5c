"""Makes a call as PostgREST does, and says what is wrong with what came of it."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from eventlive_db.client.calls import SET_IDENTITY
from eventlive_db.client.errors import rpc_error
from tests.fuzz.catalog import Function, View
from tests.fuzz.claims import Caller
from tests.fuzz.effects import Effect, Made
from tests.fuzz.rights import effect_of
from tests.fuzz.values import Argument
from tests.fuzz.world import World
from tests.support.bad_input import ASK_NO_CLAIMS
from tests.support.errors import TOKENS, assert_conforms

CONTRACT = dict(
    re.findall(
        r"^\| \d{3} \| `(\w+)` \| ([^|]+) \|",
        (Path(__file__).parents[2] / "docs" / "contract.md").read_text("utf-8"),
        re.MULTILINE,
    )
)
"""Token to message, as the documentation promises them."""

# What a call may come to besides success and the tokens of the contract. Everything else fails: PostgREST would make
# XX, 08, 40P01, 55P03 and 57014 a 500 and 53 a 503, and what is not in this list is in no contract.
UNREADABLE = {
    "22P02": "no uuid, boolean, number, array or JSON at all",
    "22P05": "JSON with \\u0000, which no text of Postgres can hold",
    "22003": "a number in JSON beyond what numeric holds",
    "22007": "no time",
    "22008": "a time outside the calendar",
    "22009": "a time with an impossible offset",
    "22023": "a time in a zone that does not exist",
    "2202E": "an array whose upper bound is below its lower one",
    "54000": "an array of more than six dimensions",
    "54001": "JSON nested deeper than the stack of Postgres",
}
FORBIDDEN = "42501"
"""The role may not call the function or read the view."""

_AFTERWARDS = """
    select current_user, coalesce(current_setting('request.jwt.claims', true), ''),
           current_setting('synchronous_commit'),
           (select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'advisory')"""


@dataclass(slots=True)
class Outcome:
    """What came of a call.

    Attributes:
        word: ``done``, the token of a refusal, or the SQLSTATE of any other error.
        said: All that the caller got to read.
        faults: What is wrong with it.
    """

    word: str
    said: str
    faults: list[str] = field(default_factory=list)


class Harness:
    """Makes calls in a world, each in a transaction of its own, and puts the world back after each.

    Attributes:
        met: How often each outcome was met.
        by_function: How often each function came to each outcome.
        last: What the last call came to.
        effects: What may come of functions that are in no contract.
    """

    def __init__(self, world: World, timeout_ms: int = 5000) -> None:
        self.world = world
        self.met: Counter[str] = Counter()
        self.by_function: dict[str, Counter[str]] = defaultdict(Counter)
        self.effects: dict[str, Effect] = {}
        self.last = ""
        self.connection = world.db.connect()
        self.connection.execute(f"set statement_timeout = {timeout_ms}".encode())
        self._clean = self.connection.execute(_AFTERWARDS).fetchone()

    def call(self, function: Function, caller: Caller, arguments: Mapping[str, Argument]) -> list[str]:
        """Call a function and return what is wrong with the outcome."""
        effect = self.effects.get(function.name) or effect_of(function.name)
        named = [sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder()) for name in arguments]
        query = sql.SQL("select eventlive_api.{}({})").format(sql.Identifier(function.name), sql.SQL(", ").join(named))
        outcome = self._make(caller, query, list(arguments.values()))
        self.by_function[function.name][outcome.word] += 1
        self.last = outcome.word
        given = "\n".join(value for value in arguments.values() if value).lower()
        faults = [
            *outcome.faults,
            *self._leaks(outcome, caller, given),
            *effect.faults(
                Made(self.world.facts, caller, arguments), self.world.changes(), done=outcome.word == "done"
            ),
        ]
        if outcome.word in UNREADABLE and not self._explains(outcome.word, function, arguments):
            faults.append(f"{outcome.word}, though every argument can be read")
        if outcome.word == FORBIDDEN and caller.role in function.roles:
            faults.append("42501 for a role that may call")
        if outcome.word == "done" and caller.role not in function.roles:
            faults.append("done for a role that may not call")
        if outcome.word == "done" and not caller.readable and function.name not in ASK_NO_CLAIMS:
            faults.append("done for claims that cannot be read")
        return self._reported(faults, function.name, caller, arguments, outcome)

    def read(self, view: View, caller: Caller, query: sql.Composed, parameters: list[Argument]) -> list[str]:
        """Read a view and return what is wrong with the outcome."""
        outcome = self._make(caller, query, parameters)
        faults = [*outcome.faults, *self._leaks(outcome, caller, "")]
        faults += [f"reading changed {change}" for change in self.world.changes()]
        if (outcome.word == FORBIDDEN) != (caller.role not in view.roles) and outcome.word not in UNREADABLE:
            faults.append(f"{outcome.word}, but select is granted to {sorted(view.roles)}")
        return self._reported(faults, view.name, caller, {"query": query.as_string()}, outcome)

    def _make(self, caller: Caller, query: sql.Composed, parameters: list[Argument]) -> Outcome:
        """Run a statement as the caller, commit, and look at the outcome and at the connection."""
        try:
            with self.connection.transaction():
                self.connection.execute(SET_IDENTITY, (caller.role, caller.claims))
                rows = self.connection.execute(query, parameters).fetchall()
            outcome = Outcome("done", json.dumps(rows, default=str, ensure_ascii=False))
        except psycopg.Error as error:
            outcome = _refusal(error)
        self.met[outcome.word] += 1
        if self.connection.info.transaction_status != TransactionStatus.IDLE:
            outcome.faults.append("the connection was left in a transaction")
            self.connection.rollback()
        if self.connection.execute(_AFTERWARDS).fetchone() != self._clean:
            outcome.faults.append("the connection keeps an identity, a setting or a lock")
            self.connection.execute("discard all")
        return outcome

    def _leaks(self, outcome: Outcome, caller: Caller, given: str) -> list[str]:
        """What the caller read of others, without having said it before."""
        said = outcome.said.lower()
        return [
            f"{mark.text} was shown"
            for mark in self.world.marks
            if mark.text in said and not mark.may_be_read_by(caller) and mark.text not in given
        ]

    def _explains(self, sqlstate: str, function: Function, arguments: Mapping[str, Argument]) -> bool:
        """Whether reading one of the arguments is all it takes to get that error."""
        types = {parameter.name: parameter.type for parameter in function.parameters}
        for name, value in arguments.items():
            try:
                self.world.db.admin.execute(f"select %s::text::{types[name]}".encode(), [value])
            except psycopg.Error as error:
                if error.sqlstate == sqlstate:
                    return True
        return False

    def _reported(
        self, faults: list[str], name: str, caller: Caller, arguments: Mapping[str, Argument], outcome: Outcome
    ) -> list[str]:
        """The faults, each with what is needed to repeat the call."""
        shown = {key: value if value is None else value[:300] for key, value in arguments.items()}
        return [f"{fault}: {name}({shown}) by {caller.label}: {outcome.word} {outcome.said[:300]}" for fault in faults]


def _refusal(error: psycopg.Error) -> Outcome:
    """Read an error, and hold it against the contract."""
    diag = error.diag
    said = " ".join(text for text in (str(error), diag.message_detail, diag.message_hint, diag.context) if text)
    known = rpc_error(error)
    if not known:
        allowed = error.sqlstate in UNREADABLE or error.sqlstate == FORBIDDEN
        return Outcome(str(error.sqlstate), said, [] if allowed else [f"{error.sqlstate} is not in the contract"])
    faults = []
    if CONTRACT.get(known.token) != known.message or known.token not in TOKENS:
        faults.append(f"{known.token} is not in docs/contract.md")
    try:
        assert_conforms(known)
    except AssertionError:
        faults.append(f"the error {known.token} has not the form that is promised")
    return Outcome(known.token, said, faults)
