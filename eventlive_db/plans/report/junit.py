"""A report as JUnit XML, which most CI servers show."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from eventlive_db.plans.report.text import one_line, plural, printable
from eventlive_db.plans.verdict import CaseReport, Report, Violation

_SUITE_ITSELF = "the suite"


def junit_xml(report: Report) -> str:
    """A test case for each case, with one failure that tells all its violations.

    The failure's type is the token of the first violation: readers of this format take one failure a test case.
    What concerns no single case is a test case of its own. There are no times: nothing here was timed.

    Returns:
        A document with an XML declaration, for writing as UTF-8.
    """
    cases = [_case(report.suite, case.name, case.violations, _said(case)) for case in report.cases]
    if report.violations:
        cases.append(_case(report.suite, _SUITE_ITSELF, report.violations, ""))
    failures = sum(case.find("failure") is not None for case in cases)
    counts = {"tests": str(len(cases)), "failures": str(failures), "errors": "0", "time": "0"}
    root = ET.Element("testsuites", {"name": one_line(report.suite), **counts})
    suite = ET.SubElement(root, "testsuite", {"name": one_line(report.suite), **counts, "skipped": "0"})
    properties = ET.SubElement(suite, "properties")
    ET.SubElement(properties, "property", {"name": "server_version", "value": one_line(report.server_version)})
    suite.extend(cases)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(suite: str, name: str, violations: tuple[Violation, ...], said: str) -> ET.Element:
    case = ET.Element("testcase", {"classname": one_line(suite), "name": one_line(name), "time": "0"})
    if violations:
        first = violations[0]
        message = first.problem
        if len(violations) > 1:
            message += f" (and {plural(len(violations) - 1, 'further problem')})"
        failure = ET.SubElement(case, "failure", {"type": one_line(first.token), "message": one_line(message)})
        failure.text = printable("\n".join(map(str, violations)))
    if said:
        ET.SubElement(case, "system-out").text = printable(said)
    return case


def _said(case: CaseReport) -> str:
    return "\n".join([*(f"changed: {c}" for c in case.changes), *(f"note: {n}" for n in case.notes)])
