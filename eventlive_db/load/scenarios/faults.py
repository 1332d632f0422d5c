"""What may be broken on purpose: a scenario that does not notice is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import psycopg

from eventlive_db.load.scenarios.plan import WARM_UP

PING_REGISTERS, PING_WRITES_NOTHING = "ping_registers", "ping_writes_nothing"
MISSING_INDEX = "missing_index"
BEAT_LOGS, BEAT_REFUSES, BEAT_EXPIRES = "beat_logs", "beat_refuses", "beat_expires"
DASHBOARD_DOUBLES, DASHBOARD_NEVER_SLOWS = "dashboard_doubles", "dashboard_never_slows"
POLL_ENDS_EARLY, POLL_FORGETS_MOST = "poll_ends_early", "poll_forgets_most"
UNBOUNDED_POLLER = "unbounded_poller"
"""The last one is a fault of the clients."""


class Change(NamedTuple):
    """A part of the body of a function of the schema ``eventlive``, and what stands there instead."""

    function: str
    old: str
    new: str


_BEAT, _BEGINS = "webinar_session_heartbeat", "\nbegin\n"
_POLL, _BEHIND = "webinar_messages_poll", "m.change_id > v_after\n"

_CHANGES: Mapping[str, Change] = {
    PING_WRITES_NOTHING: Change(
        "webinar_presence_ping", "and p.last_seen_at <= v_now - p.throttle_s * interval '1 second'", "and false"
    ),
    # The outage's: a row in the visit log for each look of a timer.
    BEAT_LOGS: Change(
        _BEAT,
        "    if v_alone then\n",
        "    insert into eventlive.event_access_logs (webinar_id, occurred_at, event, user_id, session_id)"
        " values (_webinar_id, v_now, 'entered', v_user_id, _session_id);\n    if v_alone then\n",
    ),
    # By the session: half of them.
    BEAT_REFUSES: Change(
        _BEAT,
        _BEGINS,
        f"{_BEGINS}if get_byte(uuid_send(_session_id), 0) % 2 = 0"
        f" and not exists (select from eventlive.webinars w where w.id = _webinar_id and w.slug = 'load-{WARM_UP}')"
        " then perform eventlive.raise_error('not_registered'); end if;\n",
    ),
    BEAT_EXPIRES: Change(
        _BEAT,
        _BEGINS,
        f"{_BEGINS}if get_byte(uuid_send(_session_id), 0) % 2 = 0 then return jsonb_build_object("
        "'state', 'expired', 'server_time', now(), 'settings_version', '', 'next_heartbeat_s', null); end if;\n",
    ),
    DASHBOARD_DOUBLES: Change(
        "webinar_stats_access",
        "'current_participants', v_live.participants,",
        "'current_participants', 2 * v_live.participants,",
    ),
    DASHBOARD_NEVER_SLOWS: Change(
        "webinar_stats_access", "else 'admin_poll_degraded_interval_s'", "else 'admin_poll_interval_s'"
    ),
    POLL_ENDS_EARLY: Change(_POLL, _BEHIND, "m.change_id > v_after and m.change_id <= 10\n"),
    POLL_FORGETS_MOST: Change(_POLL, _BEHIND, "m.change_id > v_after and get_byte(uuid_send(v_user_id), 0) % 10 = 0\n"),
}

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


def plant(admin: psycopg.Connection[Any], faults: Iterable[str]) -> None:
    """Break it.

    Args:
        admin: The database, as a superuser.
        faults: How.

    Raises:
        KeyError: There is no such fault.
        ValueError: A function has changed, and there is nothing to break in this way.
    """
    for fault in faults:
        if fault in _CHANGES:
            _change(admin, _CHANGES[fault])
        elif statements := _STATEMENTS[fault]:
            admin.execute(statements.encode())


def _change(admin: psycopg.Connection[Any], change: Change) -> None:
    name = f"eventlive.{change.function}"
    [(definition,)] = admin.execute("select pg_get_functiondef(%s::regproc)", [name]).fetchall()
    if definition.count(change.old) != 1:
        msg = f"{name} has not once {change.old!r}, so this fault cannot be planted"
        raise ValueError(msg)
    admin.execute(definition.replace(change.old, change.new).encode())
