"""Where notices go: the address, which is a secret, and how it is given."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from eventlive_db.watch.errors import WatchError

Kind = Literal["slack", "discord", "generic"]
KINDS: tuple[Kind, ...] = ("slack", "discord", "generic")

URL_VARIABLE = "EVENTLIVE_WEBHOOK_URL"
SECRET_VARIABLE = "EVENTLIVE_WEBHOOK_SECRET"

_HOSTS: Mapping[str, Kind] = {
    "hooks.slack.com": "slack",
    "hooks.slack-gov.com": "slack",
    "discord.com": "discord",
    "discordapp.com": "discord",
    "canary.discord.com": "discord",
    "ptb.discord.com": "discord",
}
_MAX_BYTES = 10_000
_SHORTEST_SECRET = 4


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address, and what it takes. Neither address nor secret is in what it prints as.

    Attributes:
        url: Whoever knows it may post.
        kind: The form of the body.
        secret: Signs the body of ``generic``; empty for no signature.
    """

    url: str = field(repr=False)
    kind: Kind
    secret: str = field(default="", repr=False)

    def scrub(self, text: str) -> str:
        """A text of the receiver's, fit to be shown: one line of ASCII, short, without any part of the address."""
        parts = urlsplit(self.url)
        pieces = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query)), parts.query, self.secret]
        pieces += [parts.username or "", parts.password or "", parts.fragment]
        hidden = [self.url, parts.path, *(piece for piece in pieces if len(piece) >= _SHORTEST_SECRET)]
        for piece in sorted({piece for piece in hidden if piece.strip("/")}, key=len, reverse=True):
            text = text.replace(piece, "***")
        # Cut after it was hidden, never in the middle of a secret.
        return re.sub(r"[^ -~]+", " ", text).strip()[:200]


def find_webhook(named: str | None, kind: str | None, environment: Mapping[str, str] | None = None) -> Webhook | None:
    """The webhook that is configured; none where nothing is.

    Args:
        named: The name of a variable of the environment that holds the address, or a file whose first line does;
            none for ``EVENTLIVE_WEBHOOK_URL``, if it is set. Never the address itself: ``ps`` shows it to everybody.
        kind: One of :data:`KINDS`; none to tell by the host.
        environment: Default: that of this process. The secret of ``generic`` is in ``EVENTLIVE_WEBHOOK_SECRET``.

    Raises:
        WatchError: There is no such variable or file, or no address in it. The message shows neither.
    """
    environment = os.environ if environment is None else environment
    url = _address(named, environment)
    if url is None:
        return None
    if kind is not None and kind not in KINDS:
        msg = "a webhook is of the kind slack, discord or generic"
        raise WatchError(msg, "Name one of them", token="bad_webhook")
    _check(url)
    host = (urlsplit(url).hostname or "").lower()
    chosen: Kind = next((known for known in KINDS if known == kind), _HOSTS.get(host, "generic"))
    return Webhook(url, chosen, environment.get(SECRET_VARIABLE, ""))


def _address(named: str | None, environment: Mapping[str, str]) -> str | None:
    if named is None:
        return environment.get(URL_VARIABLE, "").strip() or None
    if "://" in named or named.lower().startswith(("http:", "https:", "hooks.")):
        msg = "the webhook's address does not belong on the command line, where ps shows it to everybody"
        advice = f"Put it into a variable of the environment, such as {URL_VARIABLE}, or into a file, and name that"
        raise WatchError(msg, advice, token="secret_on_command_line")
    if environment.get(named, "").strip():
        return environment[named].strip()
    try:
        with Path(named).open("rb") as file:
            lines = file.read(_MAX_BYTES).decode("utf-8").split("\n")
    except (OSError, UnicodeDecodeError, ValueError):
        # What was given may be a secret all the same, so it is not repeated.
        msg = "what --webhook names is neither a variable of the environment that is set nor a file that can be read"
        raise WatchError(msg, "Name one that holds the address", token="no_webhook") from None
    if not lines[0].strip():
        msg = "the file that --webhook names has no address in its first line"
        raise WatchError(msg, "Write the address there", token="no_webhook")
    return lines[0].strip()


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not re.fullmatch(r"[!-~]+", url):
        msg = "the webhook's address is none of http or https"
        raise WatchError(msg, "Copy it again from where it was made", token="bad_webhook")
