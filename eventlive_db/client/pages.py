"""What comes in pages, one after the other: those who are present in a webinar.

    for participant in pages.participants(client.as_user(claims), webinar_id):
        print(participant.name)

Each page is a call of its own and the truth of its own moment. Who stays is met once; who comes or goes meanwhile may
be met or missed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from eventlive_db.client import rpc
from eventlive_db.client.callers import AsyncCaller, Caller
from eventlive_db.client.replies import Participant


def participants(caller: Caller, webinar_id: rpc.Id, limit: int | None = None) -> Iterator[Participant]:
    """Everybody who is present, by user id. The next page is fetched when it is needed.

    Args:
        caller: A host, moderator or administrator, or the service.
        webinar_id: The webinar.
        limit: People in a page; see :func:`~eventlive_db.client.rpc.webinar_participants`.

    Raises:
        EventliveError: A call failed.
    """
    page = caller.call(rpc.webinar_participants(webinar_id, limit=limit))
    yield from page.participants
    while page.more:
        page = caller.call(rpc.webinar_participants(webinar_id, page.cursor, limit))
        yield from page.participants


async def participants_async(
    caller: AsyncCaller, webinar_id: rpc.Id, limit: int | None = None
) -> AsyncIterator[Participant]:
    """:func:`participants`, awaited.

    Args:
        caller: A host, moderator or administrator, or the service.
        webinar_id: The webinar.
        limit: People in a page; see :func:`~eventlive_db.client.rpc.webinar_participants`.

    Raises:
        EventliveError: A call failed.
    """
    page = await caller.call(rpc.webinar_participants(webinar_id, limit=limit))
    while True:
        for participant in page.participants:
            yield participant
        if not page.more:
            return
        page = await caller.call(rpc.webinar_participants(webinar_id, page.cursor, limit))
