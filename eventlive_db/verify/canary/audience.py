"""Statistics and participants: for staff, and for nobody else (docs/contract.md, "Statistics")."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from eventlive_db.client import Call, replies, rpc
from eventlive_db.verify.canary.attempts import NOT_FOR_GUESTS, Attempts
from eventlive_db.verify.model import Check
from eventlive_db.verify.triggers import Trigger


class Audience(Attempts):
    """Who may look at the audience of a canary webinar, and what they see."""

    def hidden(self) -> Iterator[Check]:
        """Before anybody has come in: strangers and guests see nothing."""
        for name, request in self._views():
            yield self._refused(f"{name} for a stranger", "unregistered", request, ("not_allowed",))
            yield self._refused(f"{name} for a guest", "guest", request, NOT_FOR_GUESTS)

    def shown(self) -> Iterator[Check]:
        """When people are inside: staff see them, and who is only registered does not."""
        for name, request in self._views():
            # By now entering has registered them.
            yield self._refused(f"{name} for an attendee", "unregistered", request, ("not_allowed",))
        host = self._call("service", rpc.webinar_grant_role(self._id, self._door.ids["registered"], "host"))
        if not host.succeeded:
            says = f"{host.said()}, where success is right"
            yield self._failed("a host is made", says, host.trigger(Trigger.ADMINISTRATION_BROKEN))
        staff = {"service": "the service"}
        staff |= {"registered": "a host"} if host.succeeded else {}
        staff |= {"admin": "an administrator"} if self._has_admin else {}
        for who, called in staff.items():
            yield self._answered(
                f"statistics for {called}",
                who,
                rpc.webinar_stats_access(self._id),
                Trigger.STATISTICS_BROKEN,
                _wrong_statistics,
            )
            yield self._answered(
                f"participants for {called}",
                who,
                rpc.webinar_participants(self._id),
                Trigger.STATISTICS_BROKEN,
                self._wrong_participants,
            )

    def _views(self) -> tuple[tuple[str, Call[replies.StatsReply] | Call[replies.ParticipantsPage]], ...]:
        return (
            ("statistics", rpc.webinar_stats_access(self._id)),
            ("participants", rpc.webinar_participants(self._id)),
        )

    def _refused(
        self,
        what: str,
        who: str,
        request: Call[replies.StatsReply] | Call[replies.ParticipantsPage],
        wanted: tuple[str, ...],
    ) -> Check:
        return self._turned_away(what, who, request, wanted, Trigger.STAFF_DATA_EXPOSED, Trigger.STATISTICS_BROKEN)

    def _wrong_participants(self, page: replies.ParticipantsPage) -> str:
        present: set[UUID] = {
            row[0]
            for row in self._database.owned(
                "select p.user_id from eventlive.webinar_live_presence p"
                " where p.webinar_id = %s and p.expires_at > now()",
                self._id,
            )
        }
        named = {one.user_id for one in page.participants}
        return "" if named == present else f"{len(named)} participants, where {len(present)} are present"


def _wrong_statistics(reply: replies.StatsReply) -> str:
    return "" if reply.status == "live" else f"the status is {reply.status}, where live is right"
