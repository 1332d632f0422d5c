"""DoD-1 and DoD-2, from the logs of Postgres, or as far as the front door's can tell."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from eventlive_db.verify.findings import Findings
from eventlive_db.verify.model import Check, State, no_data, passed
from eventlive_db.verify.rates import Offences, Window, unexplained
from eventlive_db.verify.thresholds import Thresholds
from eventlive_db.verify.times import said
from eventlive_db.verify.triggers import Trigger

POSTGRES = ("postgres",)
FRONT = ("postgrest", "gateway")


@dataclass(frozen=True, slots=True)
class Judged:
    """What the checks are made with.

    Attributes:
        findings: What was read.
        window: What is judged.
        now: The present moment, by which a log from the future is known.
        limits: What is too much.
        silent_errors: Why the server logs no errors, if it does not.
    """

    findings: Findings
    window: Window
    now: datetime
    limits: Thresholds
    silent_errors: str | None = None

    def failed(self, group: str, name: str, trigger: Trigger, says: str, offences: Offences, advice: str) -> Check:
        """A check that found offending lines."""
        first, last = offences.evidence()
        return Check(group, name, State.FAILED, says, advice, trigger, offences.total, first, last)

    def unless_blind(self, group: str, name: str, says: str, sources: Collection[str], count: int = 0) -> Check:
        """A pass, unless finding nothing in these logs proves nothing."""
        doubts = self.findings.book.doubts(sources, self.window, self.limits)
        if self.silent_errors and "postgres" in sources:
            doubts.append(self.silent_errors)
        if sources == FRONT:
            if not self.findings.answers:
                doubts.append("the log has no answer below 500: PostgREST's log-level has to be warn or info")
            if not any(seen.every.within(self.window) for seen in self.findings.front.values()):
                doubts.append(f"there is no answer from {said(self.window.since)} to {said(self.window.until)}")
        if doubts:
            return no_data(group, name, "; ".join(doubts), "Give whole logs, from --since to the end.")
        return passed(group, name, says, count)

    def reaches_back(self, source: str) -> bool:
        """Whether the log has as long a time before the window as in it, so that the two can be compared."""
        begins = self.findings.book.begins([source])
        return begins is not None and begins <= self.window.before().since

    def ahead(self, group: str, name: str, sources: Collection[str]) -> Check | None:
        """Where a log is of another time, that nothing can be told from it."""
        if said := self.findings.book.is_ahead(sources, self.now, self.limits):
            return no_data(group, name, said, "Correct log_timezone or the clock; or give the log's own zone.")
        return None


def missing_columns(judged: Judged) -> Iterator[Check]:
    """DoD-1: nothing names what is not there."""
    book = judged.findings.book
    if book.has(*POSTGRES):
        yield _missing_in_postgres(judged)
    if book.has(*FRONT):
        yield _bad_requests(judged)
    elif not book.has(*POSTGRES):
        yield no_data("dod-1", "missing columns", nothing(judged), "Give Postgres's log, or PostgREST's: --log FILE.")


def _missing_in_postgres(judged: Judged) -> Check:
    name, offences = "missing columns", judged.findings.missing
    if ahead := judged.ahead("dod-1", name, POSTGRES):
        return ahead
    if offences.total:
        says = f"{offences.total} errors 42703, 42P01 or 42883 in Postgres's log"
        advice = "Roll back what was released last; eventlive-db lint finds the reference."
        return judged.failed("dod-1", name, Trigger.MISSING_COLUMN_400, says, offences, advice)
    return judged.unless_blind("dod-1", name, "no error 42703, 42P01 or 42883 in Postgres's log", POSTGRES)


def _bad_requests(judged: Judged) -> Check:
    """The front door does not say why it answered 400: many are the alert, few pass where Postgres's log says why.

    PostgREST refuses by itself what its schema cache does not have (PGRST204): of that Postgres's log has nothing.
    """
    name, window = "HTTP 400", judged.window
    if ahead := judged.ahead("dod-1", name, FRONT):
        return ahead
    # A request is a line in PostgREST's log and in that of a gateway before it; it counts once.
    offences = max(judged.findings.bad_requests.values(), key=lambda one: one.total, default=Offences())
    peak = offences.rate.peak_per_minute(window.since, window.until)
    if offences.total and peak >= judged.limits.http_400_per_min:
        limit = f"from {judged.limits.http_400_per_min:g} it is an alert"
        says = f"{peak} answers 400 in a minute, {offences.total} in all; {limit}"
        advice = "See Postgres's log for why; roll back if it began with the release."
        return judged.failed("dod-1", name, Trigger.HTTP_400_RATE, says, offences, advice)
    causes = judged.findings.causes_of_400
    if alone := unexplained(offences.rate, causes, window.since, window.until):
        first, last = offences.evidence()
        says = f"{offences.total} answers 400, and this log does not say why"
        advice = "Give Postgres's log too: --log FILE."
        if judged.findings.book.has(*POSTGRES):
            says = f"{offences.total} answers 400, and Postgres's log has no error for {alone} of them"
            advice = (
                "PostgREST refused them itself: a column that is not there (PGRST204), or a request that it cannot"
                " read. What it answers to one of them says which."
            )
        return Check("dod-1", name, State.NO_DATA, says, advice, count=offences.total, first=first, last=last)
    return judged.unless_blind(
        "dod-1", name, f"{offences.total} answers 400, at most {peak} a minute", FRONT, offences.total
    )


def duplicate_keys(judged: Judged) -> Iterator[Check]:
    """DoD-2: registering is idempotent, and nothing else storms either."""
    book = judged.findings.book
    if book.has(*POSTGRES):
        yield _incident(judged)
        yield _storm(judged)
    elif book.has(*FRONT):
        yield _conflicts(judged)
    else:
        yield no_data("dod-2", "duplicate keys", nothing(judged), "Give Postgres's log, or PostgREST's: --log FILE.")


def _incident(judged: Judged) -> Check:
    name, offences = "registrations_pkey", judged.findings.incident
    if ahead := judged.ahead("dod-2", name, POSTGRES):
        return ahead
    if offences.total:
        says = f"{offences.total} duplicate keys on registrations_pkey, where one is too many"
        advice = "Something inserts registrations by itself, as no function of the contract does: roll it back."
        return judged.failed("dod-2", name, Trigger.DUPLICATE_REGISTRATION, says, offences, advice)
    return judged.unless_blind("dod-2", name, "no duplicate key on registrations_pkey", POSTGRES)


def _storm(judged: Judged) -> Check:
    name, offences = "other duplicate keys", judged.findings.duplicates
    if ahead := judged.ahead("dod-2", name, POSTGRES):
        return ahead
    peak = offences.rate.peak_per_minute(judged.window.since, judged.window.until)
    if peak >= judged.limits.http_409_per_min:
        limit = f"from {judged.limits.http_409_per_min:g} it is a storm"
        says = f"{peak} duplicate keys in a minute, {offences.total} in all; {limit}"
        return judged.failed(
            "dod-2", name, Trigger.DUPLICATE_KEY_STORM, says, offences, "Roll back what was released last."
        )
    says = f"{offences.total} other duplicate keys, at most {peak} a minute"
    return judged.unless_blind("dod-2", name, says, POSTGRES, offences.total)


def _conflicts(judged: Judged) -> Check:
    """By the front door alone: a 409 of ``webinar_enter`` is a second login, one of another path a duplicate key."""
    name, offences = "HTTP 409", judged.findings.http_duplicates
    if ahead := judged.ahead("dod-2", name, FRONT):
        return ahead
    peak = offences.rate.peak_per_minute(judged.window.since, judged.window.until)
    if peak >= judged.limits.http_409_per_min:
        limit = f"from {judged.limits.http_409_per_min:g} it is a storm"
        says = f"{peak} answers 409 in a minute that are no second login; {limit}"
        return judged.failed(
            "dod-2", name, Trigger.DUPLICATE_KEY_STORM, says, offences, "Roll back what was released last."
        )
    if offences.total:
        first, last = offences.evidence()
        says = f"{offences.total} answers 409 that are no second login, and this log does not say of which key"
        advice = "Give Postgres's log too: --log FILE."
        return Check("dod-2", name, State.NO_DATA, says, advice, count=offences.total, first=first, last=last)
    return judged.unless_blind("dod-2", name, "no answer 409 but of the contract's own", FRONT)


def nothing(judged: Judged, otherwise: str = "no log of Postgres or PostgREST") -> str:
    """Why there is no log of the kind that is needed: none was given, or none that could be read."""
    files = judged.findings.book.files.values()
    problems = [file.problem or f"no line could be read of {file.name}" for file in files if not file.spans]
    return "; ".join(problems) or otherwise
