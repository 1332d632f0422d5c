"""Changes of settings and status that overlap: the second one sees the first, and no update is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.support.actors import in_background, new_id, wait_until_blocked
from tests.support.database import EventliveDatabase
from tests.support.faults import break_function


def set_setting(connection: psycopg.Connection[Any], key: str, value: object) -> None:
    """Change a setting for all webinars."""
    connection.execute("select eventlive.set_setting(%s, %s)", [key, json.dumps(value)])


def count_again(connection: psycopg.Connection[Any]) -> None:
    """What runs by the clock."""
    connection.execute("select eventlive.refresh_webinar_live(w.id) from eventlive.webinars w")


def end_while(db: EventliveDatabase, change: Callable[[psycopg.Connection[Any]], None]) -> bool:
    """End a webinar, and before that commits begin to change something; whether it is closed afterwards."""
    webinar_id, service, other = db.webinar(), db.service(), db.connect()
    with service.transaction() as ending:
        ending.call("webinar_set_status", webinar_id=webinar_id, status="ended")
        changing = in_background(lambda: change(other))
        wait_until_blocked(db.admin, other.info.backend_pid)
    changing.result()
    return bool(db.value("select closed_at is not null from eventlive.webinar_live"))


@pytest.mark.parametrize(
    "change",
    [lambda connection: set_setting(connection, "presence_ping_interval_s", 121), count_again],
    ids=["setting", "count"],
)
def test_what_changes_while_a_webinar_ends_does_not_open_it_again(
    db: EventliveDatabase, change: Callable[[psycopg.Connection[Any]], None]
) -> None:
    assert end_while(db, change)


def test_a_count_that_reads_before_it_locks_would_open_it_again(db: EventliveDatabase) -> None:
    break_function(db, "refresh_webinar_live", "for no key update", "")
    assert not end_while(db, count_again)


def test_of_two_settings_changed_at_once_none_is_lost(db: EventliveDatabase) -> None:
    db.webinar()
    one, two = db.connect(), db.connect()
    with one.transaction():
        set_setting(one, "presence_ping_interval_s", 60)
        changing = in_background(lambda: set_setting(two, "session_heartbeat_interval_s", 200))
        wait_until_blocked(db.admin, two.info.backend_pid)
    changing.result()
    [(settings,)] = db.rows("select client_settings from eventlive.webinar_live")
    assert (settings["presence_ping_interval_s"], settings["session_heartbeat_interval_s"]) == (60, 200)


@pytest.mark.parametrize("setting_first", [True, False])
def test_a_webinar_created_while_a_setting_changes_has_the_new_value(
    db: EventliveDatabase, setting_first: bool
) -> None:
    changing, creating = db.connect(), db.connect()

    def change() -> None:
        set_setting(changing, "presence_ping_interval_s", 77)

    def create() -> None:
        creating.execute("insert into eventlive.webinars (slug) values ('new')")

    first, second = (changing, creating) if setting_first else (creating, changing)
    with first.transaction():
        (change if setting_first else create)()
        waiting = in_background(create if setting_first else change)
        wait_until_blocked(db.admin, second.info.backend_pid)
    waiting.result()
    assert db.value("select presence_ping_interval_s from eventlive.webinar_live") == 77


@pytest.mark.parametrize("key", ["client_info_max_bytes", "close_batch_size", "max_open_sessions_per_user"])
def test_an_integer_that_json_writes_with_a_fraction_is_an_integer(db: EventliveDatabase, key: str) -> None:
    db.admin.execute("select eventlive.set_setting(%s, '1000.0')", [key])
    webinar_id, user = db.webinar(duplicate_login_policy="allow"), db.user()
    for _ in range(2):
        user.call("webinar_enter", webinar_id=webinar_id, session_id=new_id())
    db.service().call("webinar_set_status", webinar_id=webinar_id, status="ended")


def test_a_number_too_fine_for_the_database_is_refused_and_not_an_overflow_later(db: EventliveDatabase) -> None:
    webinar_id = db.webinar()
    error = db.service().refused(
        "webinar_configure", webinar_id=webinar_id, changes={"settings": {"pacing_jitter": 1e-60}}
    )
    assert error.token == "setting_out_of_range"
    with pytest.raises(psycopg.errors.CheckViolation):
        db.admin.execute("update eventlive.settings set value = '1e-60' where key = 'pacing_jitter'")


def test_what_is_stored_does_not_depend_on_the_number_format_of_the_session(db: EventliveDatabase) -> None:
    db.admin.execute("set extra_float_digits = -15")
    db.webinar(settings={"presence_ping_interval_s": 133.7})
    assert db.value("select client_settings -> 'presence_ping_interval_s' from eventlive.webinar_live") == 133.7


def test_two_batches_that_meet_a_row_made_in_between_do_not_deadlock(db: EventliveDatabase) -> None:
    webinar_id = db.webinar(settings={"throttle_factor": 0})
    users = sorted(new_id() for _ in range(3))
    for user_id in users:
        db.register(webinar_id, user_id)
    first, second, third = users
    gateway, other, holder = db.service(), db.service(), db.connect()
    gateway.call("webinar_presence_ping_many", webinar_id=webinar_id, user_ids=[second, third])
    with holder.transaction():
        holder.execute("select from eventlive.webinar_live_presence where user_id = %s for update", [third])
        with gateway.transaction() as batch:
            batch.call("webinar_presence_ping_many", webinar_id=webinar_id, user_ids=[second, third])
            db.user(first).call("webinar_presence_ping", webinar_id=webinar_id)
            # The first batch holds the second row; the other one must not wait for it.
            reply = other.call("webinar_presence_ping_many", webinar_id=webinar_id, user_ids=[first, second])
            assert reply == {"refreshed": 1, "not_registered": []}
    assert db.value("select deadlocks from pg_stat_database where datname = current_database()") == 0


def test_presence_after_a_break_begins_anew(db: EventliveDatabase) -> None:
    webinar_id, user = db.webinar(), db.user()
    user.call("webinar_enter", webinar_id=webinar_id, session_id=new_id())
    db.shift_time("1 day")
    before = db.value("select joined_at from eventlive.webinar_live_presence")
    user.call("webinar_enter", webinar_id=webinar_id, session_id=new_id())
    assert db.value("select joined_at from eventlive.webinar_live_presence") > before


def test_presence_without_a_break_keeps_its_beginning(db: EventliveDatabase) -> None:
    webinar_id, user = db.webinar(), db.user()
    user.call("webinar_enter", webinar_id=webinar_id, session_id=new_id())
    before = db.value("select joined_at from eventlive.webinar_live_presence")
    user.call("webinar_enter", webinar_id=webinar_id, session_id=new_id(), take_over=True)
    assert db.value("select joined_at from eventlive.webinar_live_presence") == before


def test_the_peak_never_falls(db: EventliveDatabase) -> None:
    webinar_id = db.webinar(access_policy="guest_allowed")
    for _ in range(3):
        db.guest().call("webinar_enter", webinar_id=webinar_id, session_id=new_id())
    db.admin.execute("select eventlive.refresh_webinar_live(%s)", [webinar_id])
    [peak] = db.rows("select peak_participants, peak_at from eventlive.webinar_live")
    db.shift_time("1 day")
    db.admin.execute("select eventlive.refresh_webinar_live(%s)", [webinar_id])
    assert db.rows("select guests, peak_participants, peak_at from eventlive.webinar_live") == [(0, *peak)]
    assert peak[0] == 3


def test_as_many_addresses_as_allowed_and_not_one_more(db: EventliveDatabase) -> None:
    webinar_id, service = db.webinar(access_policy="invite_only"), db.service()
    emails = [f"u{n}@example.com" for n in range(10_001)]
    assert service.refused("webinar_allow_emails", webinar_id=webinar_id, emails=emails).token == "invalid_argument"
    assert service.call("webinar_allow_emails", webinar_id=webinar_id, emails=emails[1:])["added"] == 10_000


@pytest.mark.parametrize(("surplus", "accepted"), [(0, True), (1, False)])
def test_client_information_as_large_as_allowed_and_not_one_byte_more(
    db: EventliveDatabase, surplus: int, accepted: bool
) -> None:
    size = db.value("select pg_column_size(jsonb_build_object('ua', repeat('x', 500)))")
    webinar_id = db.webinar(settings={"client_info_max_bytes": size})
    client = {"ua": "x" * (500 + surplus)}
    call = db.user()
    if accepted:
        assert call.call("webinar_enter", webinar_id=webinar_id, session_id=new_id(), client=client)["created"]
    else:
        error = call.refused("webinar_enter", webinar_id=webinar_id, session_id=new_id(), client=client)
        assert error.token == "invalid_argument"
