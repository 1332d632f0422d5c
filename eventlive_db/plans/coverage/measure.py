"""Which SQL statements of which functions ran: what the catalog has against what the logs prove."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg

from eventlive_db.functions import Catalog, Routine, read_catalog, split_signature
from eventlive_db.plans.coverage.errors import CoverageError
from eventlive_db.plans.coverage.log import Trace, executed
from eventlive_db.plans.coverage.result import Coverage, Spot, Unjudged
from eventlive_db.plans.coverage.steps import Body, take_apart
from eventlive_db.plans.frames import Place
from eventlive_db.plans.sources import Sources, read_sources

_UTILITY = "a utility command, of which auto_explain says nothing"
_SAME_NAME = "another SQL function has the same name, and the server does not say which one ran"


def report(
    logs: Iterable[Path],
    connection: psycopg.Connection[Any],
    *,
    schemas: Sequence[str] | None = None,
    sources: Iterable[Path] = (),
) -> Coverage:
    """Measure which SQL statements of a database's functions ran.

    Args:
        logs: Log files of servers that ran with ``COVERAGE_SETTINGS``.
        connection: To a database with the functions, whether the tests used it or not.
        schemas: Judge the functions of these; default: of all but the system's.
        sources: SQL files that create the functions, in the order in which they are run.

    Raises:
        ParserMissingError: pglast is not installed.
        LogError: A log cannot be read, or has no plan in it.
        CoverageError: A schema has no function.
    """
    catalog = read_catalog(connection)
    judged = None if schemas is None else _of_schemas(catalog, schemas)
    return measure_coverage(executed(logs), catalog, read_sources(sources), judged)


def _of_schemas(catalog: Catalog, schemas: Sequence[str]) -> tuple[Routine, ...]:
    for schema in schemas:
        if all(routine.schema != schema for routine in catalog.routines):
            msg = f"the schema {schema!r} has no function in plpgsql or SQL"
            raise CoverageError(msg, "Correct the name, or connect to the database that has it")
    return tuple(routine for routine in catalog.routines if routine.schema in schemas)


def measure_coverage(
    traces: Iterable[Trace],
    catalog: Catalog,
    sources: Sources | None = None,
    judged: Sequence[Routine] | None = None,
) -> Coverage:
    """Compare what could run with what ran.

    Args:
        traces: What ran.
        catalog: What could.
        sources: Where it is written.
        judged: Which functions of the catalog count; None for all.

    Raises:
        ParserMissingError: pglast is not installed.
    """
    sources = sources or Sources()
    traces_of, at_client = _assigned(traces, catalog)
    covered: list[Spot] = []
    uncovered: list[Spot] = []
    unjudged: list[Unjudged] = []
    for routine in catalog.routines if judged is None else judged:
        body = take_apart(routine, catalog.scalar_types)
        begin = _begin(routine, catalog, sources)
        if not body.problem and _is_ambiguous(routine, catalog):
            body = Body(problem=_SAME_NAME)
        if body.problem:
            unjudged.append(Unjudged(_spot(routine, begin, 0, ""), body.problem))
            continue
        ran = _ran(body, traces_of[routine], at_client)
        for number, statement in enumerate(body.statements):
            spot = _spot(routine, begin, statement.line, statement.text)
            (covered if number in ran else uncovered).append(spot)
        unjudged += (Unjudged(_spot(routine, begin, line, text), _UTILITY) for line, text in body.utilities)
    return Coverage(tuple(covered), tuple(uncovered), tuple(unjudged))


def _assigned(traces: Iterable[Trace], catalog: Catalog) -> tuple[Mapping[Routine, list[Trace]], frozenset[str]]:
    """The traces of each function; and the texts that no function ran, as a cursor that outlives its function does.

    A name without a schema counts only where one function has it: else it could be another's work.
    """
    routines: dict[tuple[str, str, str, str], list[Routine]] = defaultdict(list)
    for routine in catalog.routines:
        arguments = routine.arguments if routine.language == "plpgsql" else ""
        for schema in ("", routine.schema):
            routines[routine.language, schema, routine.name, arguments].append(routine)
    found: dict[Routine, list[Trace]] = defaultdict(list)
    at_client: set[str] = set()
    for trace in traces:
        if trace.kind == "client":
            at_client.add(trace.text or "")
            continue
        name = split_signature(trace.function) if trace.kind == "plpgsql" else ("", trace.function, "")
        candidates = routines.get((trace.kind, *name), [])
        if len(candidates) == 1:
            found[candidates[0]].append(trace)
    return found, frozenset(at_client)


def _is_ambiguous(routine: Routine, catalog: Catalog) -> bool:
    """Whether the server's name for a SQL function, which is bare, is also another's."""
    if routine.language != "sql":
        return False
    return sum(other.language == "sql" and other.name == routine.name for other in catalog.routines) > 1


def _ran(body: Body, traces: Iterable[Trace], at_client: frozenset[str]) -> set[int]:
    """Numbers of the statements that the traces prove."""
    ran: set[int] = set()

    def prove(number: int) -> None:
        ran.add(number)
        ran.update(body.statements[number].before)

    for trace in traces:
        steps = [step for step in body.steps if step.line == trace.line and step.at == trace.at]
        if trace.text is None or trace.kind == "sql":
            # Without a text a line proves something only where nothing else of the kind is on it.
            for step in steps if len(steps) == 1 else ():
                ran.update(step.before)
                for number in step.statements if step.whole or trace.kind == "sql" else ():
                    prove(number)
            continue
        for step in steps:
            same = [n for n in step.statements if body.statements[n].text == trace.text]
            for number in same or [n for n in step.statements if body.statements[n].dynamic]:
                prove(number)
    texts = {trace.text for trace in traces} | at_client
    for number, statement in enumerate(body.statements):
        if statement.cursor and statement.text in texts:
            prove(number)
    return ran


def _begin(routine: Routine, catalog: Catalog, sources: Sources) -> tuple[Path, int] | None:
    """File and line of the opening quote."""
    found = sources.find(Place(routine.signature, 1), overloads=True)
    if found is None:
        return None
    file, line = found
    lines = _lines_of(file, routine.source) if routine.source else (line,)
    if line in lines:
        return found
    if lines:  # another function of that name is in the same file
        return file, lines[0]
    overloads = sum((r.schema, r.name) == (routine.schema, routine.name) for r in catalog.routines)
    return found if overloads == 1 else None


def _lines_of(file: Path, body: str) -> tuple[int, ...]:
    text = file.read_text(encoding="utf-8")
    lines: list[int] = []
    at = text.find(body)
    while at >= 0:
        lines.append(text.count("\n", 0, at) + 1)
        at = text.find(body, at + 1)
    return tuple(lines)


def _spot(routine: Routine, begin: tuple[Path, int] | None, line: int, text: str) -> Spot:
    if begin is None:
        return Spot(routine.signature, line, text)
    return Spot(routine.signature, line, text, str(begin[0]), begin[1] + max(line - 1, 0))
