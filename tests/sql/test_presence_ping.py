"""The presence ping: it never registers, and it stays cheap whatever the size of the table (R3)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.actors import Actor, new_id
from tests.support.cost import Cost, cost_of
from tests.support.database import EventliveDatabase

PRESENCE = "eventlive.webinar_live_presence"


def present_user(db: EventliveDatabase, **webinar: object) -> tuple[Actor, object]:
    """A registered user with a presence row, on a connection that has called before."""
    webinar_id = db.webinar(**webinar)  # type: ignore[arg-type]
    user = db.user()
    assert user.user_id
    db.register(webinar_id, user.user_id)
    user.call("webinar_presence_ping", webinar_id=webinar_id)
    for _ in range(2):  # measured as well: the first measurement on a connection also reads the catalog
        db.shift_time("10 minutes")
        cost_of(user, "webinar_presence_ping", webinar_id=webinar_id)
        cost_of(user, "webinar_presence_ping", webinar_id=webinar_id)
    return user, webinar_id


def test_ping_by_unregistered_user_is_refused_and_leaves_no_row_anywhere(db: EventliveDatabase) -> None:
    webinar_id = db.webinar()
    before = db.contents()
    error = db.user().refused("webinar_presence_ping", webinar_id=webinar_id)
    assert (error.status, error.token) == (403, "not_registered")
    assert db.contents() == before
    assert db.count("registrations") == 0


def test_ping_in_an_unknown_webinar_is_answered_like_one_without_registration(db: EventliveDatabase) -> None:
    assert db.user().refused("webinar_presence_ping", webinar_id=new_id()).token == "not_registered"


def test_first_ping_of_a_registered_user_creates_the_presence_row(db: EventliveDatabase) -> None:
    webinar_id, user = db.webinar(), db.user()
    assert user.user_id
    db.register(webinar_id, user.user_id)
    assert user.call("webinar_presence_ping", webinar_id=webinar_id) is None
    [(ttl,)] = db.rows("select extract(epoch from expires_at - last_seen_at)::float from " + PRESENCE)
    assert ttl == pytest.approx(2.5 * 120)


def test_ping_moves_last_seen_and_expiry(db: EventliveDatabase) -> None:
    user, webinar_id = present_user(db)
    db.shift_time("2 minutes")
    [before] = db.rows(f"select joined_at, last_seen_at, expires_at from {PRESENCE}")
    user.call("webinar_presence_ping", webinar_id=webinar_id)
    [after] = db.rows(f"select joined_at, last_seen_at, expires_at from {PRESENCE}")
    assert after[0] == before[0]
    assert after[1] > before[1]
    assert after[2] > before[2]


def test_ping_never_shortens_what_a_heartbeat_promised(db: EventliveDatabase) -> None:
    webinar_id, user = db.webinar(), db.user()
    user.call("webinar_enter", webinar_id=webinar_id, session_id=new_id())
    db.shift_time("2 minutes")
    promised = db.value(f"select expires_at from {PRESENCE}")
    user.call("webinar_presence_ping", webinar_id=webinar_id)
    assert db.value(f"select expires_at from {PRESENCE}") == promised


def test_throttled_ping_writes_nothing_at_all(db: EventliveDatabase) -> None:
    user, webinar_id = present_user(db)
    before = db.contents()
    cost = cost_of(user, "webinar_presence_ping", webinar_id=webinar_id)
    assert cost.wal_records == 0
    assert not cost.assigned_xid
    assert len(cost.statements) == 2
    assert cost.relations == {PRESENCE}
    assert db.contents() == before


def is_cheap(cost: Cost) -> bool:
    """The budget of a ping that writes."""
    return (
        len(cost.statements) == 1 and cost.relations == {PRESENCE} and cost.buffers <= 8 and 1 <= cost.wal_records <= 3
    )


def test_steady_ping_is_one_statement_on_one_table(db: EventliveDatabase) -> None:
    user, webinar_id = present_user(db)
    db.shift_time("10 minutes")
    cost = cost_of(user, "webinar_presence_ping", webinar_id=webinar_id)
    assert is_cheap(cost), cost


def test_the_budget_rejects_a_ping_that_looks_the_registration_up(db: EventliveDatabase) -> None:
    user, webinar_id = present_user(db)
    definition = db.value("select pg_get_functiondef('eventlive.webinar_presence_ping(uuid)'::regprocedure)")
    db.admin.execute(
        definition.replace(
            "begin\n",
            "begin\n    perform from eventlive.registrations r"
            " where r.webinar_id = _webinar_id and r.user_id = v_user_id;\n",
            1,
        ).encode()
    )
    user.call("webinar_presence_ping", webinar_id=webinar_id)
    db.shift_time("10 minutes")
    assert not is_cheap(cost_of(user, "webinar_presence_ping", webinar_id=webinar_id))


@pytest.mark.parametrize("rows", [100_000, pytest.param(1_000_000, marks=[pytest.mark.heavy, pytest.mark.large])])
def test_ping_costs_the_same_whatever_the_size_of_the_table(db: EventliveDatabase, rows: int) -> None:
    user, webinar_id = present_user(db)

    def measure() -> list[Cost]:
        costs = []
        for late in (False, True):  # throttled, and writing
            for _ in range(2):
                if late:
                    db.admin.execute(
                        f"update {PRESENCE} set last_seen_at = last_seen_at - interval '1 hour' where user_id = %s",
                        [user.user_id],
                    )
                cost = cost_of(user, "webinar_presence_ping", webinar_id=webinar_id)
            costs.append(cost)
        return costs

    fill(db, webinar_id, 1_000)
    all_small = measure()
    fill(db, webinar_id, rows - 1_000)
    all_large = measure()
    assert db.count("webinar_live_presence") == rows + 1
    for small, large in zip(all_small, all_large, strict=True):
        assert abs(large.buffers - small.buffers) <= 2
        assert len(large.statements) == len(small.statements)
    assert [cost.wal_records > 0 for cost in all_large] == [False, True]


def fill(db: EventliveDatabase, webinar_id: object, rows: int) -> None:
    """Presence rows of made-up users; without their registrations, which a ping does not read."""
    db.admin.execute("set session_replication_role = replica")
    db.admin.execute(
        f"insert into {PRESENCE} select %s, gen_random_uuid(), now(), now(), now() + interval '5 minutes', 60, 300"
        " from generate_series(1, %s)",
        [webinar_id, rows],
    )
    db.admin.execute("set session_replication_role = origin")
    db.admin.execute(f"vacuum (analyze) {PRESENCE}")


def ping_many_times(db: EventliveDatabase, webinar_id: object, users: int, pings: int) -> tuple[float, int]:
    """Ping round and round, each in a transaction of its own; the HOT ratio, and by how many bytes the table grew."""
    connection = db.connect()
    connection.execute("select set_config('test.webinar', %s, false)", [str(webinar_id)])
    db.admin.execute(f"vacuum {PRESENCE}")
    size_before = db.value(f"select pg_relation_size('{PRESENCE}')")
    db.admin.execute("select pg_stat_reset_single_table_counters(%s::regclass)", [PRESENCE])
    connection.execute(
        f"""
        do $$
        declare
            v_users uuid[] := array(select user_id from {PRESENCE} order by user_id limit {users});
            v_webinar uuid := current_setting('test.webinar');
        begin
            for i in 1..{pings} loop
                perform set_config(
                    'request.jwt.claims', format('{{"sub":"%s"}}', v_users[1 + i % cardinality(v_users)]), false);
                perform eventlive_api.webinar_presence_ping(v_webinar);
                commit;
            end loop;
        end
        $$
        """.encode()
    )
    connection.execute("select pg_stat_force_next_flush()")
    connection.close()
    [(updates, hot)] = db.rows(
        "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relid = %s::regclass", PRESENCE
    )
    assert updates == pings
    return hot / updates, db.value(f"select pg_relation_size('{PRESENCE}')") - size_before


@pytest.fixture
def crowd(db: EventliveDatabase) -> Callable[[int], object]:
    """A webinar without throttle and a number of people present in it."""

    def make(size: int) -> object:
        webinar_id = db.webinar(settings={"throttle_factor": 0})
        db.admin.execute(
            "insert into eventlive.registrations (webinar_id, user_id)"
            " select %s, gen_random_uuid() from generate_series(1, %s)",
            [webinar_id, size],
        )
        db.admin.execute(
            f"insert into {PRESENCE} select webinar_id, user_id, now(), now(), now(), 0, 300"
            " from eventlive.registrations"
        )
        return webinar_id

    return make


@pytest.mark.parametrize("users", [200, pytest.param(2_000, marks=[pytest.mark.heavy, pytest.mark.large])])
def test_fifty_pings_of_each_are_hot_updates_and_the_table_does_not_grow(
    db: EventliveDatabase, crowd: Callable[[int], object], users: int
) -> None:
    hot, growth = ping_many_times(db, crowd(users), users=users, pings=50 * users)
    assert hot >= 0.999
    assert growth == 0


def test_the_hot_budget_rejects_an_index_on_last_seen_at(db: EventliveDatabase, crowd: Callable[[int], object]) -> None:
    webinar_id = crowd(200)
    db.admin.execute(f"create index on {PRESENCE} (last_seen_at)".encode())
    hot, growth = ping_many_times(db, webinar_id, users=200, pings=2_000)
    assert hot < 0.999
    assert growth > 0
