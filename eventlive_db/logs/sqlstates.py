"""SQLSTATEs worked out from Postgres' English messages, for a ``log_line_prefix`` without ``%e``.

Source: the messages of Postgres 15 to 18. A guess: a function can raise any text, and with another ``lc_messages``
nothing is known.
"""

from __future__ import annotations

import re

_TEXTS = (
    ("42703", r'column .+ does not exist$|record ".+" has no field ".+"$'),
    ("42P01", r'relation ".+" does not exist$|missing FROM-clause entry for table |invalid reference to FROM-clause '),
    ("42883", r"(?:function|procedure|aggregate) .+ does not exist$|operator does not exist: "),
    ("23505", r"duplicate key value violates unique constraint |could not create unique index "),
    ("23503", r'.+ violates foreign key constraint "'),
    ("23502", r'null value in column ".+" (?:of relation ".+" )?violates not-null constraint'),
    ("23514", r'new row for relation ".+" violates check constraint "'),
    ("40P01", r"deadlock detected$"),
    ("55P03", r"canceling statement due to lock timeout$|could not obtain lock on "),
    ("57014", r"canceling statement due to (?:statement timeout|user request)$"),
    ("40001", r"could not serialize access |canceling statement due to conflict with recovery$"),
    ("53300", r"(?:sorry, )?too many clients already$|remaining connection slots are reserved "),
    ("53300", r"too many connections for (?:role|database) "),
    ("42501", r"permission denied (?:for|to) |must be owner of |must be (?:super)?user"),
    ("42501", r"new row violates row-level security policy "),
    ("22P02", r"invalid input syntax for "),
    ("42601", r"syntax error at "),
    ("57P01", r"terminating connection due to administrator command$"),
    ("25P03", r"terminating connection due to idle-in-transaction timeout$"),
)
_POSITION = re.compile(r" at character \d+$")
_PATTERNS = tuple((sqlstate, re.compile(text)) for sqlstate, text in _TEXTS)


def guess(message: str) -> str | None:
    """The SQLSTATE that Postgres gives with such a message, or None."""
    text = _POSITION.sub("", message)
    return next((sqlstate for sqlstate, pattern in _PATTERNS if pattern.match(text)), None)
