"""A PostgREST of the tests: the one that they were given, and what the documents say of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eventlive_db.server.postgrest import PostgREST, running_postgrest, with_settings
from tests.support import http_parts

__all__ = ["SECRET", "PostgREST", "running", "snippet", "with_settings"]

SECRET = "a-secret-that-only-the-tests-know-and-no-service-uses"


@contextmanager
def running(config: str) -> Iterator[PostgREST]:
    """Run PostgREST for as long as the context lasts, on free ports.

    Args:
        config: Its config file, with the lines ``server-port`` and ``admin-server-port``.

    Raises:
        MissingPartError: It is not on this machine.
        ServerStartError: It did not start; the end of its log is in the message.
    """
    with running_postgrest(config, http_parts.postgrest()) as server:
        yield server


def snippet(document: Path, language: str, number: int = 0) -> str:
    """A fenced block of a document."""
    blocks: list[str] = re.findall(rf"^```{language}\n(.*?)^```", document.read_text(), re.M | re.S)
    return blocks[number]
