"""Expectations as a table of words that a product person can read."""

from __future__ import annotations

Table = dict[str, dict[str, str]]


def read_table(*texts: str) -> Table:
    """Row to column to cell; further texts add columns to the same rows."""
    rows: Table = {}
    for text in texts:
        header, *lines = (line.split() for line in text.strip().split("\n"))
        for line in lines:
            rows.setdefault(line[0], {}).update(zip(header[1:], line[1:], strict=True))
    return rows


def by_column(text: str) -> Table:
    """Column to row to cell."""
    turned: Table = {}
    for row, cells in read_table(text).items():
        for column, cell in cells.items():
            turned.setdefault(column, {})[row] = cell
    return turned


def cells(text: str) -> list[tuple[str, str, str]]:
    """Row, column and cell, one by one."""
    return [(row, column, cell) for row, of_row in read_table(text).items() for column, cell in of_row.items()]
