"""Resolves every statement of a project against the schema as it is at that point."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from eventlive_db.lint.sql.apply import apply
from eventlive_db.lint.sql.apply_keep import add_all, keep
from eventlive_db.lint.sql.catalog import Catalog, Function
from eventlive_db.lint.sql.chain import Chain
from eventlive_db.lint.sql.context import Context, Fault
from eventlive_db.lint.sql.functions import resolve_do, resolve_function
from eventlive_db.lint.sql.project import Project, function_of
from eventlive_db.lint.sql.resolve import QUERY_KINDS, resolve
from eventlive_db.lint.sql.resolve_ddl import resolve_ddl
from eventlive_db.lint.sql.resolve_types import types_of_function
from eventlive_db.lint.sql.scripts import ParsedStatement, Script

_CHANGES = frozenset({"AlterTableStmt", "DropStmt", "RenameStmt", "AlterObjectSchemaStmt", "DoStmt"})


@dataclass(slots=True)
class Walk:
    """A chain that was applied step by step.

    Attributes:
        states: The catalog before the first step, then after each.
        back: For each step, the catalog after going forward and back; None without a way back.
        faults: Names that mean nothing where they stand.
    """

    states: list[Catalog] = field(default_factory=list)
    back: list[Catalog | None] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def check_declared(project: Project, catalog: Catalog) -> list[Fault]:
    """The faults in the names of a declared schema; its files may stand in any order."""
    faults: list[Fault] = []
    ever = _ever_declared(project, catalog)
    for script in project.declared:
        faults += script.faults
        for statement in script.statements:
            if statement.kind == "CreateFunctionStmt":
                function = function_of(catalog, statement)
                if function:
                    faults += _signature_faults(ever, statement)
                    faults += _function_faults(project, catalog, function, statement.path)
                continue
            faults += check_statement(project, ever, catalog, statement)
    return faults


def _ever_declared(project: Project, catalog: Catalog) -> Catalog:
    """All that a declared schema holds before any statement takes it away."""
    ever = catalog.copy()
    for script in project.declared:
        session = project.new_session()
        for statement in script.statements:
            session.path = statement.path
            keep(ever, session, statement.snippet, statement.kind, statement.body)
    add_all(ever, catalog)
    return ever


def check_statement(project: Project, before: Catalog, after: Catalog, statement: ParsedStatement) -> list[Fault]:
    """The faults in the names of one statement that makes no function."""
    if statement.kind == "DoStmt":
        known = after.copy()
        add_all(known, before)
        return resolve_do(known, statement.path, project.do_body(statement))
    context = Context(after, statement.path, statement.snippet)
    if statement.kind in QUERY_KINDS:
        resolve(context, statement.node)
    else:
        resolve_ddl(context, before, statement.kind, statement.body)
    return context.faults


def check_python(project: Project, catalog: Catalog, others: Iterable[Catalog] = ()) -> list[Fault]:
    """The faults in the names of the SQL in Python strings.

    Args:
        project: With the Python files.
        catalog: The schema.
        others: Where else what is missing in it may be, such as what migrations keep for themselves.
    """
    faults: list[Fault] = []
    # What a program makes for itself is known by its name alone.
    known = catalog.copy()
    for other in others:
        known.relations = {**other.relations, **known.relations}
        known.functions = {**other.functions, **known.functions}
        known.opaque = known.opaque or other.opaque
    made = project.new_catalog()
    for script in project.python:
        session = project.new_session()
        for statement in script.statements:
            statement.path = session.path
            if statement.kind not in QUERY_KINDS:
                apply(made, session, statement.snippet, statement.kind, statement.body)
    known.external = (*known.external, *made.relations, *made.functions)
    for script in project.python:
        faults += script.faults
        for statement in script.statements:
            if statement.kind == "DoStmt":
                found = resolve_do(known, statement.path, project.do_body(statement))
                # A hole may stand for any words at all.
                is_whole = "__" not in statement.snippet.text
                faults += [fault for fault in found if is_whole or fault.rule != "parse.syntax"]
            elif statement.kind in QUERY_KINDS:
                context = Context(known, statement.path, statement.snippet, is_part=True)
                resolve(context, statement.node)
                faults += context.faults
    return faults


def walk_chain(project: Project, chain: Chain) -> Walk:
    """Apply the migrations one by one, and look up the names of each statement as of that point.

    What a body of plpgsql names is looked up when it runs. So it must be there at the end of the last step in which
    the function is still that function.
    """
    walk = Walk(states=[project.new_catalog()], faults=list(chain.faults))
    late: list[tuple[int, Function, tuple[str, ...]]] = []
    for number, step in enumerate(chain.steps, 1):
        catalog = walk.states[-1].copy()
        if step.up:
            late += [(number, f, path) for f, path in _apply_script(project, catalog, step.up, number, walk.faults)]
        catalog.opaque = catalog.opaque or step.is_opaque
        walk.states.append(catalog)
    for number, function, path in late:
        last = _last_state(walk, number, function)
        found = _function_faults(project, walk.states[last], function, path)
        if last > number:
            after = f" (after migration {chain.steps[last - 1].revision}, with the function as it is here)"
            found = [replace(fault, message=fault.message + after) for fault in found]
        walk.faults += found
    for number, step in enumerate(chain.steps, 1):
        if step.down is None:
            walk.back.append(None)
            continue
        catalog = walk.states[number].copy()
        for function, path in _apply_script(project, catalog, step.down, -number, walk.faults):
            walk.faults += _function_faults(project, catalog, function, path)
        walk.back.append(catalog)
    return walk


def _apply_script(
    project: Project, catalog: Catalog, script: Script, step: int, faults: list[Fault]
) -> list[tuple[Function, tuple[str, ...]]]:
    """Apply a script; the functions whose bodies are looked up late."""
    faults += script.faults
    session = project.new_session(step)
    late: list[tuple[Function, tuple[str, ...]]] = []
    for statement in script.statements:
        before = catalog.copy() if statement.kind in _CHANGES else catalog
        statement.path = session.path
        apply(catalog, session, statement.snippet, statement.kind, statement.body)
        if statement.kind != "CreateFunctionStmt":
            faults += check_statement(project, before, catalog, statement)
            continue
        faults += _signature_faults(catalog, statement)
        function = function_of(catalog, statement)
        if function and "sql_body" in statement.body:
            faults += _function_faults(project, catalog, function, statement.path)
        elif function:
            late.append((function, statement.path))
    return late


def _signature_faults(catalog: Catalog, statement: ParsedStatement) -> list[Fault]:
    context = Context(catalog, statement.path, statement.snippet)
    types_of_function(context, statement.body)
    return context.faults


def _function_faults(project: Project, catalog: Catalog, function: Function, path: tuple[str, ...]) -> list[Fault]:
    found = resolve_function(catalog, function, project.body(function), path)
    return [replace(fault, object=function.name) for fault in found]


def _last_state(walk: Walk, number: int, function: Function) -> int:
    """The last step at whose end a function is still as that statement has made it."""
    last = number
    for later in range(number, len(walk.states)):
        overloads = walk.states[later].functions.get(function.name, ())
        if not any(f.origin.statement is function.origin.statement for f in overloads):
            break
        last = later
    return last
