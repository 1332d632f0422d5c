"""What was seen where Realtime was cut, and whether that will do."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt

from eventlive_db.load.percentiles import percentile
from eventlive_db.load.results_parts import COMPUTED, MEASURED, SAMPLED, Mark
from eventlive_db.load.scenarios.figures import (
    BEAT,
    CALL_LIMIT_S,
    PING,
    PING_LIMIT_S,
    POLL,
    latency_mark,
    status_mark,
)
from eventlive_db.load.scenarios.ledger import worst_window
from eventlive_db.load.scenarios.people import Hall
from eventlive_db.load.scenarios.reading import Post, reading_mark
from eventlive_db.load.scenarios.run import Run

RETRY_AFTER_S = 300.0
WINDOW_S = 60.0
SIGMAS, JITTER = 4.0, 0.02
"""How far a part of the audience that is sampled may stray from the whole."""


@dataclass(slots=True)
class Cut:
    """What was seen.

    Attributes:
        hall: The webinar, with its visits.
        audience: Viewers in all, those included of whom the database has no more than a row.
        target: Polls a second that the webinar may cost, of the scenario.
        interval_s: What clients are told at this audience, in seconds of the scenario.
        early: Whether Realtime is cut as the door closes too.
        cut_at, off_at, back_at: When Realtime went, polling was switched off, and Realtime came back; in seconds.
        early_at, calm_at: When it went for the first time, and when it was back from that.
        posted: The messages.
        open: Sessions that were open as Realtime came back, of those who were still in then.
        still_in: Those who were.
        paced: What clients would be told at other audiences.
    """

    hall: Hall
    audience: int
    target: float
    interval_s: float
    early: bool = False
    cut_at: float = 0.0
    off_at: float = 0.0
    back_at: float = 0.0
    early_at: float = 0.0
    calm_at: float = 0.0
    posted: list[Post] = field(default_factory=list)
    open: int = 0
    still_in: int = 0
    paced: dict[int, float] = field(default_factory=dict)


def polls_of(run: Run, cut: Cut) -> list[float]:
    """When there were polls while Realtime was away, in seconds since the beginning of the run."""
    return [call.at for call in run.ledger.select([POLL], since=cut.cut_at, until=cut.off_at)]


def _ceiling(run: Run, cut: Cut, polls: list[float], when: str, note: str, least: int = 1) -> Mark:
    """That so many polls are no more than there may be, and no fewer than shows that there were any."""
    times = cut.audience / run.plan.viewers
    worst = worst_window(polls, run.plan.real_s(WINDOW_S)) / WINDOW_S * times
    expected = cut.target * WINDOW_S / times
    allowed = cut.target * (1 + SIGMAS / sqrt(max(expected, 1)) + JITTER)
    return Mark(
        f"polls a second of {cut.audience:,} viewers, {when}in the worst minute",
        f"<= {cut.target:g}, {allowed:.0f} where the sample strays",
        f"{worst:.1f}",
        len(polls) >= least and worst <= allowed,
        MEASURED if cut.audience <= run.plan.viewers else SAMPLED,
        f"{len(polls):,} polls of {run.plan.viewers:,} viewers; {note}",
    )


def marks_of(run: Run, cut: Cut) -> list[Mark]:
    """The pass marks."""
    plan, ledger, hall = run.plan, run.ledger, cut.hall
    off_s = (cut.back_at - cut.off_at) * plan.speed
    off = ledger.select([POLL], since=cut.off_at, until=cut.back_at)
    most_off = plan.viewers * (1 + off_s / (0.9 * max(RETRY_AFTER_S, cut.interval_s)))
    others = [call for call in ledger.done if not (call.function == POLL and call.token == "fallback_disabled")]
    marks = [
        _ceiling(run, cut, polls_of(run, cut), "", f"told to poll each {cut.interval_s:.0f} s"),
        *([_early(run, cut)] if cut.early else []),
        status_mark(others),
        *(
            latency_mark(
                ledger.select([function], since=cut.cut_at, until=cut.off_at), f"{name} while Realtime is away", limit
            )
            for function, name, limit in (
                (PING, "ping", PING_LIMIT_S),
                (BEAT, "heartbeat", CALL_LIMIT_S),
                (POLL, "poll", CALL_LIMIT_S),
            )
        ),
        _slower(run, cut),
        Mark(
            "sessions of those who watch that are open as Realtime comes back",
            f"{cut.still_in:,}",
            f"{cut.open:,}",
            0 < cut.still_in == cut.open,
        ),
        reading_mark(cut.posted, [(one.polls, one.received) for one in hall.came]),
        Mark(
            "polls once they are switched off",
            f"<= {most_off:,.0f} in {off_s:.0f} s",
            f"{len(off):,}",
            len(off) <= most_off and all(call.status == 429 for call in off if call.at > cut.off_at + 1),
            note="each answered with 429, and when to come back",
        ),
    ]
    rates = {audience: audience / seconds for audience, seconds in cut.paced.items()}
    marks.append(
        Mark(
            "polls a second as clients are told, at each audience",
            f"<= {cut.target:g}",
            ", ".join(f"{rate:.0f} at {audience:,}" for audience, rate in sorted(rates.items())),
            all(rate <= cut.target * 1.001 for rate in rates.values()),
            COMPUTED,
        )
    )
    return marks


def _early(run: Run, cut: Cut) -> Mark:
    polls = [call.at for call in run.ledger.select([POLL], since=cut.early_at, until=cut.calm_at)]
    beaten = len(run.ledger.select([BEAT], until=cut.early_at))
    return _ceiling(run, cut, polls, "where Realtime is cut as the door closes, ", f"{beaten:,} had beaten", least=0)


def _slower(run: Run, cut: Cut) -> Mark:
    """What the polls do to the rest."""
    hot = (PING, BEAT)
    before = percentile([call.took for call in run.ledger.select(hot, since=cut.calm_at, until=cut.cut_at)], 95)
    after = percentile([call.took for call in run.ledger.select(hot, since=cut.cut_at, until=cut.off_at)], 95)
    said = "no call" if before is None or after is None else f"{after / before:.2f}"
    return Mark(
        "pings and heartbeats, 95th percentile beside polls over that without",
        "told",
        said,
        before is not None and after is not None,
        note=None if before is None or after is None else f"{before * 1000:.1f} and {after * 1000:.1f} ms",
    )
