"""``lint db``: where it looks, what it prints, and how it ends."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import typer
from psycopg import sql
from typer.testing import CliRunner, Result

from eventlive_db.cli.lint_db import lint_db
from eventlive_db.lint.db import LintError, lint_database, read_allowances
from eventlive_db.lint.db import run as run_module
from eventlive_db.lint.db.rules import broken_function_body
from eventlive_db.lint.db.scope import Scope
from eventlive_db.migrate import Options, upgrade
from tests.support.database import EventliveDatabase

app = typer.Typer()
app.command("db")(lint_db)


# Fixture schema_template: the roles of the clients belong to the whole cluster, and are there with it.


def invoke(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize("api_schema", ["eventlive_api", "public"])
def test_the_package_as_it_is_installed_is_clean(empty_database: str, api_schema: str) -> None:
    upgrade(Options(empty_database, api_schema))
    result = invoke("--dsn", empty_database, "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["passed"]) == (0, True), result.output
    assert told["schemas"] == ["eventlive", api_schema]
    assert told["exposed"] == [api_schema]
    # The machinery of the migrations, which nobody but the owner reads.
    assert [(f["rule"], f["object"]) for f in told["findings"]] == [
        ("no_policy", "eventlive.alembic_version"),
        ("no_policy", "eventlive.installation"),
    ]
    used = {(finding["rule"], finding["object"]) for finding in told["allowed"]}
    assert used == {(allowance.rule, allowance.object) for allowance in read_allowances()}
    assert all(finding["reason"] for finding in told["allowed"])


def test_default_privileges_like_those_of_supabase_are_told_and_are_no_failure(
    schema_template: str, empty_database: str
) -> None:
    with psycopg.connect(empty_database) as connection:
        for kind in ("tables", "functions", "sequences"):
            connection.execute(
                "alter default privileges for role current_user in schema public"
                f" grant all on {kind} to anon, authenticated, service_role".encode()
            )
    upgrade(Options(empty_database, "public"))
    report = lint_database(empty_database)
    assert report.passed
    assert [f.sentence for f in report.findings if f.rule == "default_privileges" and " functions " in f.sentence] == [
        f"New functions of {_user(empty_database)} in schema public are granted to {role}: execute."
        for role in ("anon", "authenticated")
    ]


def _user(dsn: str) -> str:
    with psycopg.connect(dsn) as connection:
        return connection.info.user


def test_a_fault_is_told_with_advice_and_ends_with_1(db: EventliveDatabase, tmp_path: Path) -> None:
    db.admin.execute("alter table eventlive.jobs disable row level security")
    result = invoke("--dsn", db.dsn, "--sarif", str(tmp_path / "found.sarif"))
    assert result.exit_code == 1
    assert result.stdout == (
        "error: policy_without_rls: eventlive.jobs has policies (jobs_service), but row security is off, so they do"
        " nothing.\n    Run alter table ... enable row level security; until then the policies do nothing.\n"
        "1 error, 0 warning, 0 info in eventlive, eventlive_api; 8 allowed\n"
    )
    [told] = json.loads((tmp_path / "found.sarif").read_text())["runs"]
    first, *others = told["results"]
    assert (first["ruleId"], first["level"]) == ("policy_without_rls", "error")
    assert first["locations"] == [{"logicalLocations": [{"fullyQualifiedName": "eventlive.jobs"}]}]
    assert told["tool"]["driver"]["rules"][first["ruleIndex"]]["id"] == "policy_without_rls"
    assert "suppressions" not in first
    assert all(result["suppressions"][0]["justification"] for result in others)
    assert told["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": []}]


def test_information_alone_is_no_failure(db: EventliveDatabase) -> None:
    db.admin.execute("create index short on eventlive.registrations (role)")
    db.admin.execute("create index long on eventlive.registrations (role, nickname)")
    result = invoke("--dsn", db.dsn)
    assert result.exit_code == 0
    assert "info: redundant_index: eventlive.long begins with all columns of eventlive.short." in result.stdout


def test_an_allowance_takes_a_finding_out_and_keeps_its_reason(db: EventliveDatabase, tmp_path: Path) -> None:
    db.admin.execute("alter table eventlive.jobs disable row level security")
    allowed = tmp_path / "allowed.toml"
    allowed.write_text('[[allow]]\nrule = "policy_without_rls"\nobject = "eventlive.j*"\nreason = "A test."\n')
    result = invoke("--dsn", db.dsn, "--allow", str(allowed), "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["allowed"][0]["reason"] == "A test."


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[allow", "cannot be read"),
        ("allow = 1", r"must have tables \[\[allow\]\]"),
        ('[[allow]]\nrule = "no_policy"\nobject = "a"\n', "entry 1: it must have rule, object and reason"),
        ('[[allow]]\nrule = "no_policy"\nobject = "a"\nreason = " "\n', "it gives no reason"),
        ('[[allow]]\nrule = "nonsense"\nobject = "a"\nreason = "b"\n', "there is no rule 'nonsense'"),
    ],
)
def test_an_allowance_that_is_not_whole_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "allowed.toml").write_text(text)
    with pytest.raises(LintError, match=problem):
        read_allowances(tmp_path / "allowed.toml")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "there is no schema eventlive in this database. Run eventlive-db migrate up first"),
        (["--schema", "nowhere"], "there is no schema nowhere in this database"),
        (["--schema", "public", "--client", "nobody_at_all"], "there is no role nobody_at_all in this database"),
        (["--allow", "missing.toml"], "missing.toml cannot be read"),
    ],
)
def test_what_cannot_be_looked_at_ends_with_2(empty_database: str, arguments: list[str], problem: str) -> None:
    result = invoke("--dsn", empty_database, *arguments)
    assert result.exit_code == 2
    assert problem in result.stderr


def test_no_database_ends_with_2(tmp_path: Path) -> None:
    assert invoke().exit_code == 2
    result = invoke("--dsn", f"host={tmp_path} dbname=nothing")
    assert result.exit_code == 2
    assert "cannot connect" in result.stderr


def test_an_owner_without_superuser_sees_the_same(db: EventliveDatabase) -> None:
    owner = f"lint_{uuid4().hex[:12]}"
    password = "wanted-where-one-is-asked-for"
    db.admin.execute(f"create role {owner} login noinherit password '{password}' in role eventlive_owner".encode())
    try:
        db.admin.execute("alter function eventlive.webinar_enter reset search_path")
        db.admin.execute("create table eventlive.open (id int primary key)")
        theirs = lint_database(psycopg.conninfo.make_conninfo(db.dsn, user=owner, password=password))
        # Compiling a body takes USAGE on the schema, which the role has as eventlive_owner alone.
        assert [token for token, _ in theirs.unseen] == ["broken_function_body"]
        db.admin.execute(f"alter role {owner} inherit; grant eventlive_owner to {owner}".encode())
        _inherit(db, owner)
        theirs = lint_database(psycopg.conninfo.make_conninfo(db.dsn, user=owner, password=password))
        assert theirs == lint_database(db.dsn)
        assert {finding.rule for finding in theirs.findings} == {"function_search_path", "rls_disabled"}
    finally:
        db.admin.execute(f"drop role {owner}".encode())


def _inherit(db: EventliveDatabase, role: str) -> None:
    """On 16 and later it is the membership that says so."""
    if db.admin.info.server_version >= 160000:
        db.admin.execute(f"grant eventlive_owner to {role} with inherit true".encode())


def test_without_the_right_to_make_temporary_objects_the_rest_is_told_and_it_ends_with_2(
    db: EventliveDatabase,
) -> None:
    reader = f"lint_{uuid4().hex[:12]}"
    password = "wanted-where-one-is-asked-for"
    name = sql.Identifier(db.admin.info.dbname)
    db.admin.execute(sql.SQL("revoke temporary on database {} from public").format(name))
    db.admin.execute(f"create role {reader} login password '{password}'".encode())
    try:
        result = invoke("--dsn", psycopg.conninfo.make_conninfo(db.dsn, user=reader, password=password))
        assert result.exit_code == 2
        assert "0 error, 0 warning, 0 info" in result.stdout
        assert "rule broken_function_body could not look: permission denied to create temporary tables" in result.stderr
    finally:
        db.admin.execute(f"drop role {reader}".encode())


def test_without_pglast_the_rest_is_told_and_it_ends_with_2(
    db: EventliveDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pglast", None)
    db.admin.execute("alter table eventlive.jobs disable row level security")
    result = invoke("--dsn", db.dsn)
    assert result.exit_code == 2
    assert "policy_without_rls" in result.stdout
    assert "rule broken_function_body could not look: the bodies of functions are read with pglast" in result.stderr
    assert "pip install 'eventlive-db[lint]'" in result.stderr


def test_the_lint_reads_in_a_read_only_transaction(db: EventliveDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def spy(connection: psycopg.Connection[object], scope: Scope) -> list[object]:
        seen.append(connection.execute("select current_setting('transaction_read_only')").fetchone())
        return []

    reading = replace(broken_function_body.RULE, find=spy, writes=False)  # type: ignore[arg-type]
    monkeypatch.setattr(run_module, "rules", lambda: (reading,))
    lint_database(db.dsn)
    assert seen == [("on",)]


def test_a_project_of_its_own_names_its_schemas(schema_template: str, empty_database: str) -> None:
    with psycopg.connect(empty_database) as connection:
        connection.execute("create table public.todo (id int primary key)")
    result = invoke("--dsn", empty_database, "--schema", "public", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["exposed"] == ["public"]
    assert [finding["rule"] for finding in told["findings"]] == ["rls_disabled"]
