"""Violations as GitHub workflow commands, which show them at their line of a pull request.

Neither this module nor the package has ``from __future__ import annotations``, which takes the function's name; where
there is one, import it ``as annotated``.
"""

from collections.abc import Iterator

from eventlive_db.plans.report.text import printable
from eventlive_db.plans.verdict import Report, Violation


def annotations(report: Report) -> Iterator[str]:
    """An ``::error`` for each violation, one line each.

    Escaped as ``actions/toolkit`` does (``packages/core/src/command.ts``); see GitHub's documentation, "Workflow
    commands". The file is relative to the suite, as in the violation: run from there, or it will not be found.
    """
    for violation in report.all_violations:
        yield _error(violation)


def _error(violation: Violation) -> str:
    properties = {}
    if violation.file:
        properties["file"] = violation.file
        if violation.file_line:
            properties["line"] = str(violation.file_line)
    title = f"{violation.token}: {violation.case}" if violation.case else violation.token
    properties["title"] = title
    told = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::error {told}::{_data(str(violation))}"


def _data(text: str) -> str:
    return printable(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
