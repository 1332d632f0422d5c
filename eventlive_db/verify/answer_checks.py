"""Bad answers at the front door: 5xx, 404 and 401, by number, by part of all, and as before; then successes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from eventlive_db.verify.answers import Answers, Bad
from eventlive_db.verify.log_checks import FRONT, Judged, nothing
from eventlive_db.verify.model import WORSE, Check, State, no_data
from eventlive_db.verify.success_checks import successes
from eventlive_db.verify.triggers import Trigger


@dataclass(frozen=True, slots=True)
class _Rule:
    """What too many answers of a kind come to.

    Attributes:
        setting: Holds how many a minute are an alarm.
        trigger: What too many fire.
        life: Whether the contract itself answers so: then as many as before are not the release's doing.
        advice: What to do about it.
    """

    setting: str
    trigger: Trigger
    life: bool
    advice: str


_RULES: Mapping[Bad, _Rule] = {
    Bad.SERVER_ERROR: _Rule(
        "alert_http_5xx_per_min",
        Trigger.SERVER_ERRORS,
        False,
        "See Postgres's and PostgREST's logs for why; roll back if it began with the release.",
    ),
    Bad.NOT_FOUND: _Rule(
        "alert_http_404_per_min",
        Trigger.FUNCTIONS_NOT_FOUND,
        True,
        "A function is gone, or PostgREST does not know it yet: notify pgrst, 'reload schema'; else roll back.",
    ),
    Bad.UNAUTHORIZED: _Rule(
        "alert_http_401_per_min",
        Trigger.UNAUTHORIZED,
        True,
        "See the settings jwt_issuer and jwt_audience, PostgREST's secret, and what anon may call; else roll back.",
    ),
}


def answers(judged: Judged) -> Iterator[Check]:
    """The checks; one each over PostgREST's and a gateway's log, of which the worse counts."""
    if not judged.findings.front:
        advice = "Give PostgREST's log, or a gateway's: --log FILE; or --without answers."
        says = nothing(judged, "no log of PostgREST, nor of a gateway with calls to it")
        yield no_data("answers", "answers", says, advice)
        return
    for kind, rule in _RULES.items():
        if ahead := judged.ahead("answers", kind.value, FRONT):
            yield ahead
            continue
        found = [_judge(judged, source, seen, kind, rule) for source, seen in judged.findings.front.items()]
        yield max(found, key=lambda check: (WORSE[check.state], check.count or 0))
    yield successes(judged)


def _judge(judged: Judged, source: str, seen: Answers, kind: Bad, rule: _Rule) -> Check:
    limits, window, offences = judged.limits, judged.window, seen.offences[kind]
    number, every = offences.total, seen.every.within(window)
    peak = offences.rate.peak_per_minute(window.since, window.until)
    # A log without successes is none of all answers: its level leaves them out.
    share = number / every if every and seen.successes else None
    of = f" of {every} ({share:.1%})" if share is not None else ""
    says = f"{number} answers{of}, at most {peak} a minute"
    if share is None:
        suspicious, large = number >= limits.bad_few, False
    else:
        suspicious = share >= (limits.bad_share if number >= limits.bad_few else limits.bad_part_of_few)
        large = every >= limits.bad_least and (peak >= limits.bad_floor_per_min or share >= limits.bad_most)
    alarm = number > 0 and peak >= limits.settings[rule.setting]
    too_many = alarm or (suspicious and large)
    if not too_many and not suspicious:
        return judged.unless_blind("answers", kind.value, says, FRONT, number)
    before = _share_before(judged, source, seen, kind) if share is not None and rule.life else None
    if before is not None:
        says += f"; {before:.1%} before the release"
    as_before = before is not None and share is not None and share < limits.bad_growth * before
    # An alarm that was one before is no go.
    if as_before and not too_many:
        return judged.unless_blind("answers", kind.value, says, FRONT, number)
    if too_many and not as_before:
        return judged.failed("answers", kind.value, rule.trigger, says, offences, rule.advice)
    first, last = offences.evidence()
    return Check("answers", kind.value, State.NO_DATA, says, rule.advice, count=number, first=first, last=last)


def _share_before(judged: Judged, source: str, seen: Answers, kind: Bad) -> float | None:
    """Which part of all they were in the time of the same length before, where the log reaches back so far."""
    before = judged.window.before()
    every = seen.every.within(before)
    return seen.rates[kind].within(before) / every if every and judged.reaches_back(source) else None
