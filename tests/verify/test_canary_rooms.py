"""The canary looks at messages, statistics, participants and settings too: who gets them, and who must not."""

from __future__ import annotations

import pytest

from eventlive_db.verify import Trigger, Verdict
from tests.support.database import EventliveDatabase
from tests.verify.stand import check_of, left, try_it
from tests.verify.test_canary import failures

pytestmark = pytest.mark.heavy

# Of one function: what its text is replaced by, and what that fires where.
REPLACED = {
    "statistics for everybody": (
        "webinar_stats_access",
        "perform eventlive.require_staff(_webinar_id, array['host', 'moderator'])",
        "null",
        {
            "auto_register, auth: statistics for a stranger": Trigger.STAFF_DATA_EXPOSED,
            "auto_register, auth: statistics for an attendee": Trigger.STAFF_DATA_EXPOSED,
        },
    ),
    "participants for everybody": (
        "webinar_participants",
        "perform eventlive.require_staff(_webinar_id, array['host', 'moderator'])",
        "null",
        {
            "auto_register, auth: participants for a stranger": Trigger.STAFF_DATA_EXPOSED,
            "auto_register, auth: participants for an attendee": Trigger.STAFF_DATA_EXPOSED,
        },
    ),
    "statistics for nobody but the service": (
        "webinar_stats_access",
        "array['host', 'moderator']",
        "array['nobody']",
        {"auto_register, auth: statistics for a host": Trigger.STATISTICS_BROKEN},
    ),
    "participants without anybody": (
        "webinar_participants",
        "p.expires_at > v_now",
        "p.expires_at < v_now",
        {
            f"auto_register, auth: participants for {who}": Trigger.STATISTICS_BROKEN
            for who in ("the service", "a host", "an administrator")
        },
    ),
    "messages that name a missing column": (
        "webinar_messages_poll",
        "select m.change_id,",
        "select m.id,",
        {
            f"auto_register, auth: {what} is polled": Trigger.MISSING_COLUMN_400
            for what in ("message", "hidden message")
        },
    ),
    "messages for strangers": (
        "webinar_messages_poll",
        "perform eventlive.raise_error('not_registered')",
        "null",
        {"auto_register, auth: messages for a stranger": Trigger.ACCESS_POLICY_BROKEN},
    ),
    "messages that are posted each time": (
        "webinar_message_post",
        "and m.client_message_id = _client_message_id",
        "and false",
        {"auto_register, auth: posting twice": Trigger.DUPLICATE_KEY_STORM},
    ),
    "client settings that are gone": (
        "webinar_client_settings",
        "return v_settings",
        "return '{}'::jsonb",
        {
            f"auto_register, auth: client settings for {who}": Trigger.CLIENT_SETTINGS_BROKEN
            for who in ("a registered user", "a guest", "the service")
        },
    ),
}


@pytest.mark.parametrize("fault", REPLACED)
def test_messages_statistics_and_settings_that_are_broken_or_shown_to_others_are_found(
    db: EventliveDatabase, fault: str
) -> None:
    function, right, wrong, fired = REPLACED[fault]
    source = db.value(
        "select pg_get_functiondef(p.oid) from pg_proc p"
        " where p.proname = %s and p.pronamespace = 'eventlive'::regnamespace",
        function,
    )
    assert right in source
    db.admin.execute(source.replace(right, wrong).encode())
    report = try_it(db)
    assert failures(report) == fired
    assert left(db) == {}


@pytest.mark.parametrize("view", ["statistics", "participants"])
def test_what_is_for_staff_and_shown_to_guests_is_found(db: EventliveDatabase, view: str) -> None:
    db.admin.execute(
        """
        create or replace function eventlive.require_staff(_webinar_id uuid, _roles text[]) returns void
        language plpgsql stable set search_path = pg_catalog, pg_temp as $$ begin return; end $$;
        grant execute on all functions in schema eventlive_api, eventlive to anon
        """
    )
    found = failures(try_it(db))
    for who in ("a guest", "a stranger", "an attendee"):
        assert found[f"auto_register, auth: {view} for {who}"] is Trigger.STAFF_DATA_EXPOSED


def test_polls_that_a_setting_switches_off_are_no_fault(db: EventliveDatabase) -> None:
    db.admin.execute("select eventlive.set_setting('fallback_enabled', 'false')")
    report = try_it(db)
    assert report.verdict is Verdict.GO, failures(report)
    assert "as the setting says" in check_of(report, "auto_register, auth: message is polled").says
