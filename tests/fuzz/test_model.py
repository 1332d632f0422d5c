"""Long sequences of calls by several people come to what a small model of the contract says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.fuzz.budget import ATTEMPTS, CALLS, PROPERTY, SEED, examples, seeded
from tests.fuzz.machine import ACCESS, DUPLICATES, ENTRY, Attendance
from tests.support.database import EventliveDatabase
from tests.support.faults import break_function

STEPS = 30
EXAMPLES = max(50, CALLS // 20)
"""Of some twenty calls each, though the longest have more."""

# A rule taken out of a function: the function, what stands there, and what instead.
FAULTS = {
    "a ping registers": (
        "create_presence",
        "raise_error('not_registered')",
        "insert_registration(_webinar_id, _user_id, 'auto')",
    ),
    "a take-over leaves the old session open": (
        "webinar_enter",
        "eventlive.close_sessions(_webinar_id, v_other_ids, 'replaced', v_now, _session_id)",
        "1",
    ),
    "registered_only registers": ("check_admission", "_entry_policy = 'registered_only'", "false"),
    "leaving asks for no token": ("webinar_leave", "and s.leave_token = _leave_token", ""),
    "the presence stays when the last tab leaves": ("webinar_leave", "v_now) > 0 and", "v_now) > 1 and"),
    "an ejected user comes back": ("registration_for_entry", "v_registration.ejected_at is not null", "false"),
    "an expired session is brought back": ("webinar_session_heartbeat", "and s.expires_at > v_now", ""),
    "a gap is watch time": ("watch_credit", "(_at_most_s)::numeric", "1e6"),
    "a moderator gives roles": ("webinar_grant_role", "array['host']", "array['host', 'moderator']"),
}


def play(
    db: EventliveDatabase, number: int, begin: int | str | None = SEED, *, control: bool = False
) -> type[Attendance]:
    """Play so many sequences in that database; fail at the first difference."""

    class Played(Attendance):
        """In this database."""

    Played.db, Played.connection = db, db.connect()
    Played.met, Played.seen = Counter(), set()
    seeded(Played, begin)
    run_state_machine_as_test(Played, settings=examples(number, control=control, stateful_step_count=STEPS))
    return Played


def play_control(db: EventliveDatabase) -> None:
    """Play from one seed after the other; fail at the first difference."""
    for begin in ATTEMPTS:
        play(db, 50, begin, control=True)


def test_any_calls_in_any_order_come_to_what_the_model_says(
    make_stage: Callable[[], EventliveDatabase], record_property: Callable[[str, object], None]
) -> None:
    played = play(make_stage(), EXAMPLES)
    record_property(PROPERTY, dict(played.met))
    assert played.met.total() >= EXAMPLES * STEPS // 3
    assert {policy for webinar in played.seen for policy in webinar} == {*ACCESS, *ENTRY, *DUPLICATES}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_rule_that_is_not_kept_is_seen(db: EventliveDatabase, fault: str) -> None:
    break_function(db, *FAULTS[fault])
    with pytest.raises(AssertionError):
        play_control(db)
