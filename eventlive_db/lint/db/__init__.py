"""Lints of a live database: row security, privileges, functions and indexes, read from its catalog.

    >>> report = lint_database("postgresql://...")
    >>> [finding.sentence for finding in report.findings]

A rule is a file in ``rules/``: either one query, or a module with a function ``find``. See ``rules/__init__.py``.
"""

from __future__ import annotations

from eventlive_db.lint.db.allowed import Allowance, read_allowances
from eventlive_db.lint.db.model import Finding, Level, Report, Rule
from eventlive_db.lint.db.rules import rules
from eventlive_db.lint.db.run import lint_database
from eventlive_db.lint.errors import LintError

__all__ = [
    "Allowance",
    "Finding",
    "Level",
    "LintError",
    "Report",
    "Rule",
    "lint_database",
    "read_allowances",
    "rules",
]
