"""Access logs as Apache, nginx and PostgREST write them ("combined"), and PostgREST's own messages among them.

PostgREST writes requests to stdout and, as ``06/May/2024:08:16:11 -0500: …``, messages to stderr; both often end in one
file. Its requests have no duration. A gateway's line may have one at its end, as nginx writes it with
``'… "$http_user_agent" $request_time'``, bare or as ``rt=…`` or in quotes; the first number there is taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from eventlive_db.logs.lines import Line
from eventlive_db.logs.model import LogEvent, LogFormat
from eventlive_db.logs.parser import Origin, Parser
from eventlive_db.logs.stamps import COMBINED, parse_combined

_REQUEST = re.compile(
    rf'(?P<host>\S+) \S+ (?P<user>.{{0,200}}?) \[(?P<at>{COMBINED})\] "(?P<request>[^"]*)" (?P<status>\d{{3}})'
    r' (?P<bytes>\d+|-)(?: "(?P<referer>[^"]*)" "(?P<agent>.*)")?(?P<rest>(?: [^"]*?"?[\d.-]+"?)*)\s*\Z'
)
_MESSAGE = re.compile(rf"(?P<at>{COMBINED}): (?P<message>.*)\Z")
_SECONDS = re.compile(r'(?:^|[\s"=])(\d+\.\d+)(?=["\s]|$)')
_OF_A_GATEWAY = re.compile(r"/(?:rest|auth|realtime|storage|functions|graphql)/v\d")


def access_format(text: str) -> LogFormat | None:
    """Whose line it is, or None where it is no line of such a log."""
    if _MESSAGE.match(text):
        return LogFormat.POSTGREST
    found = _REQUEST.match(text)
    if found is None:
        return None
    _, path = _target(found["request"])
    # PostgREST leaves empty what the client did not say, others write a dash; PostgREST 12 knows no size.
    if found["rest"].strip() or found["referer"] in (None, "-") or _OF_A_GATEWAY.match(path or ""):
        return LogFormat.GATEWAY
    return LogFormat.POSTGREST


def _target(request: str) -> tuple[str | None, str | None]:
    method, _, rest = request.partition(" ")
    path, _, protocol = rest.rpartition(" ")
    # A scanner's bytes are no request; the answer counts all the same.
    return (method, path) if protocol.startswith("HTTP/") and method.isalpha() else (None, None)


class AccessParser(Parser):
    """Parser of an access log.

    Args:
        origin: Where the lines come from.
        kind: ``POSTGREST`` or ``GATEWAY``.
        adrift: They begin in the middle of a file.
    """

    def __init__(self, origin: Origin, kind: LogFormat, *, adrift: bool = False) -> None:
        super().__init__(origin, adrift=adrift)
        self._source = kind.value

    def feed(self, line: Line) -> Sequence[LogEvent]:
        text = line.text.removesuffix("\r")
        try:
            event = self._request(text, line) or self._message(text, line)
        except ValueError:
            event = None
        if event is None:
            if text.strip():
                self._reject()
            return ()
        self._found()
        return (event,)

    def _request(self, text: str, line: Line) -> LogEvent | None:
        found = _REQUEST.match(text)
        if found is None:
            return None
        method, path = _target(found["request"])
        seconds = _SECONDS.search(found["rest"])
        return LogEvent(
            at=parse_combined(found["at"]),
            source=self._source,
            file=self.origin.file,
            line=line.number,
            message=f"{found['request']} {found['status']}",
            user=None if found["user"] in ("", "-") else found["user"],
            method=method,
            path=path,
            status=int(found["status"]),
            duration_s=float(seconds[1]) if seconds else None,
            cut=line.cut,
        )

    def _message(self, text: str, line: Line) -> LogEvent | None:
        found = _MESSAGE.match(text) if self._source == LogFormat.POSTGREST else None
        if found is None:
            return None
        return LogEvent(
            at=parse_combined(found["at"]),
            source=self._source,
            file=self.origin.file,
            line=line.number,
            message=found["message"],
            cut=line.cut,
        )
