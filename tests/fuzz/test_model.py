"""Long sequences of calls by several people come to what a small model of the contract says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.fuzz import plants
from tests.fuzz.budget import CALLS, PROPERTY, examples, seeded
from tests.fuzz.machine import ACCESS, DUPLICATES, ENTRY
from tests.fuzz.plants import Plant, planted
from tests.fuzz.stories import REQUIRED, Stories, not_met, rehearse
from tests.support.database import EventliveDatabase

STEPS = 8
EXAMPLES = 1 + CALLS // 20
"""Of dozens of calls each, for a story has some twenty."""

# Rules taken out of functions, under the story that tells.
FAULTS: dict[Callable[..., None], dict[str, Plant]] = {
    Stories.everybody: {
        "a ping registers": plants.A_PING_REGISTERS,
        "registered_only registers": ("check_admission", "_entry_policy = 'registered_only'", "false"),
        "a session is anybody's": ("check_session_is_open", "_session_user_id is distinct from _user_id", "false"),
    },
    Stories.hasty_signs_of_life: {
        "a ping is never too early": (
            "webinar_presence_ping",
            "and p.last_seen_at <= v_now - p.throttle_s * interval '1 second'",
            "",
        ),
        "a heartbeat is never too early": (
            "webinar_session_heartbeat",
            "and s.last_heartbeat_at <= v_now - l.throttle_factor * s.interval_s * interval '1 second'",
            "",
        ),
        "a ping shortens what a session gave": (
            "webinar_presence_ping",
            "greatest(p.expires_at, v_now + p.ttl_s * interval '1 second')",
            "v_now + p.ttl_s * interval '1 second'",
        ),
        "a ping touches everybody": plants.A_PING_TOUCHES_EVERYBODY,
    },
    Stories.tabs: {
        "a take-over leaves the old session open": (
            "webinar_enter",
            "eventlive.close_sessions(_webinar_id, v_other_ids, 'replaced', v_now, _session_id)",
            "1",
        ),
        "replace_oldest replaces one of several": (
            "webinar_enter",
            "eventlive.close_sessions(_webinar_id, v_other_ids, 'replaced', v_now, _session_id)",
            "eventlive.close_sessions(_webinar_id, v_other_ids[1:1], 'replaced', v_now, _session_id)",
        ),
        "another session is named as the one that took over": (
            "webinar_enter",
            "v_other_ids, 'replaced', v_now, _session_id)",
            "v_other_ids, 'replaced', v_now, v_other_ids[1])",
        ),
        "one session too many": ("webinar_enter", "cardinality(v_other_ids) >= (", "cardinality(v_other_ids) > ("),
        "reject replaces": ("webinar_enter", "v_webinar.duplicate_login_policy = 'reject'", "false"),
        "reject is taken over": (
            "webinar_enter",
            "v_webinar.duplicate_login_policy = 'reject'",
            "(v_webinar.duplicate_login_policy = 'reject' and not _take_over)",
        ),
        "leaving asks for no token": plants.ANY_TOKEN_ENDS_A_SESSION,
        "the token of a session elsewhere": (
            "webinar_leave",
            "where s.webinar_id = _webinar_id and s.session_id",
            "where s.session_id",
        ),
        "the presence stays when the last tab leaves": ("webinar_leave", "v_now) > 0 and", "v_now) > 1 and"),
    },
    Stories.the_end: {
        "a webinar that has ended is entered": ("webinar_enter", "v_webinar.status = 'ended'", "false"),
        "a heartbeat after the end counts": ("webinar_session_heartbeat", "and l.closed_at is null", ""),
        "a first ping after the end counts": ("create_presence", "v_live.closed_at is not null", "false"),
        "an end is not logged": ("close_sessions", "from closed c\n    )", "from closed c where false\n    )"),
    },
    Stories.an_ejection: {
        "an ejected user comes back": ("registration_for_entry", "v_registration.ejected_at is not null", "false"),
        "an ejected attendee comes back": (
            "registration_for_entry",
            "v_registration.ejected_at is not null",
            "(v_registration.ejected_at is not null and v_registration.role <> 'attendee')",
        ),
        "an ejection leaves the sessions open": (
            "webinar_eject",
            "eventlive.close_sessions(_webinar_id, v_session_ids, 'ejected', v_now)",
            "0",
        ),
        "a role does not lift the ejection": ("webinar_grant_role", "ejected_at = null", "ejected_at = r.ejected_at"),
    },
    Stories.a_sleep: {
        "an expired session is brought back": ("webinar_session_heartbeat", "and s.expires_at > v_now", ""),
        "a gap is watch time": ("watch_credit", "(_at_most_s)::numeric", "1e6"),
        "who comes back has been there all along": (
            "webinar_enter",
            "case when p.expires_at < excluded.joined_at then excluded.joined_at else p.joined_at end",
            "p.joined_at",
        ),
    },
    Stories.rights: {
        "a moderator gives roles": ("webinar_grant_role", "array['host']", "array['host', 'moderator']"),
        "an attendee gives roles": ("webinar_grant_role", "array['host']", "array['host', 'attendee']"),
        "anybody gives roles": (
            "webinar_grant_role",
            "perform eventlive.require_staff(_webinar_id, array['host']);",
            "",
        ),
        "the last host goes": ("webinar_grant_role", "v_other_hosts = 0", "false"),
    },
    Stories.the_list: {
        "email_auth asks once": ("registration_for_entry", "and _access_policy <> 'email_auth'", ""),
        "an address need not be verified": (
            "current_email",
            "(v_claims -> 'email_verified')::text is distinct from 'true'",
            "false",
        ),
        "the case of an address counts": (
            "current_email",
            "lower(nullif(btrim(v_claims ->> 'email'), '') collate \"C\")",
            "nullif(btrim(v_claims ->> 'email'), '')",
        ),
    },
}


def playing(db: EventliveDatabase) -> type[Stories]:
    """The machine, in that database."""

    class Played(Stories):
        """In this database."""

    Played.db, Played.connection = db, db.connect()
    Played.met, Played.seen = Counter(), set()
    return Played


def play(machine: type[Stories], number: int) -> None:
    """Play so many sequences; fail at the first difference."""
    seeded(machine)
    run_state_machine_as_test(machine, settings=examples(number, stateful_step_count=STEPS))


def test_each_story_comes_to_what_the_model_says(
    make_stage: Callable[[], EventliveDatabase], record_property: Callable[[str, object], None]
) -> None:
    played = playing(make_stage())
    rehearse(played)
    record_property(PROPERTY, dict(played.met))
    assert not_met(played.met) == []
    assert {policy for webinar in played.seen for policy in webinar} == {*ACCESS, *ENTRY, *DUPLICATES}


def test_any_calls_in_any_order_come_to_what_the_model_says(
    make_stage: Callable[[], EventliveDatabase], record_property: Callable[[str, object], None]
) -> None:
    played = playing(make_stage())
    play(played, EXAMPLES)
    record_property(PROPERTY, dict(played.met))
    assert played.met.total() >= EXAMPLES
    if CALLS >= 400:
        assert len(not_met(played.met)) <= (15 if CALLS < 1000 else 3)


def test_what_was_not_met_is_told() -> None:
    met = Counter(f"{function} {word}" for function, words in REQUIRED.items() for word in words.split())
    assert not_met(met) == []
    del met["session_heartbeat expired"]
    assert not_met(met) == ["session_heartbeat expired"]


@pytest.fixture(scope="module")
def broken(make_stage: Callable[[], EventliveDatabase]) -> EventliveDatabase:
    """A database for faults, one after the other."""
    return make_stage()


@pytest.mark.parametrize(("story", "fault"), [(story, fault) for story, faults in FAULTS.items() for fault in faults])
def test_a_rule_that_is_not_kept_is_seen(broken: EventliveDatabase, story: Callable[..., None], fault: str) -> None:
    try:
        with planted(broken, FAULTS[story][fault]), pytest.raises(AssertionError):
            rehearse(playing(broken), only=story)
    finally:
        broken.admin.execute("truncate eventlive.webinars, eventlive.event_access_logs, eventlive.profiles cascade")
