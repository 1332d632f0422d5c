"""What a CI server reads: JUnit XML and GitHub's annotations."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from eventlive_db.plans.frames import Place
from eventlive_db.plans.report import annotations as annotated
from eventlive_db.plans.report import junit_xml
from eventlive_db.plans.verdict import Report, Violation
from eventlive_db.server import Server
from tests.plans.report_sample import HOSTILE, made_up, of_figures, real_report


@pytest.fixture(scope="module")
def report(pg_server: Server, schema_template: str) -> Report:
    """Calls that really ran."""
    return real_report(pg_server, schema_template)


def parsed(report: Report) -> ET.Element:
    """The suite of a report's JUnit XML, as a CI server would read it."""
    [suite] = ET.fromstring(junit_xml(report).encode())  # noqa: S314
    return suite


def test_junit_of_a_real_report(report: Report) -> None:
    suite = parsed(report)
    assert {k: suite.attrib[k] for k in ("name", "tests", "failures", "errors", "skipped")} == {
        "name": "eventlive",
        "tests": "3",
        "failures": "1",
        "errors": "0",
        "skipped": "0",
    }
    assert [c.attrib["name"] for c in suite.iter("testcase")] == ["ping", "enter", "touch_all"]
    [failure] = suite.iter("failure")
    assert failure.attrib["type"] == "budget.seq_scans"
    assert failure.attrib["message"].endswith("none is allowed (and 1 further problem)")
    assert "budget.statements: 81 statements; 5 are allowed" in (failure.text or "")
    assert "in sample.touch_all line 8 (sql/touch_all.sql:12)" in (failure.text or "")


def test_junit_has_only_what_the_common_schema_knows(report: Report) -> None:
    known = {
        "testsuites": {"name", "tests", "failures", "errors", "time"},
        "testsuite": {"name", "tests", "failures", "errors", "skipped", "time"},
        "properties": set(),
        "property": {"name", "value"},
        "testcase": {"classname", "name", "time"},
        "failure": {"type", "message"},
        "system-out": set(),
    }
    for element in ET.fromstring(junit_xml(report)).iter():  # noqa: S314
        assert set(element.attrib) <= known[element.tag]
    for case in parsed(report).iter("testcase"):
        assert [child.tag for child in case] in ([], ["failure"], ["system-out"], ["failure", "system-out"])


def test_junit_counts_what_concerns_the_suite_itself() -> None:
    suite = parsed(
        Report("app", "18.6", (of_figures(6, name="enter"),), (Violation("snapshot.unused", "", "old.txt"),))
    )
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("2", "1")
    assert parsed(Report("app", "18.6", (of_figures(6, name="enter"),))).attrib["failures"] == "0"


@pytest.mark.parametrize("text", [HOSTILE, "\x00\x08\x1b\x7f\ud800\udfff\ufffe\uffff]]>", "x" * 300_000])
def test_junit_is_xml_whatever_the_texts_are(text: str) -> None:
    suite = parsed(made_up(text, name=text, violations=(Violation(text, text, text, text),)))
    assert len(list(suite.iter("failure"))) == 1


def test_annotations_stand_at_the_line_of_the_file(report: Report) -> None:
    first, second = annotated(report)
    assert first.startswith(
        "::error file=sql/touch_all.sql,line=12,title=budget.seq_scans%3A touch_all::budget.seq_scans: sample.item is"
    )
    assert "%0A  likely: an index on sample.item (note) is missing" in first
    assert second == "::error title=budget.statements%3A touch_all::budget.statements: 81 statements; 5 are allowed"
    assert list(annotated(made_up())) == []


def test_annotations_are_escaped() -> None:
    violation = Violation(
        "t", "a:b,c%d\r\ne", "100%,\r\nnext: ::error::x", place=Place("f", 1), file="a,b:c.sql", file_line=2
    )
    [line] = annotated(made_up(violations=(violation,)))
    assert line == (
        "::error file=a%2Cb%3Ac.sql,line=2,title=t%3A a%3Ab%2Cc%25d%0Ae"
        "::t: 100%25,%0Anext: ::error::x%0A  in f line 1 (a,b:c.sql:2)"
    )
    [hostile] = annotated(made_up(violations=(Violation(HOSTILE, HOSTILE, HOSTILE),)))
    assert hostile.isprintable()
