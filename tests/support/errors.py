"""The contract of errors, read from the one place that declares them."""

from __future__ import annotations

import re

from eventlive_db.client import EventliveError
from eventlive_db.resources import sql_dir

TOKENS: dict[str, int] = {
    token: int(status)
    for token, status in re.findall(
        r"^\s+\('(\w+)', (\d{3}), '", (sql_dir() / "00_roles" / "30_raise_error.sql").read_text(), re.MULTILINE
    )
}
"""Token to HTTP status, as ``raise_error`` knows them."""


def assert_conforms(error: EventliveError) -> None:
    """Fail where an error breaks the contract: a token that is declared, its status, one ASCII line, advice."""
    assert TOKENS.get(error.token) == error.status
    assert error.message.isascii()
    assert error.message.isprintable()
    assert error.message
    assert error.hint
