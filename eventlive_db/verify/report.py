"""A report as JSON, and as Markdown for a release's ticket. Everything from a log in it was redacted before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from eventlive_db.verify.model import GROUPS, Check, Evidence, Report, State, Verdict
from eventlive_db.verify.times import said
from eventlive_db.verify.triggers import MEANING

SENTENCE = {
    Verdict.GO: "Go: every check passed.",
    Verdict.ROLL_BACK: "Roll back.",
    Verdict.COULD_NOT_TELL: "Could not tell: no check failed, and not all of them had something to look at.",
}

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")


def as_dict(report: Report) -> dict[str, Any]:
    """The report for programs. Fields may be added, never removed."""
    return {
        "verdict": report.verdict.name.lower(),
        "exit_status": int(report.verdict),
        "triggers": [trigger.value for trigger in report.triggers],
        "since": _iso(report.since),
        "until": _iso(report.until),
        "without": list(report.without),
        "stopped": report.stopped,
        "checks": [_check(check) for check in report.checks],
        "logs": [
            {
                "file": log.file,
                "sources": list(log.sources),
                "events": log.events,
                "unparsed": log.unparsed,
                "first_at": _iso(log.first_at),
                "last_at": _iso(log.last_at),
            }
            for log in report.logs
        ],
        "thresholds": dict(report.thresholds),
        "notes": list(report.notes),
    }


def _check(check: Check) -> dict[str, Any]:
    return {
        "group": check.group,
        "check": check.name,
        "state": check.state.value.replace(" ", "_"),
        "says": check.says,
        "advice": check.advice,
        "trigger": check.trigger.value if check.trigger and check.state is State.FAILED else None,
        "count": check.count,
        "first": _evidence(check.first),
        "last": _evidence(check.last),
    }


def _evidence(line: Evidence | None) -> dict[str, Any] | None:
    return {"file": line.file, "line": line.line, "at": _iso(line.at), "text": line.text} if line else None


def _iso(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat() if at else None


def lines_of(check: Check) -> Iterator[str]:
    """The offending lines of a check, first and last."""
    for which, line in (("first", check.first), ("last", check.last)):
        if line:
            yield f"{which}: {line.file}:{line.line} {said(line.at)} {line.text}"


def as_markdown(report: Report) -> str:
    """The report for people who were not there."""
    out = [f"# Verification: {report.verdict.name.replace('_', ' ').lower()}", ""]
    out += [SENTENCE[report.verdict], "", f"From {said(report.since)} to {said(report.until)}.", ""]
    if report.stopped:
        out += [f"Ended early by {report.stopped}.", ""]
    if report.triggers:
        out += ["## Rollback triggers", ""]
        out += [f"- `{trigger.value}`: {_plain(MEANING[trigger])}" for trigger in report.triggers] + [""]
    out += ["## Checks", "", "| group | check | state | what was seen |", "|---|---|---|---|"]
    for check in report.checks:
        seen = "<br>".join(map(_plain, (check.says, *lines_of(check), *((check.advice,) if check.advice else ()))))
        out.append(f"| {check.group} | {_plain(check.name)} | {check.state.value} | {seen} |")
    out += [f"| {group} | {GROUPS[group]} | left out | --without {group} |" for group in report.without] + [""]
    if report.logs:
        out += ["## Logs", "", "| file | of | events | not read | from | to |", "|---|---|---|---|---|---|"]
        for log in report.logs:
            times = " | ".join(said(at) if at else "" for at in (log.first_at, log.last_at))
            out.append(f"| {_plain(log.file)} | {', '.join(log.sources)} | {log.events} | {log.unparsed} | {times} |")
        out.append("")
    out += [f"{_plain(note)}\n" for note in report.notes]
    limits = ", ".join(f"{key} {value:g}" for key, value in sorted(report.thresholds.items()))
    return "\n".join([*out, f"Thresholds: {_plain(limits)}.", ""])


def _plain(text: str) -> str:
    """Text that Markdown leaves as it is; a log may hold anything."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
