"""Personal data and secrets out of what logs say."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

_KEY = secrets.token_bytes(32)

MAX_CHARS = 1 << 16
"""Longer text is cut here, and says so: a report has no use for more."""

_KEPT_QUERY = frozenset({"select", "order", "limit", "offset", "columns", "on_conflict"})
_SECRET = r"(?:pass(?:word|wd)?|pwd|secret|api_?key|access_token|refresh_token|id_token|token|authorization|code|otp)"
_SECRET_VALUE = r"(?:(?:bearer|basic)\s+)?(?:\"[^\"]*(?:\"|\Z)|[^\s&\"',;)}]+)"
_LOCAL = r"[^\s@<>\"'(),;:=/?&|\[\]{}]"

_HEX = "[0-9A-Fa-f]{1,4}"
_GROUPS = f"{_HEX}(?::{_HEX})*"
_IPV4 = r"(?:\d{1,3}\.){3}\d{1,3}"

# The order matters: what comes first is taken first at each place. What is replaced is not looked at again.
_RULES = (
    ("stamp", r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?(?![\w-])"),
    ("bearer", r"\b(?:bearer|basic)\s+(?!<)[\w.~+/=-]+"),
    ("jwt", r"\beyJ[\w-]{5,}(?:\.[\w-]*)*"),
    ("apikey", r"\b(?:sb_(?:publishable|secret)|sk_live|sk_test|xox[a-z]|gh[a-z]|whsec)[_-][\w-]{6,}"),
    ("login", r"(?<=://)[^\s/@]+@(?=\S)"),
    ("keys", r"\bKey \((?P<columns>.{1,400}?)\)=\((?:.*\)(?= already exists| is still| is not present| conflicts)|.*)"),
    ("row", r"(?<=Failing row contains )\(.*"),
    ("dollar", r"\$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z)"),
    ("kept", r"\b(?:can|don|doesn|didn|isn|wasn|couldn|wouldn)'t\b"),
    ("escaped", r"\b[Ee]'(?:[^'\\]|''|\\.)*(?:'|\Z)"),
    ("literal", r"'(?:[^']|'')*(?:'|\Z)"),
    ("secret", rf"\"?\b(?P<secret_name>{_SECRET})\"?(?P<sign>=|:) ?{_SECRET_VALUE}"),
    ("told", r'(?:(?<=: )|(?<=near )|(?<=user )|(?<=input ))"(?:[^"]|"(?=\w))*(?:"|\Z)'),
    ("identifier", r'"[A-Za-z_][\w$.]{0,62}"'),
    ("quoted", r'"(?:[^"]|"")*(?:"|\Z)'),
    ("query", r"(?<=[?&])(?P<parameter>[^\s=&?\"']+)=(?P<value>[^\s&\"']*)"),
    ("email", rf"{_LOCAL}{{1,64}}(?:@|%40){_LOCAL}{{1,190}}\.[^\W\d_][\w-]{{1,62}}"),
    ("uuid", r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}(?![0-9A-Fa-f])"),
    ("long", r"(?<![\w-])(?-i:(?=[\w-]*\d)(?=[\w-]*[A-Z])(?=[\w-]*[a-z])[\w-]{32,})"),
    ("hexadecimal", r"(?<!\w)(?=\w*\d)[0-9A-Fa-f]{32,}(?!\w)"),
    ("ip", rf"(?<![\w.]){_IPV4}(?!\w|\.\d)"),
    ("ipv6", rf"(?<![\w:])(?:(?:{_HEX}:){{7}}{_HEX}|(?:{_GROUPS})?::(?:{_GROUPS})?(?:(?<=:){_IPV4})?)(?![\w:])"),
    ("phone", r"(?<![\w.$])\+?\(?\d(?:[ ().\-/]{0,2}\d){6,14}(?![\w])"),
)  # fmt: skip
_PATTERN = re.compile("|".join(f"(?P<{name}>{rule})" for name, rule in _RULES), re.DOTALL | re.IGNORECASE)
_FIXED = {
    "bearer": "<token>",
    "jwt": "<token>",
    "apikey": "<token>",
    "long": "<token>",
    "hexadecimal": "<token>",
    "login": "<login>@",
    "row": "(<values>)",
    "dollar": "$$<text>$$",
    "escaped": "'<text>'",
    "literal": "'<text>'",
    "told": '"<value>"',
    "quoted": '"<value>"',
}
_HASHED = {"email": "email", "uuid": "uuid", "ip": "ip", "ipv6": "ip", "phone": "number"}


def redact(text: str) -> str:
    """Text without personal data and secrets, for a report, a webhook or a terminal.

    Replaced are e-mail addresses, uuids, IP addresses and numbers of seven digits or more (``<uuid 1f09ab>``: the same
    value has the same mark for as long as the process lives, and no other process can tell which), tokens and keys,
    logins in URLs, the values of a URL's query (not of PostgREST's ``select``, ``order`` and the like), text literals
    and dollar-quoted text, and the values in ``Key (…)=(…)`` and ``Failing row contains (…)``. Names of columns,
    relations, constraints and functions stay, also between double quotes; a value that looks like a name and stands
    where names do stays with them. Where a quote is not closed, all after it goes, and so does what is beyond
    64 Ki characters.

    Args:
        text: A message, detail, statement or path of an event.
    """
    kept = _PATTERN.sub(_replace, text[:MAX_CHARS])
    return f"{kept} <cut>" if len(text) > MAX_CHARS else kept


def _replace(found: re.Match[str]) -> str:
    kind = next(name for name, _ in _RULES if found[name] is not None)
    if kind in _FIXED:
        return _FIXED[kind]
    if kind in _HASHED:
        value = found[0].lower().replace("-", "") if kind == "uuid" else found[0].lower()
        return f"<{_HASHED[kind]} {hmac.digest(_KEY, value.encode(), hashlib.sha256).hex()[:6]}>"
    if kind == "keys":
        return f"Key ({found['columns']})=(<values>)"
    if kind == "secret":
        return f"{found['secret_name']}{found['sign']}<secret>"
    if kind == "query":
        return f"{found['parameter']}={found['value'] if found['parameter'] in _KEPT_QUERY else '<value>'}"
    return found[0]
