"""What the functions answer, as frozen dataclasses.

A field that a newer server adds is kept in ``extra`` and otherwise ignored, so an old client goes on. A field that is
missing or of another type is an :class:`~eventlive_db.client.errors.UnreadableReplyError`. Times are the server's;
what ends in ``_s`` is in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What every reply has: the fields that this version does not know."""

    extra: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration(Reply):
    """Somebody's registration in a webinar."""

    webinar_id: UUID
    user_id: UUID
    role: str
    registered_via: str
    registered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered(Registration):
    """The answer to registering; ``created`` is false where it was there before."""

    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings(Reply):
    """The intervals and limits that a client of this webinar keeps; the rest of them is in ``extra``."""

    presence_ping_interval_s: float
    session_heartbeat_interval_s: float
    fallback_poll_interval_s: float
    fallback_enabled: bool
    settings_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Session(Reply):
    """The caller's own session."""

    webinar_id: UUID
    session_id: UUID
    state: str
    entered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherSession(Reply):
    """Another open session of the same user."""

    session_id: UUID
    entered_at: datetime
    last_heartbeat_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Reply):
    """The answer to entering: what a client needs until it leaves.

    Attributes:
        created: False where the session was there before, as after a retry.
        registration: ``None`` for a guest.
        first_heartbeat_s: The first heartbeat comes after so many seconds, the next ones as the replies say.
        leave_token: Shown when leaving without a token of one's own, as ``sendBeacon`` does.
    """

    session: Session
    created: bool
    registration: Registration | None
    status: str
    settings: ClientSettings
    next_heartbeat_s: float
    first_heartbeat_s: float
    leave_token: UUID
    other_sessions: tuple[OtherSession, ...]
    replaced_sessions: int
    server_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat(Reply):
    """The answer to a heartbeat.

    Attributes:
        state: ``open``, or why it is over: ``left``, ``expired``, ``replaced``, ``ejected``, ``webinar_ended``.
        next_heartbeat_s: When to call again; ``None`` once it is over.
        fallback_poll_interval_s: How often to poll for messages if Realtime is lost, and the first time after a random
            part of it; ``None`` once it is over, and from a server that does not say it yet.
        exited_at: When it was over.
        replaced_by: The session that took over.
    """

    state: str
    next_heartbeat_s: float | None
    server_time: datetime
    settings_version: str
    fallback_poll_interval_s: float | None = None
    exited_at: datetime | None = None
    replaced_by: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PingMany(Reply):
    """The answer to a gateway's batch: rows written, and who is not registered."""

    refreshed: int
    not_registered: tuple[UUID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Webinar(Reply):
    """A webinar as its staff see it."""

    webinar_id: UUID
    slug: str
    title: str | None
    status: str
    access_policy: str
    entry_policy: str
    duplicate_login_policy: str
    starts_at: datetime | None
    ends_at: datetime | None
    settings: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedWebinar(Webinar):
    """The answer to creating a webinar; ``created`` is false where the same one was there before."""

    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChange(Reply):
    """The answer to a change of status; while ``remaining``, call again to close what is left."""

    webinar_id: UUID
    status: str
    changed: bool
    closed_sessions: int
    remaining: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailList(Reply):
    """How many addresses were put on the list or taken off."""

    webinar_id: UUID
    added: int
    removed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ejection(Reply):
    """How many sessions ended."""

    webinar_id: UUID
    closed_sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Reply):
    """A message of a webinar.

    Attributes:
        message_id: Orders the messages of a webinar, and never changes: one that comes again was hidden or shown.
        body: ``None`` for a hidden one, unless staff asks.
        client_message_id: Of the caller's own messages; else ``None``.
    """

    message_id: int
    user_id: UUID
    kind: str
    body: str | None
    hidden: bool
    created_at: datetime
    client_message_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedMessage(Message):
    """The answer to posting; ``created`` is false where it was there before, as after a retry."""

    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePage(Reply):
    """The answer to a poll for messages.

    Attributes:
        messages: New ones and changed ones, in the order in which that happened.
        cursor: For ``after`` of the next poll.
        more: Whether there is more behind this page.
        next_poll_s: When to poll again.
    """

    messages: tuple[Message, ...]
    cursor: int
    more: bool
    next_poll_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenMessage(Reply):
    """The answer to hiding a message or showing it again; ``changed`` is false where it was so before."""

    webinar_id: UUID
    message_id: int
    hidden: bool
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineBucket(Reply):
    """What the samples of a stretch of time come to.

    Attributes:
        time_bucket: When it begins.
        bucket_s: Its length: 60, 300 or 900.
        sample_count: Samples in it, about one a minute; it grows while the bucket lasts.
    """

    time_bucket: datetime
    bucket_s: int
    sample_count: int
    avg_participants: float
    min_participants: int
    max_participants: int
    last_participants: int
    avg_guests: float
    min_guests: int
    max_guests: int
    last_guests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsReply(Reply):
    """The audience of a webinar, as it was counted at ``as_of``.

    Attributes:
        current_participants: Registered users present.
        current_guests: Guests watching.
        total_attendees: Different users, and sessions of guests, that have ever watched.
        max_concurrent_participants: The most at one time, users and guests together.
        avg_concurrent_participants: The average over all samples, users and guests together.
        peak_time: When the most were there; ``None`` while nobody ever was.
        timeline: By time.
        degraded: Why ``next_poll_s`` is longer than usual: ``rollup_late``, ``load_high``; else ``None``.
        next_poll_s: When to call again.
    """

    status: str
    current_participants: int
    current_guests: int
    registered: int
    total_attendees: int
    max_concurrent_participants: int
    avg_concurrent_participants: float
    peak_time: datetime | None
    as_of: datetime
    timeline: tuple[TimelineBucket, ...]
    degraded: str | None
    next_poll_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant(Reply):
    """A registered user who is present.

    Attributes:
        name: The nickname in this webinar, else the name in the profile; ``None`` where there is neither.
        joined_at: Since when, without a break.
    """

    user_id: UUID
    role: str
    name: str | None
    joined_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantsPage(Reply):
    """Some of those who are present, by user id.

    Attributes:
        cursor: For ``after`` of the next call; ``None`` where nobody is present.
        more: Whether there is another page.
    """

    participants: tuple[Participant, ...]
    cursor: UUID | None
    more: bool
