"""The HTTP status that PostgREST answers with for a SQLSTATE.

Source: PostgREST's manual, "Errors", table "HTTP Status Codes".
"""

from __future__ import annotations

from collections.abc import Mapping

_EXACT: Mapping[str, int] = {
    "23503": 409,
    "23505": 409,
    "25006": 405,
    "21000": 500,
    "42501": 403,
    "42883": 404,
    "42P01": 404,
    "42P17": 500,
    "53400": 500,
    "57P01": 503,
    "P0001": 400,
}
_BY_CLASS: Mapping[str, int] = {
    "08": 503,
    "09": 500,
    "0L": 403,
    "0P": 403,
    "25": 500,
    "28": 403,
    "2D": 500,
    "38": 500,
    "39": 500,
    "3B": 500,
    "40": 500,
    "53": 503,
    "54": 500,
    "55": 500,
    "57": 500,
    "58": 500,
    "F0": 500,
    "HV": 500,
    "P0": 500,
    "XX": 500,
}
_NO_ERROR = ("00", "01", "02")


def status_of(sqlstate: str) -> int | None:
    """The status for an error of Postgres; none for what is no error, or says its status elsewhere.

    Args:
        sqlstate: Five characters, such as ``23505``; of ``PTnnn`` the status is nnn.
    """
    if len(sqlstate) != 5 or sqlstate[:2] in _NO_ERROR or sqlstate == "PGRST":
        return None
    if sqlstate.startswith("PT"):
        return int(sqlstate[2:]) if sqlstate[2:].isascii() and sqlstate[2:].isdigit() else 500
    return _EXACT.get(sqlstate) or _BY_CLASS.get(sqlstate[:2], 400)
