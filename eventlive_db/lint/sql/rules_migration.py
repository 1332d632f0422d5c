"""Rules for migrations: what may wait, read or rewrite a table that is in use, and whether there is a way back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from eventlive_db.lint.sql.apply import apply
from eventlive_db.lint.sql.catalog import Catalog
from eventlive_db.lint.sql.chain import Chain, Migration
from eventlive_db.lint.sql.check_names import Walk
from eventlive_db.lint.sql.context import Fault
from eventlive_db.lint.sql.locks import STRENGTH, Fact, facts
from eventlive_db.lint.sql.project import Project
from eventlive_db.lint.sql.scripts import ParsedStatement, Script
from eventlive_db.lint.sql.tree import Node, items, unwrap

_BUILDS_INDEX = frozenset({"CONSTR_PRIMARY", "CONSTR_UNIQUE", "CONSTR_EXCLUSION"})
_WAITS = STRENGTH.index("RowExclusive")


@dataclass(frozen=True, slots=True)
class LockLine:
    """One line of the table of locks.

    Attributes:
        file: Of the migration.
        line: Of the statement.
        statement: Its first line.
        fact: What it does.
        is_new: Whether the relation is made in this very migration, so that nobody waits for it.
    """

    file: str
    line: int
    statement: str
    fact: Fact
    is_new: bool


def check_migrations(project: Project, chain: Chain, walk: Walk) -> Iterator[Fault]:
    """The faults of a chain, beyond names."""
    for number, step in enumerate(chain.steps, 1):
        if step.up:
            yield from _check_script(project, walk.states[number - 1], step.up, number)
        if step.down:
            yield from _check_script(project, walk.states[number], step.down, -number)
        yield from _header(project, step)
        yield from _way_back(chain, walk, step, number)


def lock_table(project: Project, chain: Chain, walk: Walk) -> Iterator[LockLine]:
    """What each statement of each migration locks, up and down."""
    for number, step in enumerate(chain.steps, 1):
        for script, before in ((step.up, walk.states[number - 1]), (step.down, walk.states[number])):
            for statement, found in _facts(project, before, script, number) if script else ():
                line, _ = statement.snippet.position(0)
                first = statement.snippet.text.partition("\n")[0]
                for fact in found:
                    is_new = fact.relation not in before.relations
                    yield LockLine(statement.snippet.source.name, line, first, fact, is_new)


def _facts(
    project: Project, before: Catalog, script: Script, step: int
) -> Iterator[tuple[ParsedStatement, list[Fact]]]:
    catalog, session = before.copy(), project.new_session(step)
    for statement in script.statements:
        found = facts(catalog, statement)
        if statement.kind == "DoStmt":
            for query in project.do_body(statement).queries:
                kind, body = unwrap(query.node)
                found += facts(catalog, ParsedStatement(query.snippet, kind, body, path=statement.path))
        yield statement, [fact for fact in found if fact.lock]
        apply(catalog, session, statement.snippet, statement.kind, statement.body)


def _check_script(project: Project, before: Catalog, script: Script, step: int) -> Iterator[Fault]:
    timeout = ""
    warned = False
    for statement, found in _facts(project, before, script, step):
        if statement.kind == "VariableSetStmt" and statement.body.get("name") == "lock_timeout":
            timeout = "local" if statement.body.get("is_local") else "session"
        on_old = [fact for fact in found if fact.relation in before.relations]
        waiting = [fact for fact in on_old if STRENGTH.index(fact.lock) >= _WAITS]
        holds = timeout == "session" or (timeout == "local" and statement.in_transaction)
        if waiting and not holds and not warned:
            warned = True
            table = waiting[0].relation
            message = f"this waits for {table} without a limit, and all who come after wait for it"
            advice = (
                "set local lock_timeout = '5s' before it"
                if statement.in_transaction
                else "set lock_timeout = '5s' before it"
            )
            yield Fault(statement.snippet, 0, "migration.lock_timeout", message, advice, object=table)
        if on_old:
            yield from _on_old(statement, on_old)


def _on_old(statement: ParsedStatement, found: list[Fact]) -> Iterator[Fault]:
    table = found[0].relation
    if statement.kind == "IndexStmt":
        yield from _index(statement, table)
    elif statement.kind == "AlterTableStmt":
        for _, command in items(statement.body.get("cmds")):
            yield from _alteration(statement, table, command, found)
    for fact in found:
        if fact.effect != "rewrites":
            continue
        volatile = fact.why.startswith("volatile default")
        rule = "migration.volatile_default" if volatile else "migration.rewrite"
        message = f"this rewrites {fact.relation} under {fact.lock} ({fact.why or statement.kind})"
        advice = (
            "add the column without it, set the default, then fill the rows in batches"
            if volatile
            else "add a new column or table, and move over in batches"
        )
        yield Fault(statement.snippet, 0, rule, message, advice, object=fact.relation)


def _index(statement: ParsedStatement, table: str) -> Iterator[Fault]:
    if not statement.body.get("concurrent"):
        message = f"this keeps all writers of {table} waiting while it reads the whole table"
        advice = "create index concurrently, in an autocommit block"
        yield Fault(statement.snippet, 0, "migration.index_not_concurrent", message, advice, object=table)
    elif statement.in_transaction:
        message = "create index concurrently cannot run inside a transaction"
        advice = "run it in an autocommit block"
        yield Fault(statement.snippet, 0, "migration.index_not_concurrent", message, advice, object=table)


def _alteration(statement: ParsedStatement, table: str, command: Node, found: list[Fact]) -> Iterator[Fault]:
    subtype, name = command.get("subtype", ""), command.get("name", "")
    _, definition = unwrap(command.get("def"))
    added = [definition] if subtype == "AT_AddConstraint" else []
    if subtype == "AT_AddColumn":
        added = [constraint for _, constraint in items(definition.get("constraints"))]
    for constraint in added:
        kind = {"CONSTR_FOREIGN": "foreign key", "CONSTR_CHECK": "check"}.get(constraint.get("contype", ""))
        if kind and not constraint.get("skip_validation"):
            message = f"this reads all of {table} to validate a {kind}, and holds its lock meanwhile"
            index = statement.snippet.char_index(constraint.get("location", 0))
            advice = "add it not valid, and validate it in a later migration"
            yield Fault(statement.snippet, index, "migration.constraint_validated", message, advice, object=table)
        if constraint.get("contype") in _BUILDS_INDEX and not constraint.get("indexname"):
            message = f"this keeps all of {table} waiting while it builds the index of a constraint"
            index = statement.snippet.char_index(constraint.get("location", 0))
            advice = "build a unique index concurrently, then add the constraint using index"
            yield Fault(statement.snippet, index, "migration.index_not_concurrent", message, advice, object=table)
    if subtype == "AT_SetNotNull" and any(fact.effect == "scans" for fact in found):
        message = f"set not null reads all of {table} under AccessExclusive"
        advice = f"first add check ({name} is not null) not valid, and validate it"
        yield Fault(statement.snippet, 0, "migration.set_not_null", message, advice, name, table)


def _header(project: Project, step: Migration) -> Iterator[Fault]:
    header = project.config.header
    for script in (step.up, step.down):
        if header and script and script.source.name.endswith(".sql") and not script.source.text.startswith(header):
            message = f"this migration does not begin with {header!r}"
            yield Fault(script.source.whole(), 0, "migration.header", message, "write it as the first line")


def _way_back(chain: Chain, walk: Walk, step: Migration, number: int) -> Iterator[Fault]:
    back = walk.back[number - 1]
    if back is None or step.down is None:
        if chain.has_down:
            message = f"migration {step.revision} has no way back"
            yield Fault(step.file.whole(), 0, "migration.down_missing", message, "write what undoes it")
        return
    if back.opaque:
        return
    before, after = walk.states[number - 1].objects(), back.objects()
    whole = step.down.source.whole()
    for kind, name in _outermost(after - before):
        message = f"stepping back leaves the {kind} {name}, which stepping forward made"
        yield Fault(
            whole,
            0,
            "migration.down_incomplete",
            message,
            f"drop it in {step.down.source.name}",
            object=f"{kind} {name}",
        )
    for kind, name in _outermost(before - after):
        message = f"stepping back does not bring back the {kind} {name}, which was there before"
        yield Fault(
            whole,
            0,
            "migration.down_incomplete",
            message,
            f"create it in {step.down.source.name}",
            object=f"{kind} {name}",
        )


def _outermost(objects: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without the columns, constraints and so on of tables that are named themselves."""
    tables = {name for kind, name in objects if kind in {"table", "view", "type"}}
    kept = []
    for kind, name in sorted(objects):
        owner = name.rpartition(" on ")[2] if " on " in name else name.rpartition(".")[0]
        if kind not in {"column", "constraint", "trigger", "policy"} or owner not in tables:
            kept.append((kind, name))
    return kept
