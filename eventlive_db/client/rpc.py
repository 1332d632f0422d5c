"""The functions of the contract, one Python function for each: it makes the call, a client makes it happen.

    from eventlive_db.client import Client, rpc

    with Client(dsn) as client:
        entry = client.as_user(claims).call(rpc.webinar_enter(webinar_id, session_id))

An argument that is ``None`` is left out and takes the database's default. Every one of them raises
:class:`~eventlive_db.client.errors.InvalidCallError` for a value that cannot be what its parameter must be, before
anything is sent. Who may call what, and what comes of it: docs/contract.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from eventlive_db.client import contract, replies
from eventlive_db.client.calls import Call

Id: TypeAlias = UUID | str


def webinar_register(webinar_id: Id, registered_via: str | None = None) -> Call[replies.Registered]:
    """Register the signed-in caller, once.

    Args:
        webinar_id: The webinar.
        registered_via: ``manual``, ``email`` or ``invite``.
    """
    return contract.WEBINAR_REGISTER.call(webinar_id=webinar_id, registered_via=registered_via)


def webinar_enter(
    webinar_id: Id,
    session_id: Id,
    client: Mapping[str, object] | None = None,
    take_over: bool | None = None,
) -> Call[replies.Entry]:
    """Enter a webinar; the same session id again is the same session.

    Args:
        webinar_id: The webinar.
        session_id: Made by the caller with ``uuid.uuid4()``, one for each tab or device, and kept.
        client: What is worth knowing of the client: user agent, referrer, campaign.
        take_over: Replace the caller's other sessions where the policy is ``ask``.
    """
    return contract.WEBINAR_ENTER.call(webinar_id=webinar_id, session_id=session_id, client=client, take_over=take_over)


def webinar_presence_ping(webinar_id: Id) -> Call[None]:
    """Say that the signed-in caller is still there; it never registers."""
    return contract.WEBINAR_PRESENCE_PING.call(webinar_id=webinar_id)


def webinar_session_heartbeat(webinar_id: Id, session_id: Id) -> Call[replies.Heartbeat]:
    """Keep a session and its presence alive; the reply says when to call again, or why it is over."""
    return contract.WEBINAR_SESSION_HEARTBEAT.call(webinar_id=webinar_id, session_id=session_id)


def webinar_leave(webinar_id: Id, session_id: Id, leave_token: Id) -> Call[None]:
    """End a session; the token of the entry is enough, whoever calls."""
    return contract.WEBINAR_LEAVE.call(webinar_id=webinar_id, session_id=session_id, leave_token=leave_token)


def webinar_presence_ping_many(webinar_id: Id, user_ids: Iterable[Id]) -> Call[replies.PingMany]:
    """Ping for many users in one statement, for a gateway.

    Args:
        webinar_id: The webinar.
        user_ids: At most as many as the setting ``ping_batch_max``, 1,000 unless changed.
    """
    return contract.WEBINAR_PRESENCE_PING_MANY.call(webinar_id=webinar_id, user_ids=list(user_ids))


def webinar_client_settings(webinar_id: Id) -> Call[replies.ClientSettings]:
    """The intervals and limits that a client of this webinar keeps."""
    return contract.WEBINAR_CLIENT_SETTINGS.call(webinar_id=webinar_id)


def webinar_create(
    slug: str,
    *,
    title: str | None = None,
    access_policy: str | None = None,
    entry_policy: str | None = None,
    duplicate_login_policy: str | None = None,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    settings: Mapping[str, object] | None = None,
    host_id: Id | None = None,
) -> Call[replies.CreatedWebinar]:
    """Create a webinar as a draft; the same call again returns the same one.

    Args:
        slug: Its name in addresses, unique.
        title: For people.
        access_policy: ``auth``, ``guest_allowed``, ``invite_only`` or ``email_auth``.
        entry_policy: ``auto_register`` or ``registered_only``.
        duplicate_login_policy: ``allow``, ``ask``, ``replace_oldest`` or ``reject``.
        starts_at: When it is to start; with a time zone.
        ends_at: When it is to end; with a time zone.
        settings: Overrides, by key.
        host_id: The user who becomes its host; else the caller.
    """
    return contract.WEBINAR_CREATE.call(
        slug=slug,
        title=title,
        access_policy=access_policy,
        entry_policy=entry_policy,
        duplicate_login_policy=duplicate_login_policy,
        starts_at=starts_at,
        ends_at=ends_at,
        settings=settings,
        host_id=host_id,
    )


def webinar_configure(webinar_id: Id, changes: Mapping[str, object]) -> Call[replies.Webinar]:
    """Change title, policies, times and settings; what ``changes`` leaves out stays as it is."""
    return contract.WEBINAR_CONFIGURE.call(webinar_id=webinar_id, changes=changes)


def webinar_set_status(webinar_id: Id, status: str) -> Call[replies.StatusChange]:
    """Make a webinar ``draft``, ``scheduled``, ``live`` or ``ended``; call again while ``remaining``."""
    return contract.WEBINAR_SET_STATUS.call(webinar_id=webinar_id, status=status)


def webinar_grant_role(webinar_id: Id, user_id: Id, role: str) -> Call[replies.Registration]:
    """Make a user ``attendee``, ``speaker``, ``moderator`` or ``host``, registering them where need be."""
    return contract.WEBINAR_GRANT_ROLE.call(webinar_id=webinar_id, user_id=user_id, role=role)


def webinar_allow_emails(webinar_id: Id, emails: Iterable[str], remove: bool | None = None) -> Call[replies.EmailList]:
    """Put addresses on the list of those who may come in, or take them off; all or none."""
    addresses = emails if isinstance(emails, str) else list(emails)
    return contract.WEBINAR_ALLOW_EMAILS.call(webinar_id=webinar_id, emails=addresses, remove=remove)


def webinar_eject(webinar_id: Id, user_id: Id | None = None, session_id: Id | None = None) -> Call[replies.Ejection]:
    """Throw out a user, or end the session of a guest: give one of the two."""
    return contract.WEBINAR_EJECT.call(webinar_id=webinar_id, user_id=user_id, session_id=session_id)


def webinar_messages_poll(
    webinar_id: Id, after: int | None = None, limit: int | None = None
) -> Call[replies.MessagePage]:
    """Fetch what has happened to the messages of a webinar since the last poll; call again after ``next_poll_s``.

    Args:
        webinar_id: The webinar.
        after: The ``cursor`` of the last reply; 0, the default, for the beginning, -1 for the last ``limit``.
        limit: Messages in the reply; never more than the setting ``messages_poll_max``.
    """
    return contract.WEBINAR_MESSAGES_POLL.call(webinar_id=webinar_id, after=after, limit=limit)


def webinar_message_post(webinar_id: Id, client_message_id: Id, kind: str, body: str) -> Call[replies.PostedMessage]:
    """Post a message, once: with the same ``client_message_id`` again it is the same message.

    Args:
        webinar_id: The webinar.
        client_message_id: Made by the caller with ``uuid.uuid4()``, one for each message, and kept until it is posted.
        kind: ``chat``, ``question``, or ``answer``, which only speakers, moderators and hosts post.
        body: The text, at most as many characters as the setting ``message_max_length``.
    """
    return contract.WEBINAR_MESSAGE_POST.call(
        webinar_id=webinar_id, client_message_id=client_message_id, kind=kind, body=body
    )


def webinar_message_hide(webinar_id: Id, message_id: int, hidden: bool | None = None) -> Call[replies.HiddenMessage]:
    """Hide a message, or with ``hidden`` false show it again."""
    return contract.WEBINAR_MESSAGE_HIDE.call(webinar_id=webinar_id, message_id=message_id, hidden=hidden)


def webinar_stats_access(webinar_id: Id, since: datetime | None = None) -> Call[replies.StatsReply]:
    """The audience of a webinar as it was counted last; call again after ``next_poll_s``.

    Args:
        webinar_id: The webinar.
        since: Only buckets of the timeline that begin then or later, with a time zone: the ``time_bucket`` of the
            last one that the caller has, which may have grown since. Else the last ones, ``timeline_max_buckets``.
    """
    return contract.WEBINAR_STATS_ACCESS.call(webinar_id=webinar_id, since=since)


def webinar_participants(
    webinar_id: Id, after: Id | None = None, limit: int | None = None
) -> Call[replies.ParticipantsPage]:
    """One page of the registered users who are present; :func:`eventlive_db.client.pages.participants` has them all.

    Args:
        webinar_id: The webinar.
        after: The ``cursor`` of the last page; left out for the first one.
        limit: People in the page, 50 unless said; never more than the setting ``participants_page_max``.
    """
    return contract.WEBINAR_PARTICIPANTS.call(webinar_id=webinar_id, after=after, limit=limit)
