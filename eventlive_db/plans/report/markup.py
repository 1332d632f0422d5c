"""Small pieces of HTML. Whatever is data goes through :func:`escaped` or :func:`as_json`."""

from __future__ import annotations

import difflib
import html
import json
from collections.abc import Iterable, Iterator
from typing import Any

from eventlive_db.plans.report.text import printable


def escaped(text: object) -> str:
    """Data as text of HTML or as an attribute in double quotes."""
    return html.escape(printable(str(text)), quote=True)


def element(tag: str, content: str = "", **attributes: object) -> str:
    """An element around markup. ``class_`` is class, ``_`` in other names is ``-``; True stands alone."""
    told = ""
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        told += f" {name.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escaped(value)}"')
    return f"<{tag}{told}>{content}</{tag}>"


def text(tag: str, data: object, **attributes: object) -> str:
    """An element around data."""
    return element(tag, escaped(data), **attributes)


def as_json(data: Any, **attributes: object) -> str:
    """Data for the page's script. ``<`` is escaped, so that nothing in it can end the element.

    Source: HTML standard, "Restrictions for contents of script elements".
    """
    content = json.dumps(_printable(data), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return "".join([element("script", content, type="application/json", **attributes), "\n"])


def _printable(data: Any) -> Any:
    if isinstance(data, str):
        return printable(data)
    if isinstance(data, dict):
        return {printable(key): _printable(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_printable(value) for value in data]
    return data


def table(headings: Iterable[tuple[str, bool]], rows: Iterable[str], **attributes: object) -> str:
    """A table that scrolls by itself where it is too wide; of each heading: its text and whether figures are below."""
    head = "".join(text("th", h, scope="col", class_="num" if right else None) for h, right in headings)
    body = element("thead", element("tr", head)) + element("tbody", "\n".join(rows))
    return element("div", element("table", body, **attributes), class_="table-responsive")


def bullets(items: Iterable[str]) -> str:
    """A list of sentences; nothing where there are none."""
    told = "".join(text("li", item) for item in items)
    return element("ul", told) if told else ""


def diff(before: str, after: str) -> str:
    """A unified diff, a line each with what it is as its class; nothing where the two are the same."""
    lines = list(_diff_lines(printable(before).splitlines(), printable(after).splitlines()))
    return element("pre", "".join(lines), class_="diff") if lines else ""


def _diff_lines(before: list[str], after: list[str]) -> Iterator[str]:
    kinds = {"+": "added", "-": "gone", "@": "hunk"}
    for line in list(difflib.unified_diff(before, after, lineterm=""))[2:]:
        yield text("span", line, class_=kinds.get(line[:1]))
