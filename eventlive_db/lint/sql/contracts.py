"""Holds what functions touch against what ``lint.toml`` says of them."""

from __future__ import annotations

from collections.abc import Iterator

from eventlive_db.lint.sql.catalog import Catalog, Function
from eventlive_db.lint.sql.config import Config, Contract, Only
from eventlive_db.lint.sql.context import Fault, listing, suggestion
from eventlive_db.lint.sql.text import SourceFile
from eventlive_db.lint.sql.touches import CallGraph


def check_contracts(catalog: Catalog, graph: CallGraph, config: Config, source: SourceFile) -> Iterator[Fault]:
    """The contracts that do not hold.

    Args:
        catalog: The schema.
        graph: What its functions touch.
        config: With the contracts.
        source: The file they stand in, for those that name what is not there.
    """
    for contract in config.contracts:
        functions = catalog.functions.get(contract.function, ())
        if functions:
            yield from _contract(graph, contract, functions[0], source)
        else:
            near = suggestion(contract.function, list(catalog.functions))
            message = f"the contract is for {contract.function}, and there is no such function"
            yield _in_config(source, contract.line, "contract.touches", message, near)
    for only in config.only:
        yield from _only(catalog, graph, only, source)


def _in_config(source: SourceFile, line: int, rule: str, message: str, advice: str) -> Fault:
    return Fault(source.whole(), source.line_start(line), rule, message, advice)


def _contract(graph: CallGraph, contract: Contract, function: Function, source: SourceFile) -> Iterator[Fault]:
    statement, index = function.origin.statement, function.origin.index
    word = function.name.rpartition(".")[2]
    dynamic = graph.dynamic_of(function.name)
    if dynamic:
        message = f"what {function.name} touches cannot be known, for {dynamic[0]} executes a text"
        yield Fault(statement, index, "contract.touches", message, "write the statement out", word, function.name)
        return
    touched = graph.all_of(function.name)
    for (table, operation), way in sorted(touched.items()):
        if operation not in contract.touches.get(table, frozenset()):
            by = f" by way of {' > '.join(way[1:])}" if len(way) > 1 else ""
            message = f"{function.name} does {operation} on {table}{by}, which its contract does not say"
            snippet, place = graph.direct(way[-1]).tables[table, operation]
            advice, word = "leave it out, or change the contract", table.rpartition(".")[2]
            yield Fault(snippet, place, "contract.touches", message, advice, word, function.name)
    for table, operations in contract.touches.items():
        missing = sorted(operation for operation in operations if (table, operation) not in touched)
        if missing:
            message = f"{function.name} does no {listing(missing)} on {table}, as its contract says it does"
            yield _in_config(source, contract.line, "contract.touches", message, "take it out of the contract")


def _only(catalog: Catalog, graph: CallGraph, only: Only, source: SourceFile) -> Iterator[Fault]:
    if only.table not in catalog.relations:
        near = suggestion(only.table, list(catalog.relations))
        message = f"the rule is for {only.table}, and there is no such table"
        yield _in_config(source, only.line, "contract.only", message, near)
        return
    doing = set()
    for name in graph.names():
        place = graph.direct(name).tables.get((only.table, only.operation))
        if place is None:
            continue
        doing.add(name)
        if name not in only.functions:
            message = f"{name} does {only.operation} on {only.table}; only {listing(sorted(only.functions))} may"
            word = only.table.rpartition(".")[2]
            yield Fault(*place, "contract.only", message, "call one of them", word, name)
    for name in sorted(only.functions - doing):
        message = f"{name} does no {only.operation} on {only.table}, as it alone may"
        yield _in_config(source, only.line, "contract.only", message, "take it off the list")
