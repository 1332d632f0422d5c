"""What survives a restart of the watch, so that it tells nothing twice."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eventlive_db.watch.alarms import Alarm, as_plain
from eventlive_db.watch.errors import WatchError

_VERSION = 1
_MAX_BYTES = 10_000_000
_TIMES = ("breached_since", "quiet_since", "below_since", "told_at", "over_at")


def read_state(path: Path, now: float, *, single_looks: bool = False) -> list[Alarm]:
    """The alarms of the last run; none where there is no file.

    Times that lie ahead, as after a clock was set back, count as now: an alarm is never silent for longer than its
    cool-down.

    Args:
        path: The file.
        now: Seconds since 1970.
        single_looks: Each run is one look, as of cron. Else how long an alarm was below is not taken over: nobody
            looked meanwhile.

    Raises:
        WatchError: The file cannot be read, or is none of this watch.
    """
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(_MAX_BYTES))
        if content["version"] != _VERSION:
            raise ValueError
        return [_alarm(found, now, single_looks) for found in content["alarms"]]
    except FileNotFoundError:
        return []
    except OSError as error:
        msg = f"the state {path} cannot be read: {error.strerror}"
        raise WatchError(msg, "Name a file that this user may write", token="bad_state") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        msg = f"{path} is no state of this watch"
        raise WatchError(msg, "Remove it: firing alarms are then told once more", token="bad_state") from None


def write_state(path: Path, alarms: Sequence[Alarm]) -> None:
    """Replace the file as a whole.

    Raises:
        WatchError: It cannot be written.
    """
    write_whole(path, json.dumps({"version": _VERSION, "alarms": [as_plain(alarm) for alarm in alarms]}) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Write a file; whoever reads meanwhile, or after a crash, sees the old one or the new one, whole.

    Raises:
        WatchError: It cannot be written.
    """
    # Ends in .tmp, which a collector of *.prom files leaves alone.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            with temporary.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise WatchError(msg, "Name a file in a folder that this user may write to", token="not_writable") from None


def _alarm(found: Any, now: float, single_looks: bool) -> Alarm:
    if found["state"] not in {"ok", "firing", "no_data"} or not isinstance(found["came_back"], bool):
        raise ValueError
    times = {name: None if found[name] is None else _time(found[name], now) for name in _TIMES}
    if not single_looks:
        times["below_since"] = None
    return Alarm(
        rule=_text(found["rule"]),
        subject=_text(found["subject"]),
        state=found["state"],
        since=_time(found["since"], now),
        came_back=found["came_back"],
        **times,
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _time(value: object, now: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError
    return min(value, now)
