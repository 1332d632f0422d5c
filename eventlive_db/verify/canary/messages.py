"""Messages and the settings of clients (docs/contract.md, "Messages")."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from uuid import uuid4

from eventlive_db.client import replies, rpc
from eventlive_db.verify.canary.attempts import NOT_FOR_GUESTS, Attempts
from eventlive_db.verify.model import Check
from eventlive_db.verify.triggers import Trigger

_BODY = "Canary of eventlive-db verify"
_BROKEN = Trigger.MESSAGES_BROKEN


class Messages(Attempts):
    """Posting, polling and hiding on a canary webinar that guests may not enter."""

    def kept_out(self) -> Iterator[Check]:
        """Before anybody has come in: strangers and guests neither post nor read."""
        post, poll = rpc.webinar_message_post(self._id, uuid4(), "chat", _BODY), rpc.webinar_messages_poll(self._id)
        for what, who, request, wanted in (
            ("message of a stranger", "unregistered", post, ("not_registered",)),
            ("message of a guest", "guest", post, NOT_FOR_GUESTS),
            ("messages for a stranger", "unregistered", poll, ("not_registered",)),
            ("messages for a guest", "guest", poll, ("guests_not_allowed",)),
        ):
            yield self._turned_away(what, who, request, wanted, Trigger.ACCESS_POLICY_BROKEN, _BROKEN)

    def exchanged(self) -> Iterator[Check]:
        """By somebody who is registered: settings, a message posted twice, read, hidden, and read again."""
        for who, called in (("registered", "a registered user"), ("guest", "a guest"), ("service", "the service")):
            request = rpc.webinar_client_settings(self._id)
            yield self._answered(f"client settings for {called}", who, request, Trigger.CLIENT_SETTINGS_BROKEN)
        posted = yield from self._post_twice()
        if posted is None:
            return
        yield self._poll("message is polled", posted, hidden=False)
        hide = rpc.webinar_message_hide(self._id, posted)
        yield self._turned_away(
            "message is hidden by an attendee",
            "registered",
            hide,
            ("not_allowed",),
            Trigger.ACCESS_POLICY_BROKEN,
            _BROKEN,
        )
        yield self._answered("message is hidden by the service", "service", hide, _BROKEN)
        yield self._poll("hidden message is polled", posted, hidden=True)

    def _post_twice(self) -> Generator[Check, None, int | None]:
        """The same message twice is one message; returns its number."""
        what, message = "posting twice", rpc.webinar_message_post(self._id, uuid4(), "chat", _BODY)
        replied: list[replies.PostedMessage] = []
        for _ in range(2):
            outcome = self._call("registered", message)
            if not outcome.succeeded:
                yield self._failed(what, f"{outcome.said()}, where success is right", outcome.trigger(_BROKEN))
                return None
            replied.append(outcome.reply)
        [(rows,)] = self._database.owned(
            "select count(*) from eventlive.webinar_messages m where m.webinar_id = %s", self._id
        )
        first, second = replied
        if rows != 1 or first.message_id != second.message_id or not first.created or second.created:
            yield self._failed(what, f"{rows} messages, where one is right, new the first time alone", _BROKEN)
            return None
        yield self._passed(what, "one message, no error")
        return first.message_id

    def _poll(self, what: str, message_id: int, *, hidden: bool) -> Check:
        """A poll, which a setting may refuse: then the settings of clients say so too."""
        outcome = self._call("registered", rpc.webinar_messages_poll(self._id))
        if outcome.token == "fallback_disabled":
            told = self._call("registered", rpc.webinar_client_settings(self._id))
            if told.succeeded and not told.reply.fallback_enabled:
                return self._passed(what, f"{outcome.said()}, as the setting says")
        if not outcome.succeeded:
            return self._failed(what, f"{outcome.said()}, where success is right", outcome.trigger(_BROKEN))
        seen = [(one.message_id, one.hidden, one.body) for one in outcome.reply.messages]
        if seen != [(message_id, hidden, None if hidden else _BODY)]:
            says = f"{len(seen)} messages, where {'the hidden one without its text' if hidden else 'the one'} is right"
            return self._failed(what, says, _BROKEN)
        return self._passed(what, "is there, without its text" if hidden else "is there")
