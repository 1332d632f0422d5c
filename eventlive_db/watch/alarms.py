"""Which readings are alarms, since when, and when that is told.

An alarm fires with the first reading that reaches its threshold, and is over once its readings have been below for one
whole window; a reading without data is not below. One that fires again within a cool-down of its end is over only when
none of its readings was a breach for a whole cool-down, unless it fired for as long without a break.

Whenever one begins to fire it is told, again after each cool-down while it goes on, and when it is over. So whoever
reads the notices alone knows whether it fires, and what flickers is told three times within a cool-down at most.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from eventlive_db.watch.readings import Reading

State = Literal["ok", "firing", "no_data"]
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is known of one rule and subject.

    Attributes:
        rule: Of the reading.
        subject: Of the reading.
        state: ``ok``, ``firing`` or ``no_data``; an alarm that fired stays so while there is no data.
        since: Since when it is in that state, in seconds since 1970.
        breached_since: Of a firing alarm: since when no reading was below; none where the last one was.
        quiet_since: Of a firing alarm: since when no reading was a breach; none where the last one was.
        below_since: Of a firing alarm: since when each reading was below.
        told_at: When it was last told that it fires.
        over_at: When it was last over.
        came_back: Of a firing alarm: whether it began within a cool-down of its last end.
    """

    rule: str
    subject: str
    state: State
    since: float
    breached_since: float | None = None
    quiet_since: float | None = None
    below_since: float | None = None
    told_at: float | None = None
    over_at: float | None = None
    came_back: bool = False

    @property
    def key(self) -> Key:
        """Rule and subject."""
        return self.rule, self.subject


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell somebody.

    Attributes:
        state: ``firing`` or ``recovered``.
        reading: The reading that caused it.
        since: Since when it fires or fired, in seconds since 1970.
        at: When this was noticed.
        again: It was told before, and goes on.
    """

    state: Literal["firing", "recovered", "test"]
    reading: Reading
    since: float
    at: float
    again: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """An alarm that is in another state than before."""

    before: State | None
    alarm: Alarm
    reading: Reading


class Alarms:
    """The alarms of one watch. Judged by one thread."""

    def __init__(self, known: Iterable[Alarm] = ()) -> None:
        self._alarms: dict[Key, Alarm] = {alarm.key: alarm for alarm in known}
        self._confirmed: dict[Key, Alarm] = dict(self._alarms)

    def __getitem__(self, key: Key) -> Alarm:
        return self._alarms[key]

    def judge(
        self, readings: Sequence[Reading], now: float, window_s: float, cooldown_s: float
    ) -> tuple[list[Change], list[Notice]]:
        """Take in the readings of one look.

        A firing alarm of which there is no reading any more, such as that of a dropped table, counts as below, unless
        its rule as a whole has no data.

        Args:
            readings: One for each rule and subject.
            now: Seconds since 1970.
            window_s: How long an alarm's readings have to be below until it is over, in seconds.
            cooldown_s: How long after a notice that an alarm fires it is told that it still does, and how long one that
                came back has to be quiet until it is over, in seconds.

        Returns:
            What changed, and what is to be told.
        """
        changes: list[Change] = []
        notices: list[Notice] = []
        for reading in [*readings, *self._gone(readings)]:
            before = self._alarms.get(reading.key)
            after = _after(before, reading, now, window_s, cooldown_s)
            after, notice = _told(before, after, reading, now, cooldown_s)
            if notice:
                notices.append(notice)
            self._alarms[reading.key] = after
            if before is None or before.state != after.state:
                changes.append(Change(before.state if before else None, after, reading))
        self._forget(readings, now, cooldown_s)
        return changes, notices

    def _gone(self, readings: Sequence[Reading]) -> list[Reading]:
        looked_at = {reading.key for reading in readings}
        unseen = {reading.rule for reading in readings if not reading.subject and reading.value is None}
        rules = {reading.rule for reading in readings} - unseen
        return [
            Reading(alarm.rule, alarm.subject, breached=False, detail="it is not there any more")
            for alarm in self._alarms.values()
            if alarm.state == "firing" and alarm.key not in looked_at and alarm.rule in rules
        ]

    def _forget(self, readings: Sequence[Reading], now: float, cooldown_s: float) -> None:
        """Drop what is over and gone, or tables and jobs that come and go would be remembered for ever."""
        looked_at = {reading.key for reading in readings}
        for key, alarm in list(self._alarms.items()):
            cooled = alarm.over_at is None or now - alarm.over_at >= cooldown_s
            if key not in looked_at and alarm.state != "firing" and alarm.subject and cooled:
                del self._alarms[key]

    def to_keep(self, undelivered: Collection[Key]) -> list[Alarm]:
        """What a restart should know.

        Args:
            undelivered: Alarms with a notice that has not arrived. Of these the last state is given in which all had
                arrived, so that after a restart they are told again rather than not at all.
        """
        for key, alarm in self._alarms.items():
            if key not in undelivered:
                self._confirmed[key] = alarm
        for key in [key for key in self._confirmed if key not in self._alarms and key not in undelivered]:
            del self._confirmed[key]
        return [alarm for alarm in self._confirmed.values() if alarm.state == "firing" or alarm.told_at is not None]


def _after(before: Alarm | None, reading: Reading, now: float, window_s: float, cooldown_s: float) -> Alarm:
    """The alarm after a reading, whatever is told of it."""
    alarm = before or Alarm(reading.rule, reading.subject, "no_data", now)
    if reading.breached:
        return _breached(alarm, now, cooldown_s)
    if alarm.state == "firing":
        return _not_breached(alarm, reading, now, window_s, cooldown_s)
    state: State = "no_data" if reading.breached is None else "ok"
    return alarm if before and alarm.state == state else replace(alarm, state=state, since=now)


def _breached(alarm: Alarm, now: float, cooldown_s: float) -> Alarm:
    if alarm.state != "firing":
        came_back = alarm.over_at is not None and now - alarm.over_at < cooldown_s
        return replace(alarm, state="firing", since=now, breached_since=now, came_back=came_back)
    since = now if alarm.breached_since is None else alarm.breached_since
    return replace(alarm, breached_since=since, quiet_since=None, below_since=None)


def _not_breached(alarm: Alarm, reading: Reading, now: float, window_s: float, cooldown_s: float) -> Alarm:
    if reading.breached is None:
        return replace(alarm, below_since=None)
    if alarm.breached_since is not None:
        # What lasted so long does not flicker.
        came_back = alarm.came_back and now - alarm.breached_since < cooldown_s
        alarm = replace(alarm, breached_since=None, quiet_since=now, came_back=came_back)
    below_since = now if alarm.below_since is None else alarm.below_since
    quiet_since = now if alarm.quiet_since is None else alarm.quiet_since
    if now - below_since < window_s or (alarm.came_back and now - quiet_since < cooldown_s):
        return replace(alarm, below_since=below_since, quiet_since=quiet_since)
    return Alarm(alarm.rule, alarm.subject, "ok", now, told_at=alarm.told_at, over_at=now)


def _told(
    before: Alarm | None, after: Alarm, reading: Reading, now: float, cooldown_s: float
) -> tuple[Alarm, Notice | None]:
    """The alarm with what is told of it now, and the notice."""
    fired = before is not None and before.state == "firing"
    if after.state == "firing":
        silent = fired and after.told_at is not None and now - after.told_at < cooldown_s
        if not reading.breached or silent:
            return after, None
        return replace(after, told_at=now), Notice("firing", reading, after.since, now, again=fired)
    if before is not None and fired:
        return after, Notice("recovered", reading, before.since, now)
    return after, None


def as_plain(alarm: Alarm) -> Mapping[str, object]:
    """As JSON has it."""
    return asdict(alarm)
