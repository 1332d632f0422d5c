"""``eventlive-db lint db``: what a live database's catalog says against it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer

from eventlive_db.cli.plans_common import FAILED, fail, see_writable, write_whole
from eventlive_db.lint.db import LintError, Report, lint_database, read_allowances
from eventlive_db.lint.db.model import LEVELS
from eventlive_db.lint.db.sarif import to_sarif

BROKEN = 1
"""Exit status when there is an error or a warning."""

_Names = list[str] | None


def lint_db(
    dsn: Annotated[
        str | None,
        typer.Option("--dsn", envvar="EVENTLIVE_DSN", show_envvar=True, help="The database: libpq string or URI."),
    ] = None,
    schema: Annotated[
        _Names,
        typer.Option(metavar="NAME", help="Look at this schema; repeatable.", show_default="those of this package"),
    ] = None,
    exposed: Annotated[
        _Names,
        typer.Option(
            metavar="NAME", help="Clients use this schema by name; repeatable.", show_default="where a client has USAGE"
        ),
    ] = None,
    client: Annotated[
        _Names,
        typer.Option(
            metavar="ROLE", help="Anybody may act as this role; repeatable.", show_default="anon and authenticated"
        ),
    ] = None,
    allow: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML with further findings that may be, and why.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    sarif: Annotated[Path | None, typer.Option(metavar="FILE", help="Write SARIF 2.1.0.")] = None,
) -> None:
    """Look for open tables, policies that do nothing, definer functions, slow keys and broken functions.

    Reads the catalog, as any role that may connect; functions are compiled in a transaction that is rolled back.
    docs/lint.md lists the rules.

    Exit status: 0; 1 with an error or a warning; 2 when something could not be looked at.
    """
    see_writable(sarif)
    if dsn is None:
        fail("which database? Give --dsn, or set EVENTLIVE_DSN")
    try:
        allowances = [*read_allowances(), *(read_allowances(allow) if allow else ())]
        report = lint_database(
            dsn, schemas=schema or (), exposed=exposed or (), clients=client or (), allowances=allowances
        )
    except LintError as error:
        fail(error)
    except psycopg.Error as error:
        fail(str(error).strip())
    if sarif:
        write_whole(sarif, json.dumps(to_sarif(report), indent=2) + "\n")
    typer.echo(json.dumps(_as_dict(report)) if as_json else "\n".join(_lines(report)))
    for token, reason in report.unseen:
        typer.echo(f"eventlive-db: rule {token} could not look: {reason}", err=True)
    if report.unseen:
        raise typer.Exit(FAILED)
    if not report.passed:
        raise typer.Exit(BROKEN)


def _lines(report: Report) -> list[str]:
    """Each finding with its advice, then the sum."""
    lines = []
    for finding in report.findings:
        lines += [f"{finding.level}: {finding.rule}: {finding.sentence}", f"    {finding.advice}"]
    counts = ", ".join(f"{report.count(level)} {level}" for level in LEVELS)
    where = ", ".join(report.scope.schemas)
    return [*lines, f"{counts} in {where}; {len(report.allowed)} allowed"]


def _as_dict(report: Report) -> dict[str, Any]:
    findings = [asdict(finding) for finding in report.findings]
    for finding in findings:
        del finding["reason"]  # it has none
    return {
        "passed": report.passed,
        "counts": {level: report.count(level) for level in LEVELS},
        "findings": findings,
        "allowed": [asdict(finding) for finding in report.allowed],
        "could_not_look": [{"rule": token, "reason": reason} for token, reason in report.unseen],
        "schemas": report.scope.schemas,
        "exposed": report.scope.exposed,
        "clients": report.scope.clients,
    }
