"""Call the functions of ``eventlive_api`` from Python.

The call is made in the transaction that PostgREST makes: role and claims are set for the transaction, then the
function is called. All of it goes to the server in one network round trip.

What to send and how to read the answer is in :mod:`~eventlive_db.client.rpc`, :mod:`~eventlive_db.client.replies` and
:mod:`~eventlive_db.client.errors`, without a connection. :class:`Client` and :class:`AsyncClient` send it over
psycopg; :mod:`eventlive_db.client.http` over HTTP to PostgREST.
"""

from eventlive_db.client import rpc
from eventlive_db.client.aio import AsyncClient, AsyncUserClient
from eventlive_db.client.aio import call as call_async
from eventlive_db.client.calls import Call
from eventlive_db.client.errors import EventliveError, RpcError
from eventlive_db.client.identity import Identity
from eventlive_db.client.sync import Client, UserClient, call

__all__ = [
    "AsyncClient",
    "AsyncUserClient",
    "Call",
    "Client",
    "EventliveError",
    "Identity",
    "RpcError",
    "UserClient",
    "call",
    "call_async",
    "rpc",
]
