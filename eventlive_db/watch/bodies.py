"""What is posted: bodies as Slack, Discord and anybody else take them.

Sources: Slack's manual, "Incoming webhooks" and "Formatting message text"; Discord's manual, "Execute webhook".
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate, takewhile
from typing import Any

from eventlive_db.watch.alarms import Notice
from eventlive_db.watch.readings import Reading
from eventlive_db.watch.webhook import Webhook

SIGNATURE_HEADER = "X-Eventlive-Signature"
"""``sha256=`` and the HMAC-SHA256 of the body, in hexadecimal digits."""

_DETAIL_MAX = 500
_WORDS: Mapping[str, str] = {"firing": "FIRING", "recovered": "recovered", "test": "test"}


def request_of(webhook: Webhook, notices: Sequence[Notice], watching: str = "") -> tuple[bytes, dict[str, str]]:
    """The body to post, and its headers.

    Args:
        webhook: Where it goes.
        notices: What is told: as many as :func:`how_many` says, at most.
        watching: What is watched, such as ``production``; may be empty.
    """
    content: dict[str, Any]
    if webhook.kind == "generic":
        [notice] = notices
        content = as_plain(notice, watching)
    else:
        longest, _ = _PEOPLE[webhook.kind]
        text = _fit("\n".join(_lines(webhook, notices, watching)), longest)
        if webhook.kind == "slack":
            content = {"text": text, "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]}
        else:
            # Nobody is called by what a log holds.
            content = {"content": text, "allowed_mentions": {"parse": []}}
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "eventlive-db"}
    if webhook.kind == "generic" and webhook.secret:
        signature = hmac.new(webhook.secret.encode(), body, hashlib.sha256).hexdigest()
        headers[SIGNATURE_HEADER] = f"sha256={signature}"
    return body, headers


def how_many(webhook: Webhook, notices: Sequence[Notice], watching: str = "") -> int:
    """How many of these, from the first on, one body holds: people read lines, a program gets an object for each."""
    if webhook.kind == "generic":
        return 1
    longest, _ = _PEOPLE[webhook.kind]
    lengths = accumulate(len(line) + 1 for line in _lines(webhook, notices, watching))
    return max(sum(1 for _ in takewhile(lambda length: length <= longest + 1, lengths)), 1)


def _lines(webhook: Webhook, notices: Iterable[Notice], watching: str) -> Iterator[str]:
    _, escaped = _PEOPLE[webhook.kind]
    return (escaped(sentence(notice, watching)) for notice in notices)


def as_plain(notice: Notice, watching: str = "") -> dict[str, Any]:
    """A notice as an object of JSON. ``id`` is the same for all notices of one alarm, from whichever host."""
    reading = notice.reading
    identity = "\0".join(("eventlive", watching, reading.rule, reading.subject))
    return {
        "id": hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:32],
        "rule": reading.rule,
        "subject": reading.subject,
        "state": notice.state,
        "value": _finite(reading.value),
        "threshold": _finite(reading.threshold),
        "unit": reading.unit,
        "detail": reading.detail[:_DETAIL_MAX],
        "since": _time(notice.since),
        "at": _time(notice.at),
        "again": notice.again,
        "watching": watching,
    }


def sentence(notice: Notice, watching: str = "") -> str:
    """A notice in one line for people."""
    where = f"[{watching}] " if watching else ""
    goes_on = " (still)" if notice.again else ""
    parts = [f"{where}{_WORDS[notice.state]}{goes_on}: {describe(notice.reading)}", f"since {_time(notice.since)}"]
    return ", ".join(parts)


def describe(reading: Reading) -> str:
    """A reading in one line: ``http_400: 12/min (threshold 10)``."""
    name = f"{reading.rule} {reading.subject}" if reading.subject else reading.rule
    figure = ""
    # Without a threshold it is a state, and the detail says which.
    if reading.value is not None and reading.threshold is not None:
        figure = f"{reading.value:.4g}{reading.unit} (threshold {reading.threshold:.4g})"
    said = "; ".join(part for part in (figure, reading.detail[:_DETAIL_MAX]) if part)
    return _one_line(f"{name}: {said}" if said else name)


def _one_line(text: str) -> str:
    # Whatever a table or job is called, and whatever an error says: no control characters, no lone surrogates.
    return "".join(c if c.isprintable() else " " for c in text)


def _escaped_for_slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _escaped_for_discord(text: str) -> str:
    return re.sub(r"([\\*_~`|>\[\]])", r"\\\1", text)


_PEOPLE: Mapping[str, tuple[int, Callable[[str], str]]] = {
    "slack": (2900, _escaped_for_slack),  # of 3,000 in a section
    "discord": (2000, _escaped_for_discord),
}
"""How many characters a message may have, and what keeps them from being markup."""


def _fit(text: str, longest: int) -> str:
    """Cut, but not within an escape."""
    if len(text) <= longest:
        return text
    return re.sub(r"(&[a-z]*|\\+)$", "", text[: longest - 1]) + "…"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
