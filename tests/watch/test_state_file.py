"""What survives a restart."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from eventlive_db.watch.alarms import Alarm
from eventlive_db.watch.errors import WatchError
from eventlive_db.watch.state_file import read_state, write_state
from tests.watch.made_up import NOW

ALARM = Alarm(
    "jobs", "ünïc", "firing", NOW - 10, None, NOW - 5, NOW - 5, told_at=NOW - 10, over_at=NOW - 20, came_back=True
)


def test_what_is_written_is_read_and_no_other_file_is_left(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    assert read_state(path, NOW) == []
    write_state(path, [ALARM])
    [found] = read_state(path, NOW)
    # Nobody looked while it was down, unless each run is one look.
    assert found == replace(ALARM, below_since=None)
    assert read_state(path, NOW, single_looks=True) == [ALARM]
    assert list(tmp_path.iterdir()) == [path]


def test_times_that_lie_ahead_count_as_now(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_state(path, [ALARM])
    [found] = read_state(path, NOW - 100_000)
    assert (found.since, found.told_at) == (NOW - 100_000, NOW - 100_000)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"version": 2, "alarms": []}',
        '{"version": 1, "alarms": [{}]}',
        '{"version": 1, "alarms": [[]]}',
        "[" * 5000,
        *(
            json.dumps({"version": 1, "alarms": [asdict(ALARM) | wrong]})
            for wrong in ({"rule": 1}, {"since": "x"}, {"over_at": True}, {"came_back": 1}, {"state": "fine"})
        ),
    ],
)
def test_what_is_no_state_is_refused_and_left_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(content)
    with pytest.raises(WatchError, match="Remove it"):
        read_state(path, NOW)
    assert path.read_text() == content


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(WatchError, match="cannot be written"):
        write_state(tmp_path / "no" / "state.json", [])
    with pytest.raises(WatchError, match="cannot be read"):
        read_state(tmp_path, NOW)
