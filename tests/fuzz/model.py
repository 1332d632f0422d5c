"""The contract as a small program: webinars, who is registered, who watches, who is present, and what each call does.

It knows states and no SQL, and a clock, ``now``, that others put forward. A method is a call: it
returns what the reply must say, or raises :class:`Refused` having changed nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Reply = dict[str, object]

GUEST, SERVICE = "guest", "service"
"""Who is not signed in, and the application's own back end."""

MAY_BECOME = {
    "draft": {"draft", "scheduled", "live"},
    "scheduled": {"scheduled", "draft", "live", "ended"},
    "live": {"live", "ended"},
    "ended": {"ended", "live"},
}
THROTTLE, EXPIRY, CREDIT = 0.5, 2.5, 1.5
"""Parts of the issued interval: in which a sign of life writes nothing, after which it is over, that count at most."""


class Refused(Exception):  # noqa: N818 - it is what a caller is told
    """The call is refused with this token."""


@dataclass(frozen=True)
class Person:
    """Somebody who calls, and the address in the token."""

    name: str
    email: str | None = None
    verified: bool = False
    admin: bool = False


@dataclass
class Registration:
    """Somebody's place in a webinar."""

    role: str
    via: str
    ejected: bool = False


@dataclass
class Session:
    """One tab of somebody who watches; open while there is no end."""

    user: str
    token: str
    interval: float
    last: float
    expires: float
    watched: float = 0
    end: str | None = None
    replaced_by: str | None = None


@dataclass
class Presence:
    """That a registered user is there."""

    joined: float
    last: float
    expires: float
    interval: float


@dataclass
class Webinar:
    """A webinar and all that belongs to it."""

    access_policy: str
    entry_policy: str
    duplicate_login_policy: str
    status: str = "live"
    max_sessions: int = 2
    batch: int = 1000
    """Sessions, and users present, that one call closes at the end."""
    closed_at: float | None = None
    ping_interval: float = 100
    beat_interval: float = 300
    emails: set[str] = field(default_factory=set)
    registrations: dict[str, Registration] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    presence: dict[str, Presence] = field(default_factory=dict)


class Model:
    """Two webinars, or however many, and the calls on them. The first two arguments are where and who."""

    def __init__(self, webinars: dict[str, Webinar], people: dict[str, Person]) -> None:
        self.webinars = webinars
        self.people = people
        self.now = 0.0

    def register(self, webinar: str, who: str) -> Reply:
        """Whoever asks is registered where the access policy allows; a repeat is the same registration."""
        w = self.webinars[webinar]
        _forbidden_to(who, GUEST, SERVICE)
        known = w.registrations.get(who)
        if known is None:
            self._check_admission(w, who, registered=False, entering=False)
            w.registrations[who] = Registration("attendee", "manual")
        elif known.ejected:
            raise Refused("ejected")
        return {**_said(w.registrations[who]), "created": known is None}

    def enter(self, webinar: str, who: str, session_id: str, take_over: bool, token: str) -> Reply:
        """The policies, then the session; a new one is known by that leave token from now on."""
        w = self.webinars[webinar]
        _forbidden_to(who, SERVICE)
        if w.status == "draft" and who == GUEST:
            raise Refused("webinar_not_found")
        if w.status == "ended":
            raise Refused("webinar_ended")
        registration = self._place(w, who)

        session = w.sessions.get(session_id)
        others = {s: o for s, o in w.sessions.items() if o.user == who != GUEST and o is not session and not o.end}
        expired = [o for o in others.values() if o.expires <= self.now]
        open_ones = {s: o for s, o in others.items() if o.expires > self.now}
        replaced = 0
        if session:
            self._check_is_open(session, who)
            self._beat(w, session)
        else:
            replaced = self._make_room(w, open_ones, session_id, take_over=take_over)
            for other in expired:
                self._close(other, "expired")
            w.sessions[session_id] = Session(who, token, w.beat_interval, self.now, self.now + EXPIRY * w.beat_interval)
        if registration:
            w.registrations[who] = registration
            present = w.presence.get(who)
            if present and present.expires < self.now:
                present.joined = self.now
            self._seen(w, who, EXPIRY * w.beat_interval)
        return {
            "created": session is None,
            "registration": _said(registration) if registration else None,
            "replaced_sessions": replaced,
            "other_sessions": set(open_ones) if not replaced else set(),
            "status": w.status,
        }

    def ping(self, webinar: str, who: str) -> Reply:
        """Refreshes the presence of the registered; never registers."""
        w = self.webinars[webinar]
        _forbidden_to(who, GUEST, SERVICE)
        present = w.presence.get(who)
        if present is None:
            registration = w.registrations.get(who)
            if registration is None:
                raise Refused("not_registered")
            if registration.ejected:
                raise Refused("ejected")
            if w.status == "ended":
                raise Refused("webinar_ended")
            w.presence[who] = Presence(self.now, self.now, self.now + EXPIRY * w.ping_interval, w.ping_interval)
        elif self.now >= present.last + THROTTLE * present.interval:
            present.last = self.now
            present.expires = max(present.expires, self.now + EXPIRY * present.interval)
        return {}

    def heartbeat(self, webinar: str, who: str, session_id: str) -> Reply:
        """Keeps a session and the presence alive, or says why it is over."""
        w = self.webinars[webinar]
        _forbidden_to(who, SERVICE)
        session = w.sessions.get(session_id)
        if session is None or session.user != who:
            raise Refused("session_not_found")
        if session.end:
            return {"state": session.end, "replaced_by": session.replaced_by, "stops": True}
        if session.expires <= self.now or w.closed_at is not None:
            # After the end none is renewed, even where the rows are yet to be closed.
            in_time = session.expires > (self.now if w.closed_at is None else w.closed_at)
            return {"state": "webinar_ended" if in_time else "expired", "replaced_by": None, "stops": True}
        self._beat(w, session)
        return {"state": "open", "replaced_by": None, "stops": False}

    def leave(self, webinar: str, who: str, session_id: str, token: str) -> Reply:
        """Whoever knows the token ends the session; the presence goes with the user's last one."""
        w = self.webinars[webinar]
        _forbidden_to(who, SERVICE)
        session = w.sessions.get(session_id)
        if session is None or session.token != token:
            raise Refused("session_not_found")
        if session.end is None:
            self._close(session, "left")
            watching = (s for s in w.sessions.values() if s.end is None and s.expires > self.now)
            if session.user not in {s.user for s in watching}:
                w.presence.pop(session.user, None)
        return {}

    def grant_role(self, webinar: str, who: str, user: str, role: str) -> Reply:
        """Gives a role, registers where need be, and lets an ejected user in again; one host stays."""
        w = self.webinars[webinar]
        self._check_staff(w, who, "host")
        hosts = {name for name, r in w.registrations.items() if r.role == "host" and not r.ejected}
        if role != "host" and hosts == {user}:
            raise Refused("last_host")
        registration = w.registrations.setdefault(user, Registration(role, "invite"))
        registration.role, registration.ejected = role, False
        return _said(registration)

    def allow_emails(self, webinar: str, who: str, emails: set[str], remove: bool) -> Reply:
        """Puts addresses on the list or takes them off."""
        w = self.webinars[webinar]
        self._check_staff(w, who, "host")
        changed = emails & w.emails if remove else emails - w.emails
        w.emails ^= changed
        return {"added": 0 if remove else len(changed), "removed": len(changed) if remove else 0}

    def configure(self, webinar: str, who: str, changes: dict[str, object]) -> Reply:
        """Changes policies, and the intervals of pings and heartbeats."""
        w = self.webinars[webinar]
        self._check_staff(w, who, "host")
        for name, value in changes.items():
            setattr(w, name, value)
        return {name: getattr(w, name) for name in ("access_policy", "entry_policy", "duplicate_login_policy")}

    def set_status(self, webinar: str, who: str, status: str) -> Reply:
        """Makes it draft, scheduled, live or ended; the end closes the sessions and empties the room, by and by."""
        w = self.webinars[webinar]
        self._check_staff(w, who, "host")
        if status not in MAY_BECOME[w.status]:
            raise Refused("status_change_refused")
        changed, w.status = w.status != status, status
        closed: list[str] = []
        if status != "ended":
            w.closed_at = None
        else:
            w.closed_at = self.now if w.closed_at is None else w.closed_at
            closed = sorted(name for name, s in w.sessions.items() if s.end is None)[: w.batch]
            for name in closed:
                self._close(w.sessions[name], "webinar_ended", at=w.closed_at)
            for user in sorted(w.presence)[: w.batch]:
                del w.presence[user]
        remaining = status == "ended" and (bool(w.presence) or any(s.end is None for s in w.sessions.values()))
        return {"status": status, "changed": changed, "closed_sessions": len(closed), "remaining": remaining}

    def eject(self, webinar: str, who: str, user: str | None, session_id: str | None) -> Reply:
        """Throws a user out until a role is granted, or ends the session of a guest."""
        w = self.webinars[webinar]
        self._check_staff(w, who, "host", "moderator")
        if user is not None:
            registration = w.registrations.get(user)
            if registration is None:
                raise Refused("invalid_argument")
            if registration.role == "host":
                raise Refused("not_allowed")
            registration.ejected = True
            w.presence.pop(user, None)
            sessions = [s for s in w.sessions.values() if s.user == user]
        else:
            sessions = [s for i, s in w.sessions.items() if i == session_id and s.user == GUEST]
            if not sessions:
                raise Refused("session_not_found")
        closed = [s for s in sessions if s.end is None]
        for session in closed:
            self._close(session, "ejected")
        return {"closed_sessions": len(closed)}

    def _check_staff(self, w: Webinar, who: str, *roles: str) -> None:
        _forbidden_to(who, GUEST)
        registration = w.registrations.get(who)
        is_staff = registration is not None and registration.role in roles and not registration.ejected
        if not (is_staff or who == SERVICE or self.people[who].admin):
            raise Refused("not_allowed")

    def _check_admission(self, w: Webinar, who: str, *, registered: bool, entering: bool) -> None:
        """What stands in the way of somebody who is signed in."""
        person = self.people[who]
        if w.status == "ended":
            raise Refused("webinar_ended")
        if person.admin:
            return
        if w.status == "draft":
            raise Refused("webinar_not_found")
        if entering and w.entry_policy == "registered_only" and not registered:
            raise Refused("not_registered")
        if w.access_policy in {"invite_only", "email_auth"}:
            if not (person.email and person.verified):
                raise Refused("email_not_verified")
            if person.email not in w.emails:
                raise Refused("not_invited")

    def _place(self, w: Webinar, who: str) -> Registration | None:
        """The registration of somebody who enters, the one that entering will make, or none for a guest."""
        if who == GUEST:
            if w.access_policy != "guest_allowed":
                raise Refused("guests_not_allowed")
            if w.entry_policy == "registered_only":
                raise Refused("not_registered")
            return None
        known = w.registrations.get(who)
        if known and known.ejected:
            raise Refused("ejected")
        staff = known is not None and known.role != "attendee"
        asked_again = w.status == "draft" or w.access_policy == "email_auth"
        if not staff and (known is None or asked_again):
            self._check_admission(w, who, registered=known is not None, entering=True)
        return known or Registration("attendee", "auto")

    def _check_is_open(self, session: Session, who: str) -> None:
        if session.user != who:
            raise Refused("session_not_yours")
        if session.end:
            raise Refused("webinar_ended" if session.end == "webinar_ended" else f"session_{session.end}")
        if session.expires <= self.now:
            raise Refused("session_expired")

    def _make_room(self, w: Webinar, others: dict[str, Session], session_id: str, *, take_over: bool) -> int:
        """What the duplicate-login policy says to a new session beside these; how many it replaces."""
        policy = w.duplicate_login_policy
        if not others or (policy == "allow" and not take_over and len(others) < w.max_sessions):
            return 0
        if policy == "reject" or (policy == "ask" and not take_over):
            raise Refused("duplicate_session")
        if policy == "allow" and not take_over:
            raise Refused("too_many_sessions")
        for other in others.values():
            self._close(other, "replaced", session_id)
        return len(others)

    def _beat(self, w: Webinar, session: Session) -> None:
        """A sign of life, unless it comes too early: credits, prolongs, takes over the interval."""
        if self.now < session.last + THROTTLE * session.interval:
            return
        session.watched += min(self.now - session.last, CREDIT * session.interval)
        session.last, session.interval = self.now, w.beat_interval
        session.expires = self.now + EXPIRY * w.beat_interval
        if session.user != GUEST:
            self._seen(w, session.user, EXPIRY * w.beat_interval)

    def _seen(self, w: Webinar, who: str, lasts: float) -> None:
        present = w.presence.setdefault(who, Presence(self.now, self.now, self.now + lasts, w.ping_interval))
        present.last, present.interval = max(present.last, self.now), w.ping_interval
        present.expires = max(present.expires, self.now + lasts)

    def _close(self, session: Session, why: str, replaced_by: str | None = None, at: float | None = None) -> None:
        """The one way a session ends: as expired, if it was over before."""
        at = self.now if at is None else at
        session.watched += min(min(at, session.expires) - session.last, CREDIT * session.interval)
        session.end = "expired" if session.expires <= at else why
        session.replaced_by = replaced_by if session.end == "replaced" else None


def _said(registration: Registration) -> Reply:
    return {"role": registration.role, "registered_via": registration.via}


def _forbidden_to(who: str, *callers: str) -> None:
    """Functions that these callers have no right to execute."""
    if who in callers:
        raise Refused("42501")
