"""What an upgrade keeps waiting while it works: heartbeats read webinar_live."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from psycopg import Connection

from eventlive_db.migrate import Options, Step, upgrade
from tests.migrate.conftest import ask, connected, run
from tests.support.own_server import wait_for

BEFORE, STEP = "0009", "0010"

WAITS = "select a.pid from pg_stat_activity a where %s = any (pg_blocking_pids(a.pid))"

LOCKED = """
    select l.mode from pg_locks l
     where l.pid = %s and l.relation = 'eventlive.webinar_live'::regclass and l.mode = 'AccessExclusiveLock'
"""
"""Held or waited for: heartbeats queue behind either."""


def blocked_by(watcher: Connection[Any], holder: Connection[Any]) -> list[tuple[Any, ...]]:
    """Backends that wait for this one."""
    return watcher.execute(WAITS, (holder.info.backend_pid,)).fetchall()


@pytest.mark.parametrize("early", [False, True], ids=["as shipped", "locked by then, which is seen"])
def test_heartbeats_go_on_while_an_upgrade_rewrites_the_settings_in_force(
    make_database: Callable[..., str], early: bool
) -> None:
    dsn = make_database()
    upgrade(Options(dsn), BEFORE)
    run(dsn, "insert into eventlive.webinars (id, slug, status) values (gen_random_uuid(), 'a', 'live')")
    assert ask(dsn, "select count(*) from eventlive.webinar_live") == [(1,)]
    if early:  # a trigger stands for a step that locks the table before the work is done
        run(
            dsn,
            """create function public.lock_early() returns trigger language plpgsql as $$
               begin lock table eventlive.webinar_live in access exclusive mode; return null; end $$""",
            "create trigger early after insert on eventlive.settings execute function public.lock_early()",
        )
    taken: list[list[Step]] = []
    upgrading = threading.Thread(target=lambda: taken.append(upgrade(Options(dsn), STEP)))
    with connected(dsn) as holder, connected(dsn) as watcher:
        with holder.transaction():
            holder.execute("select from eventlive.webinar_live for update")
            upgrading.start()
            wait_for("the upgrade to wait", lambda: blocked_by(watcher, holder) != [])
            seen = watcher.execute(LOCKED, blocked_by(watcher, holder)[0]).fetchall()
        upgrading.join()
    assert [len(steps) for steps in taken] == [1]
    assert seen == ([("AccessExclusiveLock",)] if early else [])
