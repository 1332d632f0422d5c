"""A report as plain text: the table of the cases, and the statements inside one call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from eventlive_db.plans.frames import Place
from eventlive_db.plans.model import Run
from eventlive_db.plans.report.columns import Column, lines
from eventlive_db.plans.report.figures import figures, locks_line, short_names, size_name, sizes
from eventlive_db.plans.report.plan_text import plan_lines, query_lines
from eventlive_db.plans.report.text import one_line, plural, wrapped
from eventlive_db.plans.report.tree import Branch, branches, place_line
from eventlive_db.plans.verdict import Report, Violation

_QUERY_LINES = 12


def table(report: Report, *, width: int) -> str:
    """A row for each case, then in sentences what does not hold and what changed.

    Args:
        report: The judged suite.
        width: Columns of the terminal. What does not fit beside the figures goes below its row.

    Returns:
        Lines with a line feed after each. Control characters in names and texts are replaced.
    """
    parts: list[Iterable[str]] = []
    if report.cases:
        parts.extend([_cases(report, width), _caption(report, width)])
    parts.extend(_problems(case.name, case.violations, width) for case in report.cases if case.violations)
    if report.violations:
        parts.append(_problems("the suite", report.violations, width))
    parts.append(_section("changed against the snapshot", ((c.name, c.changes) for c in report.cases), width))
    parts.append(_section("notes", ((c.name, c.notes) for c in report.cases), width))
    parts.append(wrapped(_verdict(report), width))
    texts = ["\n".join(part) for part in parts]
    return "\n\n".join(text for text in texts if text) + "\n"


def _cases(report: Report, width: int) -> Iterator[str]:
    names = short_names(report)
    rows = [figures(case, names) for case in report.cases]
    columns = [
        Column("case", [one_line(case.name) for case in report.cases]),
        Column("state-\nments", [f.statements for f in rows], right=True),
        Column("buffers", [f.buffers for f in rows], right=True),
        Column("rows\nread", [f.rows_read for f in rows], right=True, aside=6),
        Column("WAL\nrecords", [f.wal_records for f in rows], right=True, aside=7),
        Column("WAL\nbytes", [f.wal_bytes for f in rows], right=True, aside=5),
        Column("seq\nscans", [f.seq_scans for f in rows], aside=2),
        Column("locks", [f.locks for f in rows], aside=1),
        Column("aborted", [f.aborted for f in rows], right=True, aside=3, nothing="0"),
        Column("HOT", [f.hot for f in rows], right=True, aside=4),
        Column("verdict", [f.verdict for f in rows]),
    ]
    return lines(columns, width)


def _caption(report: Report, width: int) -> list[str]:
    measured = sizes(report)
    at = " at each size, the smallest first, one where all are the same;"
    if measured == (0,):
        at = " are"
    elif measured is not None:
        at = f" at {' / '.join(size_name(rows) for rows in measured)}, one where all are the same;"
    return wrapped(
        f"Figures{at} of the generic and the custom plan the dearer one."
        " Locks are those stronger than AccessShare; aborted are subtransactions.",
        width,
    )


def _problems(name: str, violations: tuple[Violation, ...], width: int) -> Iterator[str]:
    yield f"{one_line(name)}: {plural(len(violations), 'problem')}"
    for violation in violations:
        first, *further = violation.sentences()
        yield from wrapped(first + _measured_at(violation), width, "  ", "    ")
        for sentence in further:
            yield from wrapped(sentence, width, "    ", "      ")


def _measured_at(violation: Violation) -> str:
    where = [f"{violation.mode} plan"] if violation.mode else []
    if violation.rows:
        where.append(f"at {size_name(violation.rows)}")
    return f" ({', '.join(where)})" if where else ""


def _section(heading: str, by_case: Iterable[tuple[str, tuple[str, ...]]], width: int) -> Iterator[str]:
    names: dict[str, list[str]] = {}
    for name, sentences in by_case:
        for sentence in sentences:
            names.setdefault(sentence, []).append(name)
    if names:
        yield heading
    for sentence, said_by in names.items():
        whose = said_by[0] if len(said_by) == 1 else f"{len(said_by)} cases"
        yield from wrapped(f"{whose}: {sentence}", width, "  ", "    ")


def _verdict(report: Report) -> str:
    failed = sum(not case.passed for case in report.cases)
    problems = len(report.all_violations)
    text = (
        f"{one_line(report.suite)} on Postgres {one_line(report.server_version)}: {plural(len(report.cases), 'case')}"
    )
    if report.passed:
        return f"{text}, all ok"
    return f"{text}, {failed} failed, {plural(problems, 'problem')}"


def nested(run: Run, *, width: int = 100) -> str:
    """The statements inside one call, each below the one that ran it, with its plan; totals at the end.

    Args:
        run: The call. The same statement more than three times inside one other is shown once, with ``x k``.
        width: Columns of the terminal, for queries and conditions.

    Returns:
        Lines with a line feed after each. Control characters in texts are replaced.
    """
    blocks = ["\n".join(_branch(root, 0, width)) for root in branches(run)]
    return "\n\n".join([*blocks, "\n".join(_totals(run, width))]) + "\n"


def _branch(branch: Branch, depth: int, width: int) -> Iterator[str]:
    indent = "    " * depth
    if branch.statement.frames:
        times = f" x {branch.executions}" if branch.executions > 1 else ""
        yield from wrapped(f"{place_line(branch)}{times}", width, indent, f"{indent}    ")
        indent += "  "
    query: list[str] = []
    for line in query_lines(branch.statement):
        own = _indented(line, indent)
        query.extend(wrapped(line, width, own, f"{own}    "))
    yield from query[:_QUERY_LINES]
    if len(query) > _QUERY_LINES:
        yield f"{indent}… ({plural(len(query) - _QUERY_LINES, 'line')} more)"
    yield from wrapped(_cost(branch), width, indent, f"{indent}    ")
    for line in plan_lines(branch.statement.node):
        own = _indented(line, f"{indent}| ")
        yield from wrapped(line, width, own, f"{own}    ")
    for child in branch.children:
        yield ""
        yield from _branch(child, depth + 1, width)


def _indented(line: str, indent: str) -> str:
    return indent + " " * (len(line) - len(line.lstrip()))


def _cost(branch: Branch) -> str:
    buffers = plural(branch.own_buffers, "buffer")
    if branch.buffers != branch.own_buffers:
        buffers += f" of its own, {branch.buffers} with what ran inside"
    parts = [plural(branch.rows, "row"), buffers]
    if branch.own_wal_records:
        parts.append(f"WAL {plural(branch.own_wal_records, 'record')}, {plural(branch.own_wal_bytes, 'byte')}")
    if branch.statement.triggers:
        fired = (f"{one_line(name)} x {count}" for name, count in branch.statement.triggers.items())
        parts.append(f"triggers {', '.join(fired)}")
    return "; ".join(parts)


def _totals(run: Run, width: int) -> Iterator[str]:
    parts = [
        f"{plural(len(run.table_statements), 'statement')} on tables",
        plural(run.buffers, "buffer"),
        f"{plural(run.rows_read, 'row')} read",
        f"WAL {plural(run.wal_records, 'record')}, {plural(run.wal_bytes, 'byte')}",
    ]
    if run.wal_fpi:
        parts.append(plural(run.wal_fpi, "full-page image"))
    if run.temp_blocks:
        parts.append(f"{plural(run.temp_blocks, 'block')} of temporary files")
    yield from wrapped(f"total: {'; '.join(parts)}", width, "", "  ")
    xids = "not known" if run.xids is None else str(run.xids)
    yield from wrapped(f"locks: {locks_line(run.locks, {}) or 'none stronger than AccessShare'}", width, "", "  ")
    yield f"transaction ids: {xids}"
    yield from wrapped(f"sequences: {_counts(run.sequences)}", width, "", "  ")
    begun = _places(run.subtransactions)
    aborted = f"; {len(run.aborted)} rolled back: {_places(run.aborted)}" if run.aborted else ""
    yield from wrapped(f"subtransactions: {begun}{aborted}", width, "", "  ")
    yield from wrapped(f"function calls: {_counts(run.function_calls)}", width, "", "  ")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} x {count}" if count > 1 else name for name, count in counts.items()) or "none"


def _places(places: tuple[Place, ...]) -> str:
    return _counts(Counter(map(str, places)))
