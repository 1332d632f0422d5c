"""The contenders of the ping benchmark do what their names say, and a worse ping would be seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from eventlive_db.load.bench.crowd import (
    BATCHED,
    BY_ITSELF,
    EMPTY,
    FIRST,
    IN_TRANSACTION,
    PING,
    SHORTEST,
    THROTTLED,
    UPDATE,
    Crowd,
    crowded,
)
from eventlive_db.load.bench.footprint import Footprint, footprint
from eventlive_db.load.bench.ping import PingPlan, footprints, judge, measure_ping
from eventlive_db.load.bench.shapes import Durability
from eventlive_db.load.bench.stage import Database
from eventlive_db.server import Server
from tests.load.bench_place import place_on

pytestmark = pytest.mark.heavy

PLAN = PingPlan(users=300, batches=3, rounds=1, slice_s=0.01, clients=(2,), counted=30)
Furnished = tuple[Database, Crowd]


@pytest.fixture(scope="module")
def untouched(pg_server: Server) -> Iterator[Furnished]:
    with crowded(place_on(pg_server), PLAN.users, PLAN.batches) as found:
        yield found


@pytest.fixture
def furnished(pg_server: Server) -> Iterator[Furnished]:
    """One to break."""
    with crowded(place_on(pg_server), PLAN.users, PLAN.batches) as found:
        yield found


def counted(
    furnished: Furnished, shape: str = IN_TRANSACTION, durability: Durability = Durability.OFF
) -> dict[str, Footprint]:
    return footprints(*furnished, PLAN, shape, durability)


def faults(found: dict[str, Footprint]) -> set[str]:
    names = [mark.name for mark in judge(found, "here") if not mark.passed]
    return {name.removeprefix("What a ").removesuffix(" writes here") for name in names}


@pytest.mark.parametrize("durability", [Durability.OFF, Durability.ON], ids=lambda value: value.name)
@pytest.mark.parametrize("shape", [BY_ITSELF, IN_TRANSACTION])
def test_each_contender_writes_what_its_name_says(untouched: Furnished, shape: str, durability: Durability) -> None:
    found = counted(untouched, shape, durability)
    assert faults(found) == set()
    everywhere = {UPDATE, PING, THROTTLED, BATCHED, SHORTEST, EMPTY}
    assert set(found) == everywhere | ({FIRST} if shape == IN_TRANSACTION else set())
    assert found[PING].wal_bytes == pytest.approx(found[UPDATE].wal_bytes, rel=0.4)
    assert found[THROTTLED].wal_bytes == 0


def test_the_table_of_the_bare_update_is_like_that_of_the_ping(untouched: Furnished) -> None:
    database, _ = untouched
    shapes = [
        database.connection.execute(
            "select (select array_agg(o order by o) from unnest(c.reloptions) o),"
            " (select array_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) order by a.attnum)"
            "    from pg_attribute a where a.attrelid = c.oid and a.attnum > 0),"
            " (select array_agg(pg_get_constraintdef(k.oid) order by k.contype) from pg_constraint k"
            "   where k.conrelid = c.oid and k.contype in ('p', 'f')),"
            " (select count(*) from pg_index i where i.indrelid = c.oid)"
            " from pg_class c where c.oid = %s::regclass",
            [table],
        ).fetchone()
        for table in ("eventlive.webinar_live_presence", "bench.presence")
    ]
    assert shapes[0] == shapes[1]
    assert shapes[0] is not None
    assert "fillfactor=75" in str(shapes[0][0])


@pytest.mark.parametrize("durability", list(Durability), ids=lambda value: value.name)
def test_durability_is_what_is_said(untouched: Furnished, durability: Durability) -> None:
    database, crowd = untouched
    setting = "select set_config('bench.found', current_setting('synchronous_commit'), false);\n"
    insert = "insert into bench.found select current_setting('bench.found');\n"
    database.connection.execute("create table if not exists bench.found (setting text)")
    database.connection.execute("truncate bench.found; grant insert on bench.found to authenticated")
    for name in (UPDATE, PING):
        script = crowd.scripts(IN_TRANSACTION, durability)[name]
        text = script.text.replace("commit;\n", f"{setting}commit;\n{insert}")
        database.pgbench.run(type(script)(text, 1, script.options), runs=1)
    wanted = {Durability.OFF: ["off", "off"], Durability.ON: ["on", "on"], Durability.SHIPPED: ["on", "off"]}
    found = [row[0] for row in database.connection.execute("select setting from bench.found").fetchall()]
    assert found == wanted[durability]


def test_any_user_may_be_next(untouched: Furnished) -> None:
    database, crowd = untouched
    database.pgbench.run(crowd.scripts(IN_TRANSACTION, Durability.OFF)[PING], runs=100, clients=2)
    seen = database.number(
        f"select count(distinct last_seen_at) from eventlive.webinar_live_presence where webinar_id = '{crowd.due}'"
    )
    assert seen > 50


def test_a_statement_more_in_the_ping_is_seen(furnished: Furnished) -> None:
    database, _ = furnished
    before = counted(furnished)[PING]
    database.connection.execute(
        "do $$ begin execute replace(pg_get_functiondef('eventlive.webinar_presence_ping'::regproc),"
        " 'if not found then', 'update eventlive.registrations r set nickname = ''here'''"
        " || ' where r.webinar_id = _webinar_id and r.user_id = v_user_id; if not found then'); end $$"
    )
    found = counted(furnished)
    assert PING in faults(found)
    assert found[PING].updates == 2
    assert found[PING].blocks > before.blocks + 2
    assert found[PING].wal_bytes > 1.5 * before.wal_bytes


def test_an_index_on_what_a_ping_changes_is_seen(furnished: Furnished) -> None:
    database, _ = furnished
    before = counted(furnished)[PING]
    database.connection.execute("create index on eventlive.webinar_live_presence (last_seen_at)")
    found = counted(furnished)
    assert faults(found) == {PING, BATCHED}
    assert found[PING].hot_updates == 0
    assert found[PING].wal_bytes > before.wal_bytes
    assert found[PING].blocks > before.blocks


def test_a_key_that_is_gone_is_seen(furnished: Furnished) -> None:
    database, crowd = furnished
    script = crowd.scripts(BY_ITSELF, Durability.OFF)[PING]
    before = footprint(database.connection, database.pgbench, script, runs=10)
    database.connection.execute(
        "alter table eventlive.webinar_live_presence drop constraint webinar_live_presence_pkey"
    )
    found = footprint(database.connection, database.pgbench, script, runs=10)
    assert before.seq_scans == 0
    assert found.seq_scans >= 1
    assert found.blocks > before.blocks + 2


def test_a_throttle_that_writes_is_seen(furnished: Furnished) -> None:
    database, crowd = furnished
    database.connection.execute(
        "update eventlive.webinar_live_presence set throttle_s = 0 where webinar_id = %s", [crowd.throttled]
    )
    assert faults(counted(furnished)) == {THROTTLED}


def test_a_run_has_every_shape_and_durability_and_their_targets(pg_server: Server) -> None:
    plan = replace(PLAN, durabilities=(Durability.ON, Durability.SHIPPED), counted=5)
    results = measure_ping(place_on(pg_server), plan)
    assert all(mark.passed for mark in results.marks)
    titles = [one.title for one in results.comparisons]
    for shape in (BY_ITSELF, IN_TRANSACTION):
        for durability in plan.durabilities:
            title = f"Ping {shape}, 2 clients, prepared; {durability.value}"
            assert {title, f"Batches: {title}"} <= set(titles)
    assert len(titles) == 8
    for one in results.comparisons:
        shipped = "as shipped" in one.title
        if one.title.startswith("Batches: "):
            assert one.base == PING
            assert one.targets == ({} if shipped else {BATCHED: 10})
        else:
            assert one.base == UPDATE
            assert one.targets == ({} if shipped else {PING: 0.95, THROTTLED: 1.5})
        assert all(rate > 0 for rates in one.rates.values() for rate in rates)
