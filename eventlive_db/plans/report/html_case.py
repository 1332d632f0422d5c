"""One case of the HTML report: what does not hold, what changed, and each statement with its plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from eventlive_db.plans.frames import Place
from eventlive_db.plans.model import Measurement, PlanMode, Run
from eventlive_db.plans.report.figures import Figures, locks_line, size_name
from eventlive_db.plans.report.markup import as_json, bullets, diff, element, escaped, table, text
from eventlive_db.plans.report.plan_text import plan_lines, query_lines
from eventlive_db.plans.report.text import plural, shortened
from eventlive_db.plans.report.tree import Branch, branches, flat, place_line
from eventlive_db.plans.verdict import CaseReport, Violation

_QUERY_LENGTH = 240
_RUN_HEADINGS = (
    ("size", False),
    ("plan", False),
    ("statements", True),
    ("buffers", True),
    ("rows read", True),
    ("WAL records", True),
    ("WAL bytes", True),
    ("full-page images", True),
    ("temporary blocks", True),
    ("subtransactions aborted", True),
    ("HOT updates", False),
)


def case_section(case: CaseReport, number: int, figures: Figures, names: Mapping[str, str]) -> str:
    """A case, to be opened; open from the start where it failed.

    Args:
        case: The case.
        number: Its number in the report, from 1: it is found as ``#case-<number>``.
        figures: Its figures.
        names: Short names of tables.
    """
    noun = "statement" if figures.statements == "1" else "statements"
    brief = f"{figures.statements} {noun}, {figures.buffers} buffers"
    summary = element(
        "summary",
        text("h2", case.name) + badge(case.passed) + text("span", brief if case.measurements else "", class_="brief"),
    )
    inside = "\n".join(_inside(case, number, names))
    return element(
        "details",
        summary + element("div", inside, class_="inside"),
        class_="case" if case.passed else "case fail",
        id=f"case-{number}",
        data_case=case.name.lower(),
        data_passed=str(case.passed).lower(),
        open=not case.passed,
    )


def badge(passed: bool) -> str:
    """The verdict."""
    kind = "success" if passed else "danger"
    return text("span", "ok" if passed else "FAIL", class_=f"verdict badge text-bg-{kind}")


def violations_list(violations: Iterable[Violation]) -> str:
    """What does not hold; nothing where all does."""
    told = "\n".join(element("li", "".join(_violation(v))) for v in violations)
    return element("ul", told, class_="violations") if told else ""


def _inside(case: CaseReport, number: int, names: Mapping[str, str]) -> Iterator[str]:
    yield text("pre", case.call)
    yield violations_list(case.violations)
    yield from _snapshot(case)
    if case.notes:
        yield text("h3", "Notes") + bullets(case.notes)
    if not case.measurements:
        yield text("p", "Nothing was measured: the call could not be made.", class_="note")
        return
    yield text("h3", "Measured")
    runs = [
        (f"{number}-{at}-{mode}", m, mode, run)
        for at, m in enumerate(case.measurements)
        for mode, run in m.runs.items()
    ]
    first = _first_shown(case, [(m, mode) for _, m, mode, _ in runs])
    headings = [h for h, used in zip(_RUN_HEADINGS, _used(runs), strict=True) if used]
    yield table(headings, _run_rows(runs, names), class_="table table-sm measured")
    for index, (name, measurement, mode, run) in enumerate(runs):
        yield _run(name, measurement, mode, run, index == first, names)


def _violation(violation: Violation) -> Iterator[str]:
    where = [f"{violation.mode} plan"] if violation.mode else []
    if violation.rows:
        where.append(f"at {size_name(violation.rows)}")
    measured = f" ({', '.join(where)})" if where else ""
    yield element("p", text("code", violation.token, class_="token") + escaped(f" {violation.problem}{measured}"))
    if violation.place is not None:
        file = f" ({violation.file}:{violation.file_line})" if violation.file else ""
        statement = text("code", violation.statement) if violation.statement else ""
        yield element("p", escaped(f"in {violation.place}{file}{': ' if statement else ''}") + statement)
    if violation.cause:
        yield text("p", f"likely: {violation.cause}", class_="likely")


def _snapshot(case: CaseReport) -> Iterator[str]:
    if case.snapshot is None and case.snapshot_before is None:
        return
    changed = diff(case.snapshot_before or "", case.snapshot or "") if case.snapshot != case.snapshot_before else ""
    if case.snapshot_before is not None and case.snapshot is not None and changed:
        yield text("h3", "Changed against the snapshot") + bullets(case.changes) + changed
        return
    said = "Snapshot of the plans, unchanged"
    if case.snapshot_before is None:
        said = "Plans now; there is no snapshot yet"
    elif case.snapshot is None:
        said = "Snapshot on disk; there are no plans now"
    yield bullets(case.changes)
    yield element(
        "details",
        text("summary", said, class_="note") + text("pre", case.snapshot or case.snapshot_before or "", tabindex=0),
    )


def _first_shown(case: CaseReport, runs: list[tuple[Measurement, PlanMode]]) -> int:
    """The run that a reader wants to see: that of the first violation, else the first at the largest size."""
    largest = max(m.rows for m, _ in runs)
    for violation in case.violations:
        if violation.mode or violation.rows:
            wanted = (violation.rows or largest, violation.mode or runs[0][1])
            found = [i for i, (m, mode) in enumerate(runs) if (m.rows, mode) == wanted]
            if found:
                return found[0]
    return next((i for i, (m, _) in enumerate(runs) if m.rows == largest), 0)


_Runs = list[tuple[str, Measurement, PlanMode, Run]]


def _used(runs: _Runs) -> list[bool]:
    """Which columns say anything: images, temporary blocks, aborts and HOT updates are shown only where there are."""
    rare = [
        any(run.wal_fpi for *_, run in runs),
        any(run.temp_blocks for *_, run in runs),
        any(run.aborted for *_, run in runs),
        any(m.updates for _, m, _, _ in runs),
    ]
    return [True] * (len(_RUN_HEADINGS) - len(rare)) + rare


def _run_rows(runs: _Runs, names: Mapping[str, str]) -> Iterator[str]:
    used = _used(runs)
    for name, measurement, mode, run in runs:
        size = size_name(measurement.rows)
        pick = text("button", mode, type="button", class_="btn btn-sm btn-outline-primary pick", data_run=f"run-{name}")
        figures = (
            len(run.table_statements),
            run.buffers,
            run.rows_read,
            run.wal_records,
            run.wal_bytes,
            run.wal_fpi,
            run.temp_blocks,
            len(run.aborted),
        )
        hot = "; ".join(f"{names.get(t, t)} {u.hot} of {u.total}" for t, u in measurement.updates.items())
        cells = [
            text("td", size),
            element("td", pick),
            *(text("td", f, class_="num") for f in figures),
            text("td", hot),
        ]
        yield element("tr", "".join(cell for cell, shown in zip(cells, used, strict=True) if shown))


def _run(name: str, measurement: Measurement, mode: PlanMode, run: Run, first: bool, names: Mapping[str, str]) -> str:
    shown = list(flat(branches(run)))
    statements = "\n".join(_statement(branch, depth, name, index) for index, (depth, branch) in enumerate(shown))
    data = [{"query": b.statement.query or b.statement.text, "plan": _without_query(b)} for _, b in shown]
    raised = f" (row count only told to the planner: {', '.join(measurement.raised)})" if measurement.raised else ""
    heading = text("h3", f"Statements: {size_name(measurement.rows)}, {mode} plan{raised}")
    return element(
        "section",
        "\n".join([heading, _totals(run, names), statements, as_json(data, id=f"plans-{name}")]),
        class_="run first" if first else "run",
        id=f"run-{name}",
    )


def _without_query(branch: Branch) -> dict[str, object]:
    return {key: value for key, value in branch.statement.plan.items() if key != "Query Text"}


def _totals(run: Run, names: Mapping[str, str]) -> str:
    told = {
        "locks": locks_line(run.locks, names) or "none stronger than AccessShare",
        "transaction ids": "not known" if run.xids is None else run.xids,
        "sequences": _counts(run.sequences),
        "subtransactions": _places(run.subtransactions),
        "rolled back": _places(run.aborted),
        "function calls": _counts(run.function_calls),
    }
    pairs = (element("div", text("dt", name) + text("dd", value)) for name, value in told.items() if value != "")
    return element("dl", "".join(pairs), class_="totals")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} x {count}" if count > 1 else name for name, count in counts.items())


def _places(places: Iterable[Place]) -> str:
    return _counts(Counter(map(str, places)))


def _statement(branch: Branch, depth: int, run: str, index: int) -> str:
    statement = branch.statement
    place = escaped(place_line(branch))
    if branch.executions > 1:
        place += text("span", f"  x {branch.executions}", class_="times")
    wal = f", WAL {plural(branch.own_wal_records, 'record')}" if branch.own_wal_records else ""
    cost = f"{plural(branch.rows, 'row')}, {plural(branch.own_buffers, 'buffer')}{wal}"
    scans = "".join(
        text("span", f"Seq Scan {relation}", class_="badge text-bg-warning me-1")
        for relation in statement.sequential_scans
    )
    summary = "".join(
        [
            element("span", place, class_="place"),
            text("code", shortened(statement.text, _QUERY_LENGTH), class_="query"),
            text("span", cost, class_="cost"),
            element("span", scans + escaped(", ".join(statement.indexes)), class_="access"),
        ]
    )
    inside = "".join(
        [
            text("pre", "\n".join(query_lines(statement)), tabindex=0),
            text("pre", "\n".join(plan_lines(statement.node)), tabindex=0),
            element("div", class_="drawn"),
        ]
    )
    return element(
        "details",
        element("summary", summary) + element("div", inside, class_="inside"),
        class_="stmt",
        id=f"statement-{run}-{index}",
        data_plans=run,
        data_index=index,
        style=f"--depth:{depth}",
    )
