"""What may be broken on purpose: a scenario that does not notice is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg

PING_REGISTERS, MISSING_INDEX, UNBOUNDED_POLLER = "ping_registers", "missing_index", "unbounded_poller"

_STATEMENTS: Mapping[str, str] = {
    # As the incumbent did: whoever pings is registered by it.
    PING_REGISTERS: """
        alter function eventlive.webinar_presence_ping(uuid) rename to webinar_presence_ping_proper;
        create function eventlive.webinar_presence_ping(_webinar_id uuid) returns void language plpgsql
        security definer set search_path = pg_catalog, pg_temp as $$
        begin
            insert into eventlive.registrations (webinar_id, user_id)
            values (_webinar_id, eventlive.current_user_id()) on conflict do nothing;
            perform eventlive.webinar_presence_ping_proper(_webinar_id);
        end $$;
        revoke all on function eventlive.webinar_presence_ping(uuid) from public;
        grant execute on function eventlive.webinar_presence_ping(uuid) to authenticated;
        create or replace function eventlive_api.webinar_presence_ping(_webinar_id uuid) returns void language sql
        volatile security invoker begin atomic select eventlive.webinar_presence_ping(_webinar_id); end;
    """,
    # Those by which the open sessions of a user are found on entry.
    MISSING_INDEX: "drop index eventlive.webinar_user_sessions_open_idx, eventlive.webinar_user_sessions_user_id_idx",
    UNBOUNDED_POLLER: "",
}
"""By name. The last one is a fault of the clients."""


def plant(admin: psycopg.Connection[Any], fault: str | None) -> None:
    """Break it.

    Args:
        admin: The database, as a superuser.
        fault: Which one; None: nothing.

    Raises:
        KeyError: There is no such fault.
    """
    if fault is not None and (statements := _STATEMENTS[fault]):
        admin.execute(statements.encode())
