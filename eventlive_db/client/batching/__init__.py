"""Pings of many users in few calls: for a gateway that holds the connections of viewers.

:class:`AsyncPingBatcher` and :class:`PingBatcher` collect pings for up to a set time and send each webinar's in one
statement, ``webinar_presence_ping_many``. What waits and when it is due is in
:class:`~eventlive_db.client.batching.pending.Pending`, without a clock or a connection.
"""

from eventlive_db.client.batching.aio import AsyncPingBatcher
from eventlive_db.client.batching.counts import Counts
from eventlive_db.client.batching.pending import Batch, Pending
from eventlive_db.client.batching.threads import PingBatcher

__all__ = ["AsyncPingBatcher", "Batch", "Counts", "Pending", "PingBatcher"]
