"""Call the functions of ``eventlive_api`` from Python.

The call is made in the transaction that PostgREST makes: role and claims are set for the transaction, then the
function is called. All of it goes to the server in one network round trip.
"""

from eventlive_db.client.aio import call as call_async
from eventlive_db.client.calls import Call, Identity
from eventlive_db.client.errors import RpcError
from eventlive_db.client.sync import call

__all__ = ["Call", "Identity", "RpcError", "call", "call_async"]
