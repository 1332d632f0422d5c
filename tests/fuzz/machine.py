"""Any calls in any order, in a database and in the model at once: after each they must say and hold the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.fuzz.model import GUEST, MAY_BECOME, SERVICE, Model, Refused, Reply, Webinar
from tests.fuzz.stage import OTHER, PEOPLE, RIGHT, SESSIONS, WRONG, Stage, expected_rows
from tests.support.database import EventliveDatabase

ACCESS = ("auth", "guest_allowed", "invite_only", "email_auth")
ENTRY = ("auto_register", "registered_only")
DUPLICATES = ("allow", "ask", "replace_oldest", "reject")
POLICIES = {"access_policy": ACCESS, "entry_policy": ENTRY, "duplicate_login_policy": DUPLICATES}

Policies = tuple[str, str, str]
ONE_SESSION = "a user has one open session, unless several are allowed"
"""Of the invariants the one that need not hold any more where the policy was changed meanwhile."""

Saying = Callable[[Any, Reply], Reply]
"""Reads of a reply what the model says of it."""

SETTINGS = {"ping_interval": "presence_ping_interval_s", "beat_interval": "session_heartbeat_interval_s"}
STEPS_OF_TIME = (100, 200, 600)
"""Never up to a limit: those all lie halfway between two hundreds."""

picks = st.integers(0, 7)
waits = st.sampled_from((0, 0, *STEPS_OF_TIME))
webinars = st.sampled_from("AAAB")
policies = st.tuples(
    st.sampled_from(("guest_allowed", "guest_allowed", *ACCESS)),
    st.sampled_from(("auto_register", *ENTRY)),
    st.sampled_from(DUPLICATES),
)
crowds = st.lists(st.sampled_from(("ann", "ann", "ben", "tom", GUEST)), max_size=3)
everybody = st.sampled_from(("ann", "ann", "ann", *PEOPLE, GUEST, SERVICE))
staff = st.sampled_from(("host",) * 6 + ("moderator", "root", SERVICE, "ann", "tom", GUEST))
users = st.sampled_from(("ann", "ann", *PEOPLE))
sessions = st.sampled_from(SESSIONS)
changes = st.one_of(
    *(st.fixed_dictionaries({name: st.sampled_from(values)}) for name, values in POLICIES.items()),
    st.fixed_dictionaries({"ping_interval": st.sampled_from((100, 300)), "beat_interval": st.sampled_from((300, 500))}),
    st.fixed_dictionaries(
        {"emails": st.sets(st.sampled_from([p.email for p in PEOPLE.values() if p.email]), min_size=1),
         "remove": st.booleans()}
    ),
)  # fmt: skip


class Attendance(RuleBasedStateMachine):
    """Subclass it with a database.

    Attributes:
        met: Function and outcome of each call.
        seen: The policies of the webinars.
    """

    db: ClassVar[EventliveDatabase]
    connection: ClassVar[psycopg.Connection[Any]]
    met: ClassVar[Counter[str]]
    seen: ClassVar[set[Policies]]

    stage: Stage | None = None
    model: Model
    reconfigured = False
    differs = False

    @initialize(
        first=policies, second=policies, status=st.sampled_from(("live",) * 6 + ("scheduled", "draft")),
        most=st.integers(1, 2), batch=st.sampled_from((1, 1000)), crowd=crowds,
    )  # fmt: skip
    def begin(self, first: Policies, second: Policies, status: str, most: int, batch: int, crowd: list[str]) -> None:
        """Two webinars of any policies; in the first some have entered already."""
        self.seen.update((first, second))
        self.model = Model(
            {
                "A": Webinar(*first, status=status, max_sessions=most, batch=batch, emails={"ann@example.com"}),
                "B": Webinar(*second),
            },
            PEOPLE,
        )
        self.stage = Stage(self.db, self.connection, self.model.webinars)
        for who, session in zip(crowd, SESSIONS, strict=False):
            self._enter("A", session, who, take_over=False)

    @rule(webinar=webinars, who=everybody)
    def register(self, webinar: str, who: str) -> None:
        """Somebody registers."""
        self._register(webinar, who)

    @rule(webinar=webinars, who=everybody, session=sessions, take_over=st.booleans())
    def enter(self, webinar: str, who: str, session: str, take_over: bool) -> None:
        """Somebody comes in, or tries to with the session of somebody else."""
        self._enter(webinar, session, who, take_over=take_over)

    @rule(webinar=webinars, who=st.sampled_from(("ann", "ann", "ben", GUEST)), take_over=st.booleans())
    def come_in(self, webinar: str, who: str, take_over: bool) -> None:
        """Somebody who may well be let in opens another tab, or the first one."""
        self._come_in(webinar, who, take_over=take_over)

    @precondition(lambda self: self.watching)
    @rule(pick=picks, after=waits, take_over=st.booleans())
    def enter_again(self, pick: int, after: int, take_over: bool) -> None:
        """A tab enters again with the session that it has."""
        self._pass(after)
        self._enter(*self.watching[pick % len(self.watching)], take_over=take_over)

    @rule(webinar=webinars, who=everybody, after=waits)
    def ping(self, webinar: str, who: str, after: int) -> None:
        """Somebody pings."""
        self._pass(after)
        self._ping(webinar, who)

    @precondition(lambda self: self.watching)
    @rule(pick=picks, after=waits)
    def heartbeat(self, pick: int, after: int) -> None:
        """A session beats."""
        self._pass(after)
        self._heartbeat(*self.watching[pick % len(self.watching)])

    @precondition(lambda self: self.watching)
    @rule(
        pick=picks, who=st.none() | st.sampled_from((GUEST, "tom")), token=st.sampled_from((RIGHT, RIGHT, WRONG, OTHER))
    )
    def leave(self, pick: int, who: str | None, token: str) -> None:
        """A session ends, or somebody without its token tries to end it."""
        webinar, session, owner = self.watching[pick % len(self.watching)]
        self._leave(webinar, session, who or owner, token)

    @rule(webinar=webinars, session=sessions, who=everybody, ends=st.booleans())
    def touch_what_is_not_theirs(self, webinar: str, session: str, who: str, ends: bool) -> None:
        """Somebody beats for any session, or ends it with a token that was never given."""
        if ends:
            self._leave(webinar, session, who, WRONG)
        else:
            self._heartbeat(webinar, session, who)

    @rule(webinar=webinars, who=staff, user=users, role=st.sampled_from(("attendee", "speaker", "moderator", "host")))
    def grant_role(self, webinar: str, who: str, user: str, role: str) -> None:
        """Somebody makes somebody something."""
        self._grant(webinar, who, user, role)

    @rule(webinar=webinars, who=staff, change=changes)
    def change(self, webinar: str, who: str, change: dict[str, Any]) -> None:
        """A policy changes, the list of addresses, or the intervals at which pings and heartbeats are to come."""
        if "emails" in change:
            self._allow_emails(webinar, who, change["emails"], remove=change["remove"])
        else:
            self._configure(webinar, who, change)

    @rule(webinar=webinars, who=staff, status=st.sampled_from((*MAY_BECOME, "live", "live")))
    def set_status(self, webinar: str, who: str, status: str) -> None:
        """The webinar begins, ends, or begins again."""
        self._set_status(webinar, who, status)

    @rule(webinar=webinars, who=staff, whom=users | sessions)
    def eject(self, webinar: str, who: str, whom: str) -> None:
        """A user is thrown out, or a session is ended, which works for a guest's."""
        self._eject(webinar, who, whom)

    @precondition(lambda self: self.stage)
    @rule(seconds=st.sampled_from(STEPS_OF_TIME))
    def pass_time(self, seconds: int) -> None:
        """Nothing happens for a while."""
        self._pass(seconds)
        self._compare()

    def teardown(self) -> None:
        """Hold the rows against what must be true after any calls, and remove them."""
        if self.stage and self.differs:
            self.stage.close()
        elif self.stage:
            for name, webinar in self.model.webinars.items():
                while webinar.status == "ended" and self._set_status(name, SERVICE, "ended")["remaining"]:
                    pass  # what an end has left is closed by calling again
            broken = [name for name in self.stage.violations() if name != ONE_SESSION or not self.reconfigured]
            self.stage.close()
            assert broken == []

    @property
    def _stage(self) -> Stage:
        assert self.stage
        return self.stage

    @property
    def watching(self) -> list[tuple[str, str, str]]:
        """Webinar, session and owner of every session there is, over or not."""
        if not self.stage:
            return []
        return [(w, s, session.user) for w, each in self.model.webinars.items() for s, session in each.sessions.items()]

    def _pass(self, seconds: int) -> None:
        if seconds:
            self.model.now += seconds
            self._stage.pass_time(seconds)

    def _register(self, webinar: str, who: str) -> None:
        self._step("register", lambda m: m.register(webinar, who), _same, webinar, who)

    def _come_in(self, webinar: str, who: str, *, take_over: bool = False) -> None:
        known = self.model.webinars[webinar].sessions
        self._enter(webinar, next((s for s in SESSIONS if s not in known), SESSIONS[0]), who, take_over=take_over)

    def _enter(self, webinar: str, session: str, who: str, *, take_over: bool = False) -> None:
        reply = self._step(
            "enter", lambda m: m.enter(webinar, who, session, take_over, RIGHT), self._said_of_entry, webinar, who,
            session_id=self._stage.ids[session], take_over=take_over,
        )  # fmt: skip
        if isinstance(reply, dict):
            token = UUID(reply["leave_token"])
            assert token == self._stage.tokens.setdefault((webinar, session), token)

    def _ping(self, webinar: str, who: str) -> None:
        self._step("presence_ping", lambda m: m.ping(webinar, who), _nothing, webinar, who)

    def _heartbeat(self, webinar: str, session: str, who: str) -> None:
        self._step(
            "session_heartbeat", lambda m: m.heartbeat(webinar, who, session), self._said_of_beat, webinar, who,
            session_id=self._stage.ids[session],
        )  # fmt: skip

    def _grant(self, webinar: str, who: str, user: str, role: str) -> None:
        self._step(
            "grant_role", lambda m: m.grant_role(webinar, who, user, role), _same, webinar, who,
            user_id=self._stage.ids[user], role=role,
        )  # fmt: skip

    def _allow_emails(self, webinar: str, who: str, emails: set[str], *, remove: bool = False) -> None:
        self._step(
            "allow_emails", lambda m: m.allow_emails(webinar, who, emails, remove), _same, webinar, who,
            emails=sorted(emails), remove=remove,
        )  # fmt: skip

    def _configure(self, webinar: str, who: str, change: dict[str, Any]) -> None:
        self.reconfigured = self.reconfigured or "duplicate_login_policy" in change
        sent = {"settings": {SETTINGS[k]: v for k, v in change.items()}} if change.keys() & SETTINGS.keys() else change
        self._step("configure", lambda m: m.configure(webinar, who, change), _same, webinar, who, changes=sent)

    def _set_status(self, webinar: str, who: str, status: str) -> Any:
        return self._step(
            "set_status", lambda m: m.set_status(webinar, who, status), _same, webinar, who, status=status
        )

    def _eject(self, webinar: str, who: str, whom: str) -> None:
        user, session = (None, whom) if whom in SESSIONS else (whom, None)
        self._step(
            "eject", lambda m: m.eject(webinar, who, user, session), _same, webinar, who,
            **{"session_id" if session else "user_id": self._stage.ids[whom]},
        )  # fmt: skip

    def _leave(self, webinar: str, session: str, who: str, token: str) -> None:
        self._step(
            "leave", lambda m: m.leave(webinar, who, session, token), _nothing, webinar, who,
            session_id=self._stage.ids[session], leave_token=self._stage.token(webinar, session, token),
        )  # fmt: skip

    def _step(
        self,
        function: str,
        modelled: Callable[[Model], Reply],
        say: Saying,
        webinar: str,
        who: str,
        **arguments: object,
    ) -> Any:
        """Make a call in both, and compare what they say and hold."""
        self.differs = True  # until it is known that it does not
        expected: Reply | str
        try:
            expected = modelled(self.model)
        except Refused as refusal:
            expected = str(refusal)
        reply = self._stage.call(function, webinar, who, **arguments)
        word = reply.get("state", "done") if isinstance(reply, dict) else reply or "done"
        self.met[f"{function} {word}"] += 1
        if self._stage.in_time:
            said = reply if isinstance(expected, str) or (isinstance(reply, str) and reply) else say(reply, expected)
            assert said == expected
            self._compare()
        self.differs = False
        return reply

    def _compare(self) -> None:
        if self._stage.in_time:
            stored, expected = self._stage.rows(), expected_rows(self.model)
            assert (stored - expected, expected - stored) == (set(), set())

    def _said_of_entry(self, reply: Any, expected: Reply) -> Reply:
        registration = reply["registration"]
        return {
            **_same(reply, expected),
            "registration": _same(registration, {"role": "", "registered_via": ""}) if registration else None,
            "other_sessions": {self._stage.name(other["session_id"]) for other in reply["other_sessions"]},
        }

    def _said_of_beat(self, reply: Any, _: Reply) -> Reply:
        return {
            "state": reply["state"],
            "replaced_by": self._stage.name(reply.get("replaced_by")),
            "stops": reply["next_heartbeat_s"] is None,
        }


def _same(reply: Any, expected: Reply) -> Reply:
    """The members of the reply that the model knows of."""
    return {name: reply[name] for name in expected}


def _nothing(reply: Any, _: Reply) -> Reply:
    """A reply that says nothing: empty, or null where Postgres reuses a plan in which the call was not inlined."""
    assert not reply
    return {}
