"""What goes wrong when coverage is measured."""

from __future__ import annotations

from eventlive_db.plans.errors import PlansError


class CoverageError(PlansError):
    """Coverage cannot be measured."""

    token = "coverage_error"


class LogError(CoverageError):
    """The server's log cannot be read or tells nothing."""

    token = "invalid_log"


class ParserMissingError(CoverageError):
    """pglast, which reads the functions, is not installed."""

    token = "parser_missing"
