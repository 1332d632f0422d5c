"""Whether calls succeed: enough of them, as large a part as before, each function, from the begin to the end.

What is not answered, or refused with a status that no other check counts, is seen here alone. Parts are compared and
hardly ever numbers, since a webinar that ends leaves fewer calls.
"""

from __future__ import annotations

from collections.abc import Iterator

from eventlive_db.verify.answers import Answers, Calls
from eventlive_db.verify.log_checks import FRONT, Judged
from eventlive_db.verify.model import WORSE, Check, State
from eventlive_db.verify.rates import Window, longest_pause
from eventlive_db.verify.times import lasting, said
from eventlive_db.verify.triggers import Trigger

NAME = "HTTP 2xx"

ENOUGH = 10
"""Fewer successes show nothing."""

FEW = 20
"""Fewer calls have no part worth comparing; so many successes should have been followed by others."""

MANY = 50
"""So many calls, of one function or in a part of the window, show how it does."""

LEAST_PART = 0.5
"""Where no more than this part of all calls succeeds, nobody says go."""

KEPT = 0.75
"""Of the part that succeeded before the release this much has to be left."""

KEPT_BY_EACH = 0.5
"""The same for one function: of entering, strangers are a changing part."""

FALLEN = 0.25
"""A function that kept less of its part is broken, if the number has halved too."""

FADED = 0.05
"""Where so little is left of the number, a webinar may have ended, or clients do not get through."""

SLICES = 6
"""The window is looked at in so many parts too: what was well in the beginning need not be so in the end."""


def successes(judged: Judged) -> Check:
    """The check, over PostgREST's and a gateway's log, of which the worse counts."""
    if ahead := judged.ahead("answers", NAME, FRONT):
        return ahead
    front = judged.findings.front
    # A log whose level leaves successes out is beside the point where another has them.
    telling = {source: seen for source, seen in front.items() if seen.successes} or front
    found = [_judge(judged, source, seen) for source, seen in telling.items()]
    return max(found, key=lambda check: WORSE[check.state])


def _judge(judged: Judged, source: str, seen: Answers) -> Check:
    window = judged.window
    before = window.before() if judged.reaches_back(source) else None
    says = _summary(seen.all_calls, window, before)
    if before and (broken := list(_broken(seen, window, before))):
        advice = "See in PostgREST's log what they are answered; roll back if it began with the release."
        said_of = "; ".join((says, *(text for _, text in broken)))
        return judged.failed("answers", NAME, Trigger.SUCCESSES_FELL, said_of, broken[0][0].refused, advice)
    doubts = [*_doubts(seen, window, before), *_pauses(judged, seen)]
    refused = seen.all_calls.refused
    if not doubts:
        return judged.unless_blind("answers", NAME, says, FRONT, refused.total)
    first, last = refused.evidence()
    advice = "Look at a time with calls, in a whole log that has successes too; try it for real: --canary."
    says = "; ".join((says, *doubts))
    return Check("answers", NAME, State.NO_DATA, says, advice, count=refused.total, first=first, last=last)


def _part(calls: Calls, window: Window) -> float:
    tried = calls.tried.within(window)
    return calls.well.within(window) / tried if tried else 0.0


def _summary(calls: Calls, window: Window, before: Window | None) -> str:
    says = f"{calls.well.within(window)} of {calls.tried.within(window)} calls succeeded"
    if calls.tried.within(window):
        says += f" ({_part(calls, window):.1%})"
    if before and (earlier := calls.tried.within(before)):
        says += f", {_part(calls, before):.1%} of {earlier} before the release"
    return says


def _broken(seen: Answers, window: Window, before: Window) -> Iterator[tuple[Calls, str]]:
    """Functions that worked before and hardly do now: each by itself, since what is called changes with the hour."""
    for name, calls in sorted(seen.calls.items()):
        tried, well, earlier = calls.tried.within(window), calls.well.within(window), calls.well.within(before)
        if min(tried, earlier) < MANY or well >= earlier / 2:
            continue
        if _part(calls, window) < FALLEN * _part(calls, before):
            yield calls, f"{name}: {well} of {tried}, {_part(calls, before):.1%} before the release"


def _doubts(seen: Answers, window: Window, before: Window | None) -> Iterator[str]:
    """Why nobody can say that calls are answered."""
    calls = seen.all_calls
    well = calls.well.within(window)
    if well < ENOUGH:
        yield f"fewer than {ENOUGH} show nothing"
    elif _part(calls, window) <= LEAST_PART:
        yield "that is no more than half"
    if before:
        yield from _less_than_before(calls, window, before)
    for name, one in sorted(seen.calls.items()):
        if reason := _doubt_of(one, window, before):
            yield f"{name}: {reason}"
    for number in range(SLICES):
        length = window.length / SLICES
        slice_ = Window(window.since + number * length, window.since + (number + 1) * length)
        if calls.tried.within(slice_) >= MANY and _part(calls, slice_) <= LEAST_PART:
            yield f"from {said(slice_.since)} to {said(slice_.until)} {_part(calls, slice_):.1%}"
            return


def _less_than_before(calls: Calls, window: Window, before: Window) -> Iterator[str]:
    well, earlier = calls.well.within(window), calls.well.within(before)
    comparable = min(calls.tried.within(window), calls.tried.within(before)) >= FEW
    if comparable and _part(calls, window) < KEPT * _part(calls, before):
        yield "that is a smaller part than before"
    if FADED * earlier > max(well, ENOUGH):
        yield f"{earlier} succeeded before: has a webinar ended, or do clients not get through?"


def _doubt_of(calls: Calls, window: Window, before: Window | None) -> str:
    """The same for one function; empty for none."""
    tried, well = calls.tried.within(window), calls.well.within(window)
    whole = tried + calls.expected.within(window)
    if not well and whole >= FEW:
        return f"none of {whole}"
    if before and min(tried, calls.tried.within(before)) >= FEW:
        now, earlier = _part(calls, window), _part(calls, before)
        if now < KEPT_BY_EACH * earlier:
            return f"{now:.1%} of {tried}, {earlier:.1%} before the release"
    return ""


def _pauses(judged: Judged, seen: Answers) -> Iterator[str]:
    window = judged.window
    if found := longest_pause(seen.all_calls.well, window, judged.limits.pause_in(window), FEW):
        begin, length, before = found
        lasted = lasting(length.total_seconds())
        yield f"none succeeded for {lasted} from {said(begin)} on, and {before} did in as long a time before"
