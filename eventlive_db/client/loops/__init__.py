"""What goes on calling until it is over: heartbeats of a session, and polling for messages while Realtime is away.

When to call next is decided by :mod:`~eventlive_db.client.loops.schedule`, without a clock of its own: the server says
it in each reply, and when it cannot, the calls are spread so that a server that comes back is not buried by those who
waited for it. Two shells make the calls: tasks of asyncio, and one thread with a few workers for many sessions.

    async with AsyncClient(dsn) as client:
        caller = client.as_user(claims)
        entry = await caller.call(rpc.webinar_enter(webinar_id, session_id))
        ended = await HeartbeatLoop.after_entry(caller, entry).run()
        print(ended.reason)  # left, expired, replaced, ejected, webinar_ended, stopped, or an error's token

10,000 loops in one process cost less than 2 kB each, and no task but their own: ``make bench`` measures it.
"""

from eventlive_db.client.loops.aio import FallbackPoller, HeartbeatLoop
from eventlive_db.client.loops.pace import Pace
from eventlive_db.client.loops.schedule import Ended, HeartbeatSchedule, PollReply, PollSchedule, Schedule
from eventlive_db.client.loops.threads import ThreadedHeartbeatLoop
from eventlive_db.client.loops.threads_polls import ThreadedFallbackPoller
from eventlive_db.client.loops.timekeeper import LoopThreads

__all__ = [
    "Ended",
    "FallbackPoller",
    "HeartbeatLoop",
    "HeartbeatSchedule",
    "LoopThreads",
    "Pace",
    "PollReply",
    "PollSchedule",
    "Schedule",
    "ThreadedFallbackPoller",
    "ThreadedHeartbeatLoop",
]
