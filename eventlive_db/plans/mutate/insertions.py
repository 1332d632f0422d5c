"""Faults that are a statement more: each is put at the beginning of every function that a case runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eventlive_db.plans.case import Case
from eventlive_db.plans.mutate.catalog import Catalog, Function, Table
from eventlive_db.plans.mutate.model import Mutant

_MAKE_SEQUENCE = """
    create schema plans_mutant;
    create sequence plans_mutant.burned;
    grant usage on schema plans_mutant to public;
    grant usage on sequence plans_mutant.burned to public;
"""


def insertions(catalog: Catalog) -> Iterator[Mutant]:
    """What a careless change adds to a function: a look-up, a caught error, a lock, a sequence value."""
    for operator in (add_lookup, swallow_error, take_lock, burn_sequence):
        for function in catalog.functions:
            cases = catalog.running(function)
            if cases and function.with_statement("") is not None:
                yield from operator(catalog, function, cases)


def add_lookup(catalog: Catalog, function: Function, cases: tuple[str, ...]) -> Iterator[Mutant]:
    """A row is read, of a table that the calls do not touch, and of one that they do."""
    for table in (_table(catalog, cases, touched=False), _table(catalog, cases, touched=True)):
        if table is not None:
            yield _inserted(
                "add_lookup",
                function,
                f"{function.label} reads a row of {table.name}",
                f"perform from {table.sql} limit 1;",
                cases,
                "tighten statements, only_touches or never_touches of a case that runs it",
            )


def swallow_error(_: Catalog, function: Function, cases: tuple[str, ...]) -> Iterator[Mutant]:
    """An error is raised and caught."""
    yield _inserted(
        "swallow_error",
        function,
        f"{function.label} catches an error",
        "begin perform 1/0; exception when division_by_zero then null; end;",
        cases,
        "set aborted_subtransactions = 0 for a case that runs it",
    )


def take_lock(catalog: Catalog, function: Function, cases: tuple[str, ...]) -> Iterator[Mutant]:
    """An advisory lock is taken, and one on a table, where the function may."""
    hidden = all(
        run.locks.get("advisory") == "Exclusive" for name in cases for run in catalog.traces[name].runs.values()
    )
    yield _inserted(
        "take_lock",
        function,
        f"{function.label} takes an advisory lock",
        "perform pg_catalog.pg_advisory_xact_lock(42);",
        cases,
        "give a case that runs it a budget of locks",
        "each call that runs it holds an exclusive advisory lock anyway, and a budget tells modes, not keys"
        if hidden
        else "",
    )
    table = _table(catalog, cases, touched=True)
    if function.volatile and table is not None:
        yield _inserted(
            "take_lock",
            function,
            f"{function.label} locks the table {table.name}",
            f"lock table {table.sql} in share row exclusive mode;",
            cases,
            "give a case that runs it a budget of locks",
            held=f"each call that runs it locks {table.name} as strongly anyway",
        )


def burn_sequence(_: Catalog, function: Function, cases: tuple[str, ...]) -> Iterator[Mutant]:
    """A value is taken from a sequence."""
    yield _inserted(
        "burn_sequence",
        function,
        f"{function.label} takes a value of a sequence",
        "perform pg_catalog.nextval('plans_mutant.burned');",
        cases,
        "tighten sequences of a case that runs it",
        before=_MAKE_SEQUENCE,
        after="drop schema plans_mutant cascade;",
    )


def assign_xid(catalog: Catalog, cases: Iterable[Case]) -> Iterator[Mutant]:
    """A transaction id is taken in functions of calls that are to take none."""
    reading = {case.name for case in cases if case.budget.xids == 0}
    for function in catalog.functions:
        names = tuple(name for name in catalog.running(function) if name in reading)
        changed = function.with_statement("perform pg_catalog.pg_current_xact_id();")
        if names and changed is not None:
            yield Mutant(
                operator="assign_xid",
                name=f"{function.label} takes a transaction id",
                sql=changed,
                undo=function.definition,
                cases=names,
                advice="the budget xids = 0 of the cases that run it does not see it",
            )


def _inserted(
    operator: str,
    function: Function,
    name: str,
    statement: str,
    cases: tuple[str, ...],
    advice: str,
    not_counted: str = "",
    held: str = "",
    before: str = "",
    after: str = "",
) -> Mutant:
    return Mutant(
        operator=operator,
        name=name,
        sql=f"{before}{function.with_statement(statement)}",
        undo=f"{function.definition};{after}",
        cases=cases,
        advice=advice,
        held=held,
        not_counted=not_counted,
    )


def _table(catalog: Catalog, cases: tuple[str, ...], *, touched: bool) -> Table | None:
    """A table that all of these cases touch, or the first one that one of them does; or one that none touches."""
    counts = {table.name: len(set(catalog.touching(table)) & set(cases)) for table in catalog.tables}
    if touched:
        found = [table for table in catalog.tables if counts[table.name]]
        return max(found, key=lambda table: counts[table.name], default=None)
    known = {table.name.partition(".")[0] for table in catalog.tables if catalog.touching(table)}
    return next((t for t in catalog.tables if not counts[t.name] and t.name.partition(".")[0] in known), None)
