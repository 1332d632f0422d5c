"""Many installers at once, each a process of its own."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, wait

import pytest
from psycopg.conninfo import make_conninfo

from eventlive_db.migrate import MigrateError, Options, Step, revisions, status, upgrade
from eventlive_db.server import Server
from tests.migrate.conftest import People, connected, run, whole_catalog

INSTALLERS = 20
DATABASES = 6


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["eventlive_db.migrate"])
    with ProcessPoolExecutor(INSTALLERS, mp_context=context) as pool:
        yield pool


def install(pool: ProcessPoolExecutor, all_options: list[Options]) -> list[list[Step]]:
    """Run the installers and return their steps; the first that failed raises."""
    running = [pool.submit(upgrade, options) for options in all_options]
    wait(running)
    return [installer.result() for installer in running]


def test_of_many_installers_of_one_database_one_does_the_work(
    processes: ProcessPoolExecutor, make_database: Callable[..., str]
) -> None:
    alone, dsn = make_database(), make_database()
    upgrade(Options(alone))
    taken = install(processes, [Options(dsn)] * INSTALLERS)
    assert sorted(len(steps) for steps in taken) == [0] * (INSTALLERS - 1) + [len(revisions())]
    assert whole_catalog(dsn) == whole_catalog(alone)
    assert status(dsn).up_to_date


@pytest.mark.parametrize("owner_exists", [False, True])
def test_installers_of_many_databases_make_the_roles_they_share_once(
    processes: ProcessPoolExecutor,
    pg_server: Server,
    people: People,
    make_database: Callable[..., str],
    owner_exists: bool,
) -> None:
    boss, migrator = people.name("boss"), people.make("migrator", "createrole")
    if owner_exists:
        run(pg_server.dsn(), f"create role {boss}")
        if pg_server.version_num >= 160000:
            run(pg_server.dsn(), f"grant {boss} to {migrator} with admin option, set false, inherit false")
    databases = [make_database() for _ in range(DATABASES)]
    for dsn in databases:
        with connected(dsn) as admin:
            admin.execute(f"alter database {admin.info.dbname} owner to {migrator}".encode())
    taken = install(processes, [Options(make_conninfo(dsn, user=migrator), owner=boss) for dsn in databases])
    assert [len(steps) for steps in taken] == [len(revisions())] * DATABASES
    first = whole_catalog(databases[0])
    assert all(whole_catalog(dsn) == first for dsn in databases)


def test_a_membership_that_another_installer_is_just_making_is_no_failure(
    pg_server: Server, people: People, make_database: Callable[..., str]
) -> None:
    boss, migrator = people.make("boss"), people.make("migrator", "createrole")
    if pg_server.version_num >= 160000:
        run(pg_server.dsn(), f"grant {boss} to {migrator} with admin option, set false, inherit false")
    dsn = make_database()
    outcome: list[object] = []

    def work() -> None:
        try:
            outcome.append(upgrade(Options(make_conninfo(dsn, user=migrator), owner=boss)))
        except MigrateError as error:
            outcome.append(error)

    with connected(dsn) as admin, connected(dsn) as watcher:
        admin.execute(f"alter database {admin.info.dbname} owner to {migrator}".encode())
        installer = threading.Thread(target=work)
        with admin.transaction():
            admin.execute(f"grant {boss} to {migrator}".encode())
            installer.start()
            # On 15 it waits for this transaction; since 16 each giver's grant is a row of its own.
            while (
                installer.is_alive()
                and not watcher.execute(
                    "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
                ).fetchall()
            ):
                pass
        installer.join()
    assert isinstance(outcome[0], list), outcome
    assert status(dsn).up_to_date
