"""A report in SARIF 2.1.0, which code scanning services read.

An object of a database has no file: its name is a logical location, which the standard has for that (3.33).
"""

from __future__ import annotations

from typing import Any

from eventlive_db import __version__
from eventlive_db.lint.db.model import Finding, Level, Report
from eventlive_db.lint.db.rules import rules

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Level.ERROR: "error", Level.WARNING: "warning", Level.INFO: "note"}


def to_sarif(report: Report) -> dict[str, Any]:
    """The report as one run; what is allowed is suppressed, with the reason."""
    places = {rule.token: number for number, rule in enumerate(rules())}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "eventlive-db lint db",
                        "version": __version__,
                        "rules": [
                            {
                                "id": rule.token,
                                "shortDescription": {"text": rule.finds},
                                "help": {"text": rule.advice},
                                "defaultConfiguration": {"level": _LEVELS[rule.level]},
                            }
                            for rule in rules()
                        ],
                    }
                },
                "invocations": [
                    {
                        "executionSuccessful": not report.unseen,
                        "toolExecutionNotifications": [
                            {
                                "level": "error",
                                "message": {"text": reason},
                                "associatedRule": {"id": token, "index": places[token]},
                            }
                            for token, reason in report.unseen
                        ],
                    }
                ],
                "results": [_result(finding, places) for finding in (*report.findings, *report.allowed)],
            }
        ],
    }


def _result(finding: Finding, places: dict[str, int]) -> dict[str, Any]:
    result = {
        "ruleId": finding.rule,
        "ruleIndex": places[finding.rule],
        "level": _LEVELS[finding.level],
        "message": {"text": f"{finding.sentence} {finding.advice}"},
        "locations": [{"logicalLocations": [{"fullyQualifiedName": finding.object}]}],
        "partialFingerprints": {"object/v1": f"{finding.rule}:{finding.object}:{finding.sentence}"},
    }
    if finding.reason:
        result["suppressions"] = [{"kind": "external", "justification": finding.reason}]
    return result
