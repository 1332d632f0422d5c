"""What happens in webinars: the end, an ejection, a long sleep, tab after tab, one step behind the other.

Steps by chance alone hardly ever come to these. Here they are rules among the others, and
:func:`rehearse` plays each of them under every policy for second logins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.fuzz.machine import ACCESS, DUPLICATES, ENTRY, Attendance, webinars
from tests.fuzz.model import GUEST, SERVICE
from tests.fuzz.stage import OTHER, RIGHT, SESSIONS, WRONG

LONGEST_S = 1400
"""Later than any session or presence of the model lasts."""

visitors = st.sampled_from(("ann", "ann", "ben", GUEST))

REQUIRED = {
    "register": "done ejected email_not_verified not_invited webinar_ended webinar_not_found 42501",
    "enter": "done duplicate_session ejected email_not_verified guests_not_allowed not_invited not_registered"
    " session_ejected session_expired session_left session_not_yours session_replaced too_many_sessions webinar_ended"
    " webinar_not_found 42501",
    "presence_ping": "done ejected not_registered webinar_ended 42501",
    "session_heartbeat": "open ejected expired left replaced webinar_ended session_not_found 42501",
    "leave": "done session_not_found 42501",
    "grant_role": "done last_host not_allowed 42501",
    "allow_emails": "done not_allowed 42501",
    "configure": "done not_allowed 42501",
    "set_status": "done not_allowed status_change_refused 42501",
    "eject": "done invalid_argument not_allowed session_not_found 42501",
}
"""What each function must have come to, or nothing has been shown of it."""


def not_met(met: Any) -> list[str]:
    """What of ``REQUIRED`` was not met."""
    return [f"{f} {word}" for f, words in REQUIRED.items() for word in words.split() if not met[f"{f} {word}"]]


class Stories(Attendance):
    """Any calls in any order, and these stories among them."""

    @rule(webinar=webinars, who=visitors)
    def the_end(self, webinar: str, who: str) -> None:
        """The webinar ends with people inside, who go on as if it had not; then it begins again."""
        for user in ("ben", who):
            self._come_in(webinar, user)
        self._register(webinar, "tom")
        for _ in range(2):
            self._set_status(webinar, "host", "ended")
            self._pass(200)
            self._touch_all(webinar)
            self._come_in(webinar, who)
            for user in ("host", "tom", who):
                self._ping(webinar, user)
            self._register(webinar, "eve")
        self._set_status(webinar, "host", "live")
        self._touch_all(webinar)

    @rule(webinar=webinars, who=visitors, by=st.sampled_from(("host", "moderator", "root", SERVICE)))
    def an_ejection(self, webinar: str, who: str, by: str) -> None:
        """Somebody who watches is thrown out, comes back at once, and is let in again."""
        self._come_in(webinar, who)
        for session in self._own(webinar, who) if who == GUEST else (who,):
            self._eject(webinar, by, session)
        self._touch_all(webinar)
        self._ping(webinar, who)
        self._register(webinar, who)
        self._come_in(webinar, who)
        self._grant(webinar, "host", "ann" if who == GUEST else who, "attendee")
        self._ping(webinar, who)
        self._come_in(webinar, who)

    @rule(webinar=webinars, who=visitors)
    def a_sleep(self, webinar: str, who: str) -> None:
        """A laptop is closed for longer than a session lasts."""
        self._come_in(webinar, who)
        self._pass(LONGEST_S)
        self._touch_all(webinar)
        self._ping(webinar, who)
        self._pass(LONGEST_S)
        self._come_in(webinar, who)

    @rule(webinar=webinars, who=visitors, take_over=st.booleans())
    def tabs(self, webinar: str, who: str, take_over: bool) -> None:
        """Tab after tab, two of them open when the policy begins to hold; then they are closed."""
        policy = self.model.webinars[webinar].duplicate_login_policy
        self._configure(webinar, "host", {"duplicate_login_policy": "allow"})
        for _ in range(2):
            self._come_in(webinar, who)
        self._configure(webinar, "host", {"duplicate_login_policy": policy})
        for _ in range(2):
            self._come_in(webinar, who, take_over=take_over)
            self._touch_all(webinar)
        for session in self._own(webinar, who):
            self._enter("B" if webinar == "A" else "A", session, who)
            for token in (WRONG, OTHER, RIGHT):
                self._leave(webinar, session, who, token)
        self._touch_all(webinar)

    @rule(webinar=webinars, who=visitors, interval=st.sampled_from((100, 300)))
    def hasty_signs_of_life(self, webinar: str, who: str, interval: int) -> None:
        """Pings and heartbeats before they are due, and behind it; of one, while another watches too."""
        self._configure(webinar, "host", {"ping_interval": interval})
        self._come_in(webinar, "ben")
        self._come_in(webinar, who)
        for seconds in (0, 100, 100, 200):
            self._pass(seconds)
            self._ping(webinar, who)
            for session in self._own(webinar, who):
                self._heartbeat(webinar, session, who)

    @rule(webinar=webinars)
    def rights(self, webinar: str) -> None:
        """Everything that is for staff, tried by those who are none or not enough, and on whom it cannot be done."""
        self._register(webinar, "ann")
        for who in ("ann", "tom", "moderator", GUEST):
            self._grant(webinar, who, "ann", "speaker")
            self._set_status(webinar, who, "ended")
            self._configure(webinar, who, {"entry_policy": self.model.webinars[webinar].entry_policy})
            self._allow_emails(webinar, who, {"eve@example.com"})
        for who in ("ann", "tom", GUEST):
            self._eject(webinar, who, "ann")
        for whom in ("host", "root", SESSIONS[-1]):
            self._eject(webinar, "moderator", whom)
        for user in ("host", "moderator"):
            self._grant(webinar, "root", user, "attendee")
        for status in ("draft", "scheduled", "live"):
            self._set_status(webinar, SERVICE, status)

    @rule(webinar=webinars)
    def the_list(self, webinar: str) -> None:
        """Addresses are asked for at each entry; the list and who is on it change."""
        before = self.model.webinars[webinar].access_policy
        for policy in ("email_auth", "invite_only"):
            self._configure(webinar, "host", {"access_policy": policy})
            self._allow_emails(webinar, "host", {"ann@example.com", "eve@example.com"})
            for who in ("ann", "eve", "ben"):
                self._register(webinar, who)
                self._come_in(webinar, who)
            self._allow_emails(webinar, "host", {"ann@example.com"}, remove=True)
            self._come_in(webinar, "ann")
        self._configure(webinar, "host", {"access_policy": before})

    @rule(webinar=webinars)
    def everybody(self, webinar: str) -> None:
        """Everybody enters, and some only then register; each tries the session of the one before, too."""
        for who in ("host", "ann", "eve", GUEST, SERVICE, "root"):
            self._come_in(webinar, who)
            for session, known in list(self.model.webinars[webinar].sessions.items())[-2:]:
                self._enter(webinar, session, who)
                self._heartbeat(webinar, session, who)
                self._leave(webinar, session, who, WRONG if known.user != who else OTHER)
        for who in ("ann", "ben", "eve", GUEST, SERVICE):
            self._register(webinar, who)
            self._ping(webinar, who)

    def _own(self, webinar: str, who: str) -> list[str]:
        """The sessions of somebody, over or not."""
        return [name for name, session in self.model.webinars[webinar].sessions.items() if session.user == who]

    def _touch_all(self, webinar: str) -> None:
        """Each session beats, and enters again."""
        for session, known in list(self.model.webinars[webinar].sessions.items()):
            self._heartbeat(webinar, session, known.user)
            self._enter(webinar, session, known.user)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A story, and the webinar in which it is played."""

    story: Callable[..., None]
    arguments: dict[str, Any] = field(default_factory=dict)
    access_policy: str = "guest_allowed"
    entry_policy: str = "auto_register"
    duplicate_login_policy: str = "allow"
    status: str = "live"
    most: int = 2
    batch: int = 1000


REHEARSALS = (
    *(Rehearsal(Stories.hasty_signs_of_life, {"who": "ann", "interval": interval}) for interval in (100, 300)),
    Rehearsal(Stories.hasty_signs_of_life, {"who": GUEST, "interval": 100}),
    *(
        Rehearsal(Stories.tabs, {"who": "ann", "take_over": take_over}, duplicate_login_policy=policy)
        for policy in DUPLICATES
        for take_over in (False, True)
    ),
    Rehearsal(Stories.tabs, {"who": GUEST, "take_over": False}),
    *(Rehearsal(Stories.the_end, {"who": who}, batch=batch) for who, batch in (("ann", 1), ("ann", 1000), (GUEST, 1))),
    *(Rehearsal(Stories.an_ejection, {"who": who, "by": by}) for who, by in (("ann", "host"), (GUEST, "moderator"))),
    *(Rehearsal(Stories.a_sleep, {"who": who}, duplicate_login_policy="ask") for who in ("ann", GUEST)),
    Rehearsal(Stories.rights),
    Rehearsal(Stories.the_list),
    *(
        Rehearsal(Stories.everybody, access_policy=access, entry_policy=entry, status=status)
        for access in ACCESS
        for entry, status in ((ENTRY[0], "live"), (ENTRY[1], "live"), (ENTRY[0], "draft"))
    ),
)


def rehearse(machine: type[Stories], only: Callable[..., None] | None = None) -> None:
    """Play each story, or one of them, in webinars of its own; fail at the first difference."""
    for each in REHEARSALS:
        if only not in {None, each.story}:
            continue
        policies = (each.access_policy, each.entry_policy, each.duplicate_login_policy)
        played = machine()
        played.begin(
            first=policies, second=policies, status=each.status, most=each.most, batch=each.batch, crowd=[]
        )  # fmt: skip
        each.story(played, webinar="A", **each.arguments)
        played.teardown()
