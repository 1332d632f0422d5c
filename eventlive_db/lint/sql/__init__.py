"""Static contracts on SQL: what a schema, its migrations and the programs that use it say, held against each other.

Needs the extra ``lint``; without it, all of this imports, and linting says what to install.

    >>> report = lint(Path("."))
    >>> for finding in report.findings:
    ...     print(finding)
"""

from __future__ import annotations

from eventlive_db.lint.errors import LintError
from eventlive_db.lint.finding import Finding
from eventlive_db.lint.sql.config import Config, load_config
from eventlive_db.lint.sql.errors import ConfigError, ParserMissingError, UnreadableError
from eventlive_db.lint.sql.linter import Report, find_config, lint
from eventlive_db.lint.sql.rules import RULES, Rule

__all__ = [
    "RULES",
    "Config",
    "ConfigError",
    "Finding",
    "LintError",
    "ParserMissingError",
    "Report",
    "Rule",
    "UnreadableError",
    "find_config",
    "lint",
    "load_config",
]
