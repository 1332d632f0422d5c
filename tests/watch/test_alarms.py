"""When an alarm fires, is told, and is over."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
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


def test_what_comes_back_after_its_end_was_told_is_told_at_once() -> None:
    alarms = Alarms()
    said = [
        (at, notice.state, notice.again)
        for at in range(0, 3000, 10)
        for notice in judge(alarms, at, at < 30 or 200 <= at < 800)[1]
    ]
    # The second end waits for a whole cool-down without a breach.
    assert said == [(0, "firing", False), (90, "recovered", False), (200, "firing", False), (1700, "recovered", False)]


def test_what_fires_and_is_over_again_and_again_is_told_to_go_on_until_it_is_quiet_for_a_cool_down() -> None:
    alarms = Alarms()
    said = [
        (at, notice.state, notice.again)
        for at in range(0, 7200, 10)
        for notice in judge(alarms, at, at < 3600 and at % 120 < 30)[1]
    ]
    assert said == [
        (0, "firing", False),
        (90, "recovered", False),
        (120, "firing", False),
        (1080, "firing", True),
        (2040, "firing", True),
        (3000, "firing", True),
        (4410, "recovered", False),
    ]


def test_an_end_of_what_fired_for_a_whole_cool_down_is_told_after_a_window_although_it_came_back() -> None:
    alarms = Alarms()
    judge(alarms, 0, True)
    judge(alarms, 10, False)
    assert told(alarms, 70, False) == ["recovered"]
    assert told(alarms, 80, True) == ["firing"]
    assert told(alarms, 980, True) == ["firing"]
    judge(alarms, 990, False)
    assert told(alarms, 1049, False) == []
    assert told(alarms, 1050, False) == ["recovered"]


def test_what_is_quiet_for_a_cool_down_after_its_end_has_a_new_beginning() -> None:
    alarms = Alarms()
    for begin in (0, 70 + COOLDOWN_S):
        assert told(alarms, begin, True) == ["firing"]
        judge(alarms, begin + 10, False)
        assert told(alarms, begin + 70, False) == ["recovered"]


def test_a_gap_in_the_data_does_not_begin_the_wait_for_quiet_anew_but_the_window() -> None:
    alarms = Alarms()
    judge(alarms, 0, True)
    judge(alarms, 10, False)
    judge(alarms, 70, False)
    assert told(alarms, 80, True) == ["firing"]
    judge(alarms, 90, False)
    judge(alarms, 980, None)
    judge(alarms, 985, False)
    assert told(alarms, 1044, False) == []
    assert told(alarms, 1045, False) == ["recovered"]


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
    # It is there again, although it was forgotten by everybody else.
    assert look(580, table, other) == ["firing"]
    assert look(590, other) == []
    assert look(700, other) == []
    assert look(590 + COOLDOWN_S, other) == ["recovered"]


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
    st.tuples(st.integers(1, 400), st.sampled_from([True, False, False, None]), st.booleans()), min_size=20, max_size=80
)


@settings(max_examples=150)
@given(readings_over_time)
def test_whoever_reads_the_notices_alone_knows_of_each_breach_and_is_told_three_times_a_cool_down_at_most(
    looks: list[tuple[int, bool | None, bool]],
) -> None:
    alarms, now, said = Alarms(), NOW, list[Notice]()
    last_breach = float("-inf")
    for step, breached, restart in looks:
        now += step
        if restart:
            alarms = Alarms(alarms.to_keep(()))
        fresh = alarms.judge([reading(breached)], now, WINDOW_S, COOLDOWN_S)[1]
        said += fresh
        if breached:
            last_breach = now
            assert said[-1].state == "firing"
        if [notice.state for notice in fresh] == ["recovered"]:
            assert now - last_breach > WINDOW_S
        assert not said or (alarms["http_400", ""].state == "firing") == (said[-1].state == "firing")
    times = [notice.at for notice in said]
    assert all(fourth - first >= COOLDOWN_S for first, fourth in zip(times, times[3:], strict=False))
    # Each end is told once, and what was never told is never over.
    states = [notice.state for notice in said]
    assert states[:1] in ([], ["firing"])
    assert ("recovered", "recovered") not in set(pairwise(states))
    assert all(
        notice.again == (before == "firing")
        for notice, before in zip(said[1:], states, strict=False)
        if notice.state == "firing"
    )
    # Once it is quiet, that is told after a cool-down and a window at most.
    for _ in range(int((COOLDOWN_S + WINDOW_S) / WINDOW_S) + 1):
        now += WINDOW_S
        said += alarms.judge([reading(False)], now, WINDOW_S, COOLDOWN_S)[1]
    assert not said or said[-1].state == "recovered"
