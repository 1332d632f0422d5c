"""When an alarm fires, is told, and is over."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from eventlive_db.watch.alarms import Alarms, Change, Notice
from eventlive_db.watch.readings import Reading
from tests.watch.made_up import NOW, reading

WINDOW_S, COOLDOWN_S = 60.0, 900.0


def judge(alarms: Alarms, at: float, *breached: bool | None) -> tuple[list[Change], list[Notice]]:
    return alarms.judge([reading(one) for one in breached], NOW + at, WINDOW_S, COOLDOWN_S)


def told(alarms: Alarms, at: float, breached: bool | None) -> list[str]:
    return [notice.state for notice in judge(alarms, at, breached)[1]]


def test_it_is_told_at_once_again_after_the_cool_down_and_once_when_it_is_over() -> None:
    alarms = Alarms()
    assert told(alarms, 0, False) == []
    assert told(alarms, 10, True) == ["firing"]
    assert told(alarms, 20, True) == []
    assert told(alarms, 909, True) == []
    [again] = judge(alarms, 910, True)[1]
    assert (again.state, again.again, again.since) == ("firing", True, NOW + 10)
    assert told(alarms, 920, False) == []
    assert told(alarms, 979, False) == []
    assert told(alarms, 980, False) == ["recovered"]
    assert told(alarms, 2000, False) == []


def test_it_is_over_only_after_one_whole_window_below() -> None:
    alarms = Alarms()
    judge(alarms, 0, True)
    judge(alarms, 10, False)
    judge(alarms, 60, True)
    judge(alarms, 70, False)
    assert told(alarms, 129, False) == []
    assert told(alarms, 130, False) == ["recovered"]


def test_what_comes_back_within_the_cool_down_is_silent_and_told_when_it_lasts() -> None:
    alarms = Alarms()
    assert told(alarms, 0, True) == ["firing"]
    judge(alarms, 10, False)
    assert told(alarms, 70, False) == ["recovered"]
    [change] = judge(alarms, 80, True)[0]
    assert change.alarm.state == "firing"
    assert told(alarms, 899, True) == []
    assert told(alarms, 900, True) == ["firing"]


def test_what_nobody_was_told_of_is_over_without_a_word() -> None:
    alarms = Alarms()
    told(alarms, 0, True)
    judge(alarms, 10, False)
    assert told(alarms, 70, False) == ["recovered"]
    judge(alarms, 80, True)
    judge(alarms, 90, False)
    assert told(alarms, 150, False) == []


def test_without_data_an_alarm_neither_begins_nor_ends() -> None:
    alarms = Alarms()
    [change] = judge(alarms, 0, None)[0]
    assert change.alarm.state == "no_data"
    judge(alarms, 10, True)
    judge(alarms, 20, False)
    assert judge(alarms, 79, None) == ([], [])
    assert told(alarms, 85, False) == []
    assert told(alarms, 145, False) == ["recovered"]


def test_an_alarm_whose_table_is_gone_ends_unless_its_rule_could_not_look() -> None:
    alarms = Alarms()
    table = Reading("dead_tuples", "t", 0.9, 0.5, "", True)
    other = Reading("dead_tuples", "u", 0.1, 0.5, "", False)
    unseen = Reading("dead_tuples", detail="the database does not answer", blind=True)

    def look(at: float, *readings: Reading) -> list[str]:
        return [notice.state for notice in alarms.judge(readings, NOW + at, WINDOW_S, COOLDOWN_S)[1]]

    assert look(0, table, other) == ["firing"]
    assert look(10, unseen) == []
    assert look(500, unseen) == []
    assert look(510, other) == []
    assert look(570, other) == ["recovered"]
    # It flickers; it is still within the cool-down of what was told.
    assert look(580, table, other) == []


def test_subjects_that_are_gone_are_forgotten() -> None:
    alarms = Alarms()
    for number in range(50):
        one = Reading("jobs", f"job {number}", 0, None, "", False)
        alarms.judge([one], NOW + number, WINDOW_S, COOLDOWN_S)
    assert len(alarms._alarms) == 1


def test_a_restart_knows_what_was_told_and_tells_again_what_did_not_arrive() -> None:
    alarms = Alarms()
    [notice] = judge(alarms, 0, True)[1]
    assert alarms.to_keep({notice.reading.key}) == []
    kept = alarms.to_keep(())
    assert told(Alarms(kept), 10, True) == []
    judge(alarms, 10, False)
    [recovered] = judge(alarms, 70, False)[1]
    waiting = alarms.to_keep({recovered.reading.key})
    restarted = Alarms(waiting)
    judge(restarted, 80, False)
    assert told(restarted, 140, False) == ["recovered"]
    restarted = Alarms(alarms.to_keep(()))
    judge(restarted, 80, False)
    assert told(restarted, 200, False) == []


readings_over_time = st.lists(
    st.tuples(st.floats(0.1, 400), st.sampled_from([True, False, None]), st.booleans()), max_size=80
)


@given(readings_over_time)
def test_never_two_notices_of_one_key_within_a_cool_down_and_each_recovery_once(
    looks: list[tuple[float, bool | None, bool]],
) -> None:
    alarms, now, said = Alarms(), NOW, list[Notice]()
    for step, breached, restart in looks:
        now += step
        if restart:
            alarms = Alarms(alarms.to_keep(()))
        said += alarms.judge([reading(breached)], now, WINDOW_S, COOLDOWN_S)[1]
    firing = [notice.at for notice in said if notice.state == "firing"]
    assert all(later - before >= COOLDOWN_S for before, later in pairwise(firing))
    # Between two recoveries something fired, and what was never told is never over.
    states = [notice.state for notice in said]
    assert states[:1] in ([], ["firing"])
    assert ("recovered", "recovered") not in set(pairwise(states))
    assert all(
        notice.again == (before == "firing")
        for notice, before in zip(said[1:], states, strict=False)
        if notice.state == "firing"
    )
