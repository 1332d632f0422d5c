"""What everybody tries on one canary webinar, and what they get (docs/contract.md, "Who comes in")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID, uuid4

from eventlive_db.client import rpc
from eventlive_db.verify.canary.attempts import NOT_FOR_GUESTS, Attempts
from eventlive_db.verify.canary.audience import Audience
from eventlive_db.verify.canary.doors import Door
from eventlive_db.verify.canary.messages import Messages
from eventlive_db.verify.canary.outcome import Outcome
from eventlive_db.verify.canary.stage import Policy
from eventlive_db.verify.database import Database
from eventlive_db.verify.model import Check, no_data
from eventlive_db.verify.triggers import Trigger

LETS_IN = ""
"""The token of no refusal."""


def refusals(who: str, policy: Policy) -> frozenset[str]:
    """What entering comes to: the tokens that are right; :data:`LETS_IN` where they come in."""
    if who in {"registered", "admin"}:
        return frozenset({LETS_IN})
    if who == "guest" and policy.access != "guest_allowed":
        return frozenset({"guests_not_allowed"})
    if policy.entry == "registered_only":
        return frozenset({"not_registered"})
    if policy.access == "invite_only":
        # On nobody's list; the second where the token has no verified address either.
        return frozenset({"not_invited", "email_not_verified"})
    return frozenset({LETS_IN})


class Trial(Attempts):
    """One webinar, and what is tried on it, in order.

    Args:
        database: Where the rows are looked at.
        door: How people call.
        policy: The webinar's.
        webinar_id: The webinar.
        has_admin: Whether the door's administrator is one.
        whole: Whether what no policy changes is tried too: sessions, second logins, messages, statistics.
    """

    def __init__(
        self, database: Database, door: Door, policy: Policy, webinar_id: UUID, *, has_admin: bool, whole: bool
    ) -> None:
        super().__init__(database, door, policy, webinar_id, has_admin=has_admin)
        self._messages = Messages(database, door, policy, webinar_id, has_admin=has_admin)
        self._audience = Audience(database, door, policy, webinar_id, has_admin=has_admin)
        self._whole = whole

    def checks(self) -> Iterator[Check]:
        """Try it, check by check.

        Raises:
            UnableError: Nobody answered.
            psycopg.Error: The rows cannot be read.
        """
        yield self._ping_of_the_unregistered()
        if self._whole:
            yield self._ping_of_a_guest()
            yield self._heartbeat_of_the_unregistered()
            yield from self._messages.kept_out()
            yield from self._audience.hidden()
        yield self._register()
        yield from self._registered_user()
        yield self._admin()
        yield self._unregistered_user()
        yield from self._guest()
        yield self._nobody_else()
        if self._whole:
            yield from self._messages.exchanged()
            yield from self._audience.shown()

    def _refused(
        self, what: str, outcome: Outcome, wanted: Sequence[str], who: str, broken: Trigger, registers: Trigger
    ) -> Check:
        """A call that is refused, and registers nobody."""
        rows = self._registrations(who)
        if rows:
            return self._failed(what, f"{outcome.said()}, and there is a registration ({', '.join(rows)})", registers)
        if outcome.token not in wanted:
            says = f"{outcome.said()}, where {' or '.join(wanted)} is right"
            return self._failed(what, says, outcome.trigger(broken))
        return self._passed(what, f"{outcome.said()}; no registration")

    def _registrations(self, who: str) -> list[str]:
        """How somebody is registered; for a guest, everybody who is though nobody has registered yet."""
        return [
            f"{role} via {via}"
            for role, via in self._database.owned(
                "select r.role, r.registered_via from eventlive.registrations r"
                " where r.webinar_id = %s and (%s::uuid is null or r.user_id = %s::uuid)",
                self._id,
                self._door.ids.get(who),
                self._door.ids.get(who),
            )
        ]

    def _ping_of_the_unregistered(self) -> Check:
        outcome = self._call("unregistered", rpc.webinar_presence_ping(self._id))
        return self._refused(
            "ping of an unregistered user",
            outcome,
            ["not_registered"],
            "unregistered",
            Trigger.PING_BROKEN,
            Trigger.PING_REGISTERS,
        )

    def _ping_of_a_guest(self) -> Check:
        outcome = self._call("guest", rpc.webinar_presence_ping(self._id))
        return self._refused(
            "ping of a guest", outcome, NOT_FOR_GUESTS, "guest", Trigger.PING_BROKEN, Trigger.PING_REGISTERS
        )

    def _heartbeat_of_the_unregistered(self) -> Check:
        outcome = self._call("unregistered", rpc.webinar_session_heartbeat(self._id, uuid4()))
        return self._refused(
            "heartbeat without a session",
            outcome,
            ["session_not_found"],
            "unregistered",
            Trigger.SESSION_BROKEN,
            Trigger.PING_REGISTERS,
        )

    def _register(self) -> Check:
        """Registering, twice; where an invitation is needed the service gives it, twice."""
        what, broken = "registering twice", Trigger.REGISTRATION_NOT_IDEMPOTENT
        invited = self._policy.access == "invite_only"
        who, request = "registered", rpc.webinar_register(self._id)
        replies = []
        for _ in range(2):
            outcome = (
                self._call("service", rpc.webinar_grant_role(self._id, self._door.ids[who], "attendee"))
                if invited
                else self._call(who, request)
            )
            if not outcome.succeeded:
                return self._failed(what, outcome.said(), outcome.trigger(broken))
            replies.append(outcome.reply)
        rows = self._registrations(who)
        if len(rows) != 1 or replies[0].registered_at != replies[1].registered_at:
            return self._failed(what, f"{len(rows)} registrations, where one is right", broken)
        if not invited and [reply.created for reply in replies] != [True, False]:
            return self._failed(what, "the second one was said to be new, or the first one not", broken)
        return self._passed(what, f"one registration ({rows[0]}), no error")

    def _registered_user(self) -> Iterator[Check]:
        what, session = "registered user enters", uuid4()
        entered = self._call("registered", rpc.webinar_enter(self._id, session))
        if not entered.succeeded:
            says = f"{entered.said()}, where entering is right"
            yield self._failed(what, says, entered.trigger(Trigger.REGISTERED_USER_REFUSED))
            return
        yield self._passed(what, "is inside")
        yield self._ping_of_the_registered()
        if self._whole:
            yield self._beat("registered", "heartbeat", session)
            yield from self._second_login(session)
        else:
            yield self._leave("registered", "registered user leaves", session, entered.reply.leave_token)

    def _ping_of_the_registered(self) -> Check:
        what = "ping of a registered user"
        outcome = self._call("registered", rpc.webinar_presence_ping(self._id))
        if not outcome.succeeded:
            says = f"{outcome.said()}, where success is right"
            return self._failed(what, says, outcome.trigger(Trigger.PING_BROKEN))
        if not self._is_present("registered"):
            return self._failed(what, "success, and no presence", Trigger.PING_BROKEN)
        return self._passed(what, "success; present")

    def _is_present(self, who: str) -> bool:
        return bool(
            self._database.owned(
                "select 1 from eventlive.webinar_live_presence p"
                " where p.webinar_id = %s and p.user_id = %s and p.expires_at > now()",
                self._id,
                self._door.ids[who],
            )
        )

    def _beat(
        self, who: str, what: str, session: UUID, state: str = "open", broken: Trigger = Trigger.SESSION_BROKEN
    ) -> Check:
        outcome = self._call(who, rpc.webinar_session_heartbeat(self._id, session))
        said = outcome.reply.state if outcome.succeeded else outcome.said()
        if said != state:
            return self._failed(what, f"{said}, where {state} is right", outcome.trigger(broken))
        return self._passed(what, f"the session is {said}")

    def _second_login(self, first: UUID) -> Iterator[Check]:
        """The policy is ``ask``: the second tab is told, may take over, and the first one learns it."""
        what, broken, second = "second login is asked about", Trigger.DUPLICATE_LOGIN_BROKEN, uuid4()
        asked = self._call("registered", rpc.webinar_enter(self._id, second))
        if asked.token != "duplicate_session":
            says = f"{asked.said()}, where 409 duplicate_session is right"
            yield self._failed(what, says, asked.trigger(broken))
            return
        yield self._passed(what, asked.said())
        what = "second login takes over"
        taken = self._call("registered", rpc.webinar_enter(self._id, second, take_over=True))
        if not taken.succeeded:
            yield self._failed(what, f"{taken.said()}, where entering is right", taken.trigger(broken))
            return
        yield self._beat("registered", what, first, "replaced", broken)
        yield self._leave("registered", "registered user leaves", second, taken.reply.leave_token)

    def _leave(self, who: str, what: str, session: UUID, leave_token: UUID) -> Check:
        # As sendBeacon does it: the token alone, nobody signed in.
        outcome = self._call("guest", rpc.webinar_leave(self._id, session, leave_token))
        if not outcome.succeeded:
            return self._failed(
                what, f"{outcome.said()}, where success is right", outcome.trigger(Trigger.SESSION_BROKEN)
            )
        ended = self._database.owned(
            "select s.exit_reason from eventlive.webinar_user_sessions s where s.webinar_id = %s and s.session_id = %s",
            self._id,
            session,
        )
        if ended != [("left",)] or (who != "guest" and self._is_present(who)):
            return self._failed(what, "success, and the session or the presence is still there", Trigger.SESSION_BROKEN)
        return self._passed(what, "the session has ended" + ("" if who == "guest" else "; not present"))

    def _admin(self) -> Check:
        what = "administrator enters"
        if not self._has_admin:
            advice = "Give the token of somebody whose profile says is_admin; nobody is made one."
            return no_data("dod-4", self._named(what), "the user of this token is no administrator", advice)
        outcome = self._call("admin", rpc.webinar_enter(self._id, uuid4()))
        if not outcome.succeeded:
            says = f"{outcome.said()}, where entering is right"
            return self._failed(what, says, outcome.trigger(Trigger.ADMIN_REFUSED))
        return self._passed(what, "is inside")

    def _unregistered_user(self) -> Check:
        what, wanted = "unregistered user enters", refusals("unregistered", self._policy)
        broken = Trigger.ACCESS_POLICY_BROKEN if self._policy.access == "invite_only" else Trigger.ENTRY_POLICY_BROKEN
        outcome = self._call("unregistered", rpc.webinar_enter(self._id, uuid4()))
        if LETS_IN not in wanted:
            return self._refused(what, outcome, sorted(wanted), "unregistered", broken, broken)
        if not outcome.succeeded:
            return self._failed(what, f"{outcome.said()}, where entering is right", outcome.trigger(broken))
        rows = self._registrations("unregistered")
        if rows != ["attendee via auto"]:
            return self._failed(what, f"is inside, registered: {', '.join(rows) or 'no'}", broken)
        return self._passed(what, "is inside, and registered by it")

    def _guest(self) -> Iterator[Check]:
        what, wanted, session = "guest enters", refusals("guest", self._policy), uuid4()
        broken = Trigger.ACCESS_POLICY_BROKEN if wanted != {"not_registered"} else Trigger.ENTRY_POLICY_BROKEN
        outcome = self._call("guest", rpc.webinar_enter(self._id, session))
        if outcome.token not in wanted:
            right = " or ".join(token or "entering" for token in sorted(wanted))
            yield self._failed(what, f"{outcome.said()}, where {right} is right", outcome.trigger(broken))
            return
        yield self._passed(what, "is inside" if outcome.succeeded else outcome.said())
        if outcome.succeeded:
            yield self._beat("guest", "heartbeat of a guest", session)
            yield self._leave("guest", "guest leaves", session, outcome.reply.leave_token)

    def _nobody_else(self) -> Check:
        """Whoever is registered now has registered, or been registered by entering."""
        what = "nobody else is registered"
        came_in = {"registered"} | ({"admin"} if self._has_admin else set())
        if LETS_IN in refusals("unregistered", self._policy):
            came_in.add("unregistered")
        found = {
            row[0]
            for row in self._database.owned(
                "select r.user_id from eventlive.registrations r where r.webinar_id = %s", self._id
            )
        }
        more = len(found - {self._door.ids[who] for who in came_in})
        if more:
            return self._failed(what, f"{more} registrations that nobody made", Trigger.ENTRY_POLICY_BROKEN)
        return self._passed(what, f"{len(found)} registrations")
