"""What was found, for people and for programs."""

from __future__ import annotations

import json
from typing import Any

from eventlive_db import __version__
from eventlive_db.lint.finding import Finding
from eventlive_db.lint.sql.linter import Report
from eventlive_db.lint.sql.rules import RULES
from eventlive_db.lint.sql.rules_migration import LockLine

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def as_text(report: Report) -> str:
    """One line a finding, and one that counts them."""
    lines = [str(finding) for finding in report.findings]
    count = len(report.findings)
    found = "no finding" if not count else "1 finding" if count == 1 else f"{count} findings"
    lines.append(f"{found} in {report.statements} statements of {report.files} files")
    return "\n".join(lines)


def as_dict(report: Report) -> dict[str, Any]:
    """For ``--json``."""
    return {
        "findings": [finding.to_dict() for finding in report.findings],
        "files": report.files,
        "statements": report.statements,
        "locks": [_lock(line) for line in report.locks],
    }


def _lock(line: LockLine) -> dict[str, object]:
    return {
        "file": line.file,
        "line": line.line,
        "statement": line.statement,
        "relation": line.fact.relation,
        "lock": line.fact.lock,
        "effect": line.fact.effect,
        "why": line.fact.why,
        "new": line.is_new,
    }


def locks_as_text(report: Report) -> str:
    """The table of ``--locks``: what waits for what; what a migration makes itself, nobody waits for."""
    rows = [("where", "statement", "lock", "relation", "effect")]
    for line in report.locks:
        if line.is_new:
            continue
        effect = f"{line.fact.effect} ({line.fact.why})" if line.fact.effect and line.fact.why else line.fact.effect
        rows.append((f"{line.file}:{line.line}", _short(line.statement), line.fact.lock, line.fact.relation, effect))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def as_sarif(report: Report) -> dict[str, Any]:
    """SARIF 2.1.0, as code scanning takes it."""
    tokens = list(RULES)
    rules = [
        {
            "id": rule.token,
            "name": "".join(part.capitalize() for part in rule.token.replace(".", "_").split("_")),
            "shortDescription": {"text": rule.asks},
            "help": {"text": f"{rule.asks} See docs/lint.md of eventlive-db."},
            "defaultConfiguration": {"level": "error", "enabled": rule.default},
        }
        for rule in RULES.values()
    ]
    driver = {
        "name": "eventlive-db lint sql",
        "semanticVersion": __version__,
        "rules": rules,
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, tokens.index(finding.rule)) for finding in report.findings],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(finding: Finding, index: int) -> dict[str, Any]:
    region: dict[str, int] = {"startLine": finding.line, "startColumn": finding.column}
    if finding.end_column > finding.column:
        region["endColumn"] = finding.end_column
    message = f"{finding.message}; {finding.advice}" if finding.advice else finding.message
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": "error",
        "message": {"text": message},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": finding.file}, "region": region}}],
    }


def as_json(value: dict[str, Any]) -> str:
    """One object, with line ends for people."""
    return json.dumps(value, indent=2)
