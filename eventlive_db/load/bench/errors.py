"""What can go wrong in a benchmark."""

from __future__ import annotations

from eventlive_db.errors import AdvisedError


class BenchError(AdvisedError):
    """Something could not be measured."""

    token = "bench_failed"


class MissingToolError(BenchError):
    """A program that a part needs is not on this machine: the part is skipped, and said."""

    token = "tool_missing"
