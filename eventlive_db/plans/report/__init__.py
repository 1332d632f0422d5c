"""What a judged suite is told as: terminal table, JSON, JUnit, CI annotations, an HTML page. Pure functions to text."""

from eventlive_db.plans.report.annotations import annotations
from eventlive_db.plans.report.as_json import FORMAT_VERSION, run_to_dict, to_dict
from eventlive_db.plans.report.html import html_page
from eventlive_db.plans.report.junit import junit_xml
from eventlive_db.plans.report.terminal import nested, table

__all__ = [
    "FORMAT_VERSION",
    "annotations",
    "html_page",
    "junit_xml",
    "nested",
    "run_to_dict",
    "table",
    "to_dict",
]
