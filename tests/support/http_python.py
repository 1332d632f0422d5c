"""The Python client of PostgREST, used as an application would."""

from __future__ import annotations

import json
from dataclasses import dataclass

import httpx
from postgrest import SyncPostgrestClient
from postgrest.exceptions import APIError

from tests.support.http_door import Answer, Caller


@dataclass(frozen=True, slots=True)
class PythonClient:
    """Calls by the package ``postgrest``."""

    session: httpx.Client

    def call(self, function: str, caller: Caller, /, **arguments: object) -> Answer:
        """Call a function; arguments without their leading underscore."""
        named = {f"_{name}": value for name, value in arguments.items()}
        # The package takes what the json module takes, so no UUID.
        plain = json.loads(json.dumps(named, default=str))
        client = SyncPostgrestClient(
            str(self.session.base_url), schema="eventlive_api", headers=caller.headers(), http_client=self.session
        )
        try:
            return Answer(None, data=client.rpc(function, plain).execute().data)
        except APIError as error:
            return Answer.failed(None, error.json())
