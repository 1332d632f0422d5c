"""Every interval, limit and threshold is a setting with a default, bounds and an override (R10, R13)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest

from eventlive_db.client.errors import rpc_error
from tests.support.actors import new_id
from tests.support.database import EventliveDatabase
from tests.support.faults import break_function

PROMISED_DEFAULTS = {
    "presence_ping_interval_s": 120,
    "session_heartbeat_interval_s": 300,
    "fallback_poll_interval_s": 10,
    "admin_poll_interval_s": 10,
    "admin_poll_degraded_interval_s": 30,
    "expiry_factor": 2.5,
    "watch_credit_factor": 1.5,
    "pacing_jitter": 0.1,
}

UNITS = {
    "_s": "s",
    "_days": "days",
    "_rps": "1/s",
    "_per_min": "1/min",
    "_bytes": "bytes",
    "_factor": None,
    "_jitter": None,
    "_ratio": None,
    "_ratio_min": None,
}


@dataclass(frozen=True)
class Setting:
    """A row of the table."""

    key: str
    value_type: str
    minimum: Decimal | None
    maximum: Decimal | None
    per_webinar: bool

    @property
    def accepted(self) -> Iterator[str]:
        """Values that must be taken, as JSON: the bounds."""
        if self.value_type == "boolean":
            yield from ("true", "false")
        elif self.value_type == "text":
            yield from (json.dumps("é" * length) for length in self.bounds)
        else:
            yield from (str(self.minimum), str(self.maximum))

    @property
    def bounds(self) -> tuple[int, int]:
        """Of a text, in characters."""
        assert self.minimum is not None
        assert self.maximum is not None
        return int(self.minimum), int(self.maximum)

    @property
    def refused(self) -> Iterator[str]:
        """Values that must be refused, as JSON: beyond the bounds, and of another type."""
        if self.value_type == "text":
            yield from ("null", "[]", "{}", "1", "true", json.dumps("x" * (self.bounds[1] + 1)))
            return
        yield from ("null", "[]", "{}", '""', '"1"', '"true"')
        if self.value_type == "boolean":
            yield from ("0", "1")
            return
        assert self.minimum is not None
        assert self.maximum is not None
        step = Decimal(1) if self.value_type == "integer" else Decimal("0.0001")
        yield from (str(self.minimum - step), str(self.maximum + step), "-1e9", "1e1000", "true", "false")
        if self.value_type == "integer":
            yield str(self.minimum + Decimal("0.5"))


def all_settings(db: EventliveDatabase) -> list[Setting]:
    """Every row of the table."""
    query = "select key, value_type, min_value, max_value, per_webinar from eventlive.settings order by key"
    return [Setting(*row) for row in db.rows(query)]


def by_set_setting(db: EventliveDatabase, webinar_id: UUID, key: str, value: str) -> None:
    db.value("select eventlive.set_setting(%s, %s::jsonb)", key, value)


def by_update_of_settings(db: EventliveDatabase, webinar_id: UUID, key: str, value: str) -> None:
    db.admin.execute("update eventlive.settings set value = %s::jsonb where key = %s", [value, key])


def by_webinar_configure(db: EventliveDatabase, webinar_id: UUID, key: str, value: str) -> None:
    changes = "jsonb_build_object('settings', jsonb_build_object(%s::text, %s::jsonb))"
    db.value(f"select eventlive_api.webinar_configure(%s, {changes})", webinar_id, key, value)


def by_webinar_create(db: EventliveDatabase, webinar_id: UUID, key: str, value: str) -> None:
    query = "select eventlive_api.webinar_create(%s, _settings => jsonb_build_object(%s::text, %s::jsonb))"
    db.value(query, f"w-{new_id()}", key, value)


def by_update_of_webinars(db: EventliveDatabase, webinar_id: UUID, key: str, value: str) -> None:
    query = "update eventlive.webinars set settings = jsonb_build_object(%s::text, %s::jsonb) where id = %s"
    db.admin.execute(query, [key, value, webinar_id])


def by_insert_into_webinars(db: EventliveDatabase, webinar_id: UUID, key: str, value: str) -> None:
    query = "insert into eventlive.webinars (slug, settings) values (%s, jsonb_build_object(%s::text, %s::jsonb))"
    db.admin.execute(query, [f"w-{new_id()}", key, value])


Door = Callable[[EventliveDatabase, UUID, str, str], None]
FOR_ALL: dict[str, Door] = {"set_setting": by_set_setting, "update of settings": by_update_of_settings}
FOR_ONE: dict[str, Door] = {
    "webinar_configure": by_webinar_configure,
    "webinar_create": by_webinar_create,
    "update of webinars": by_update_of_webinars,
    "insert into webinars": by_insert_into_webinars,
}
DOORS = FOR_ALL | FOR_ONE
every_door = pytest.mark.parametrize("door", DOORS)


def attempt(db: EventliveDatabase, door: str, webinar_id: UUID, key: str, value: str) -> str:
    """Go through a door; the token or SQLSTATE of the refusal, else empty."""
    try:
        DOORS[door](db, webinar_id, key, value)
    except psycopg.Error as error:
        known = rpc_error(error)
        return known.token if known else error.sqlstate or "?"
    return ""


def in_force(db: EventliveDatabase, webinar_id: UUID, key: str) -> Any:
    """The value that the webinar goes by."""
    return db.value("select settings -> %s from eventlive.webinar_live where webinar_id = %s", key, webinar_id)


def version(db: EventliveDatabase, webinar_id: UUID) -> str:
    """What tells clients that their settings changed."""
    return str(db.guest().call("webinar_client_settings", webinar_id=webinar_id)["settings_version"])


@pytest.mark.parametrize(("key", "value"), PROMISED_DEFAULTS.items())
def test_the_default_is_the_one_that_is_documented(db: EventliveDatabase, key: str, value: float) -> None:
    assert db.rows("select value, default_value from eventlive.settings where key = %s", key) == [(value, value)]


def test_every_setting_is_shipped_at_its_default_and_says_what_it_is(db: EventliveDatabase) -> None:
    rows = db.rows("select key, value, default_value, value_type, unit, description from eventlive.settings")
    assert rows
    for key, value, default, value_type, unit, description in rows:
        assert value == default, key
        assert description.endswith("."), key
        if value_type == "integer":
            assert unit in {"rows", "bytes", "characters", "s", "days"} or (unit, key) == (None, "alert_lock_waiters")
        elif value_type == "boolean":
            assert unit is None, key
        elif value_type == "text":
            assert unit == "characters", key
        else:
            assert unit == next(unit for suffix, unit in UNITS.items() if key.endswith(suffix)), key


@every_door
def test_the_bounds_of_every_setting_are_accepted(db: EventliveDatabase, door: str) -> None:
    webinar_id = db.webinar()
    for setting in all_settings(db):
        for value in setting.accepted:
            expected = "" if door in FOR_ALL or setting.per_webinar else "unknown_setting"
            assert attempt(db, door, webinar_id, setting.key, value) == expected, (setting.key, value)


@every_door
def test_beyond_the_bounds_and_of_the_wrong_type_every_setting_is_refused(db: EventliveDatabase, door: str) -> None:
    webinar_id = db.webinar()
    before = db.contents()
    for setting in all_settings(db):
        if not setting.per_webinar and door not in FOR_ALL:
            continue
        for value in setting.refused:
            if value == "null" and door == "webinar_configure":
                continue  # means: back to the common value
            # A direct update meets the constraint of the table instead of the function.
            expected = "23514" if door == "update of settings" else "setting_out_of_range"
            assert attempt(db, door, webinar_id, setting.key, value) == expected, (setting.key, value)
    assert db.contents() == before


@pytest.mark.parametrize("door", ["set_setting", *FOR_ONE])
def test_a_setting_that_does_not_exist_is_refused(db: EventliveDatabase, door: str) -> None:
    webinar_id = db.webinar()
    assert attempt(db, door, webinar_id, "presence_ping_interval", "1") == "unknown_setting"
    assert attempt(db, door, webinar_id, "", "1") == "unknown_setting"


def test_bounds_that_are_not_checked_are_seen(db: EventliveDatabase) -> None:
    webinar_id = db.webinar()
    break_function(db, "check_setting", "between v_setting.min_value and v_setting.max_value", "is not null")
    assert attempt(db, "webinar_configure", webinar_id, "pacing_jitter", "9") == ""
    break_function(db, "check_setting", "not v_setting.per_webinar", "false")
    assert attempt(db, "webinar_configure", webinar_id, "anyone_may_create", "true") == ""
    # The constraint of the table still stands; without it the value passes.
    assert attempt(db, "set_setting", webinar_id, "pacing_jitter", "9") == "23514"
    db.admin.execute("alter table eventlive.settings drop constraint settings_value_within_bounds")
    assert attempt(db, "update of settings", webinar_id, "pacing_jitter", "9") == ""


def test_an_override_beats_the_common_value_and_null_goes_back_to_it(db: EventliveDatabase) -> None:
    host = db.user()
    ours, other = db.webinar(host=host.user_id), db.webinar()
    key = "presence_ping_interval_s"

    def configure(value: object) -> None:
        host.call("webinar_configure", webinar_id=ours, changes={"settings": {key: value}})

    configure(60)
    assert (in_force(db, ours, key), in_force(db, other, key)) == (60, 120)
    by_set_setting(db, ours, key, "240")
    assert (in_force(db, ours, key), in_force(db, other, key)) == (60, 240)
    configure(None)
    assert (in_force(db, ours, key), in_force(db, other, key)) == (240, 240)
    assert db.value("select settings from eventlive.webinars where id = %s", ours) == {}


def test_an_override_leaves_the_other_overrides_alone(db: EventliveDatabase) -> None:
    host = db.user()
    webinar_id = db.webinar(host=host.user_id, settings={"pacing_jitter": 0.2, "throttle_factor": 0.3})
    reply = host.call("webinar_configure", webinar_id=webinar_id, changes={"settings": {"pacing_jitter": 0.4}})
    assert reply["settings"] == {"pacing_jitter": 0.4, "throttle_factor": 0.3}


def test_a_setting_that_was_set_reaches_every_webinar_that_has_not_ended(db: EventliveDatabase) -> None:
    webinars = {status: db.webinar(status=status) for status in ("draft", "scheduled", "live", "ended")}
    by_set_setting(db, new_id(), "throttle_factor", "0.25")
    reached = {status: in_force(db, webinar_id, "throttle_factor") for status, webinar_id in webinars.items()}
    assert reached == {"draft": 0.25, "scheduled": 0.25, "live": 0.25, "ended": 0.5}
    admin = db.service()
    admin.call("webinar_set_status", webinar_id=webinars["ended"], status="live")
    assert in_force(db, webinars["ended"], "throttle_factor") == 0.25


def test_what_the_hot_path_reads_is_what_is_in_force(db: EventliveDatabase) -> None:
    overrides = {"throttle_factor": 0.25, "expiry_factor": 4, "watch_credit_factor": 2, "pacing_jitter": 0}
    webinar_id = db.webinar(settings={**overrides, "presence_ping_interval_s": 100})
    columns = ", ".join([*overrides, "presence_ping_interval_s"])
    assert db.rows(f"select {columns} from eventlive.webinar_live where webinar_id = %s", webinar_id) == [
        (0.25, 4, 2, 0, 100)
    ]


def test_clients_are_sent_the_visible_settings_and_no_others(db: EventliveDatabase) -> None:
    webinar_id = db.webinar()
    visible = {key for (key,) in db.rows("select key from eventlive.settings where client_visible")}
    sent = db.guest().call("webinar_client_settings", webinar_id=webinar_id)
    assert set(sent) == visible | {"settings_version"}
    entered = db.user().call("webinar_enter", webinar_id=webinar_id, session_id=new_id())
    assert entered["settings"] == sent
    hidden = {key for (key,) in db.rows("select key from eventlive.settings where not client_visible")}
    assert hidden & set(sent) == set()
    assert "presence_target_rps" in hidden


def test_the_version_changes_with_every_visible_setting_and_with_no_other(db: EventliveDatabase) -> None:
    webinar_id = db.webinar()
    first = version(db, webinar_id)
    query = "select key, value_type, client_visible from eventlive.settings where per_webinar order by key"
    for key, kind, visible in db.rows(query):
        query = "select case when value = to_jsonb(min_value) then max_value else min_value end from eventlive.settings"
        value = "false" if kind == "boolean" else str(db.value(f"{query} where key = %s", key))
        by_update_of_webinars(db, webinar_id, key, value)
        assert (version(db, webinar_id) != first) is visible, key
        db.admin.execute("update eventlive.webinars set settings = '{}'")
        assert version(db, webinar_id) == first, key


def test_the_version_follows_the_common_value(db: EventliveDatabase) -> None:
    webinar_id = db.webinar()
    overridden = db.webinar(settings={"admin_poll_interval_s": 10})
    first = version(db, webinar_id)
    by_set_setting(db, webinar_id, "admin_poll_interval_s", "20")
    assert version(db, webinar_id) != first
    assert version(db, overridden) == first
    by_set_setting(db, webinar_id, "admin_poll_interval_s", "10")
    assert version(db, webinar_id) == first


def test_only_the_owner_and_administrators_of_the_database_set_settings(db: EventliveDatabase) -> None:
    for role in ("anon", "authenticated", "service_role"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.acting(role, "").execute("select eventlive.set_setting('pacing_jitter', '0')")
    db.acting("eventlive_owner", "").execute("select eventlive.set_setting('pacing_jitter', '0')")
    assert db.value("select value from eventlive.settings where key = 'pacing_jitter'") == 0
