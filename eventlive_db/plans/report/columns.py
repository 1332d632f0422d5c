"""A plain-text table that fits a width: what does not fit goes below its row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from eventlive_db.plans.report.text import padded, width_of, wrapped

_GAP = "  "
_EMPTY = "-"
_MIN_NAME = 16


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        heading: Above it; a line feed breaks it over two lines.
        cells: One for each row.
        right: Whether it is set to the right, as figures are.
        aside: Order in which columns move below their row where the table is too wide; 0 for those that never do.
        nothing: A cell that need not be said below a row; ``-`` never is.
    """

    heading: str
    cells: Sequence[str]
    right: bool = False
    aside: int = 0
    nothing: str = _EMPTY

    @property
    def width(self) -> int:
        """Of the widest cell, the heading included."""
        return max(map(width_of, [*self.heading.split("\n"), *self.cells]))


def lines(columns: Sequence[Column], width: int) -> Iterator[str]:
    """The table; the first column is the row's name and may be broken over lines.

    Args:
        columns: With as many cells each.
        width: Of the terminal; a table that cannot be made to fit is wider.
    """
    shown, moved = _fitted(columns, width)
    widths = [c.width for c in shown]
    widths[0] = max(min(widths[0], width - _total(shown[1:]) - len(_GAP)), min(widths[0], _MIN_NAME))
    headings = [c.heading.split("\n") for c in shown]
    for line in range(-max(map(len, headings)), 0):
        yield _row([h[line] if len(h) >= -line else "" for h in headings], widths, shown)
    yield _row(["-" * w for w in widths], widths, shown)
    for index in range(len(columns[0].cells)):
        name, *further = _broken(shown[0].cells[index], widths[0])
        yield _row([name, *(c.cells[index] for c in shown[1:])], widths, shown)
        yield from further
        below = [f"{_title(c)}: {c.cells[index]}" for c in moved if c.cells[index] not in {_EMPTY, c.nothing}]
        if below:
            yield from wrapped(" | ".join(below), width, "    ", "      ")


def _title(column: Column) -> str:
    return column.heading.replace("-\n", "").replace("\n", " ")


def _fitted(columns: Sequence[Column], width: int) -> tuple[list[Column], list[Column]]:
    """Columns beside each other, and those below the rows."""
    shown = list(columns)
    for column in sorted((c for c in columns if c.aside), key=lambda c: c.aside):
        if _total([*shown[1:]]) + len(_GAP) + min(shown[0].width, _MIN_NAME * 2) <= width:
            break
        shown.remove(column)
    return shown, [c for c in columns if c not in shown]


def _total(columns: Sequence[Column]) -> int:
    return sum(c.width for c in columns) + len(_GAP) * max(0, len(columns) - 1)


def _row(cells: Sequence[str], widths: Sequence[int], columns: Sequence[Column]) -> str:
    padding = (padded(c, w, right=col.right) for c, w, col in zip(cells, widths, columns, strict=True))
    return _GAP.join(padding).rstrip()


def _broken(name: str, width: int) -> list[str]:
    """The name in pieces that fit, broken after a ``_``, ``.``, ``-`` or space where there is one."""
    pieces: list[str] = []
    while width_of(name) > width:
        cut = width
        while width_of(name[:cut]) > width:
            cut -= 1
        natural = max((name.rfind(c, 0, cut) for c in "_.- "), default=-1) + 1
        cut = natural if natural > width // 3 else cut
        pieces.append(name[:cut])
        name = "  " + name[cut:].lstrip()
    return [*pieces, name]
