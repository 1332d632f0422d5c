"""SQL in the strings of Python files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lint.sql_bench import ONLY_NAMES, SHOP, findings, place

FAULTY = {
    "executed": 'connection.execute("select ^id from shop.orders")',
    "executed with parameters": 'cursor.execute("select o.total from shop.orders o where o.^id = %s", [1])',
    "named parameters": 'cursor.execute("select 1 from shop.orders o where o.total = %(a)s and o.^id = %(b)s", {})',
    "composed": 'sql.SQL("select ^id from shop.orders")',
    "composed with holes": 'sql.SQL("select {}, o.^id from shop.orders o where {}").format(a, b)',
    "a hole for the table": 'sql.SQL("select 1 from {} x, shop.orders o where o.^id = x.id").format(a)',
    "text of SQLAlchemy": 'text("select o.total::int from shop.orders o where o.total = :a and o.^id = :b")',
    "a constant": 'QUERY = "select ^id from shop.orders"',
    "bytes": 'QUERY = b"select ^id from shop.orders"',
    "raw": "QUERY = r\"select ^id from shop.orders where total ~ '\\d'\"",
    "triple quotes": 'QUERY = """\n  select o.total,\n         o.^id\n    from shop.orders o\n"""',
    "joined by standing side by side": 'execute(\n    "select o.total"  # that\n    " , o.^id from shop.orders o"\n)',
    "an escape before": "QUERY = \"select '\\u00e9\\n', ^id from shop.orders\"",
    "an f-string": 'QUERY = f"select {a}, o.^id from shop.orders o"',
    "an f-string with a call in it": "QUERY = f\"select o.^id from shop.orders o where o.total = {call('x')}\"",
    "beginning with a comment": 'QUERY = "-- all of them\\nselect ^id from shop.orders"',
    "with": 'QUERY = "with x as (select 1 as a) select x.^b from x"',
    "insert": 'QUERY = "insert into shop.orders (^id) values (%s)"',
    "a block": 'connection.execute("do $$ begin perform o.^id from shop.orders o; end $$")',
    "a block in a constant": 'BLOCK = """\n  do $b$\n  begin\n    perform o.^id from shop.orders o;\n  end $b$\n"""',
    "a percent sign": 'cursor.execute("select o.total %% 2, ^id from shop.orders o", [])',
    "behind letters beyond ascii": 'x = "é"; QUERY = "select ^id from shop.orders"',
}

HARMLESS = [
    'print("select a seat from the plan")',
    'print("update your client")',
    '"""select id from shop.orders: a docstring."""',
    'x = "select " + column + " from shop.orders"',
    'QUERY = f"select {column} from {table} where {column} = 1"',
    'QUERY = f"select o.{column} from shop.orders o"',
    'sql.SQL("select {}.{}({})").format(a, b, c)',
    'sql.SQL("insert into shop.orders ({}) values ({})").format(a, b)',
    'connection.execute("listen changes")',
    'connection.execute("select shop.total_of(%s, _since => %s)", [1, 2])',
    'connection.execute("create temp table seen (a int)"); connection.execute("select a, b from seen")',
    'connection.execute("create table shop.seen (a int)"); connection.execute("select a from shop.seen")',
    "connection.execute(\"select o.total::text, '{}'::jsonb from shop.orders o\")",
    'PART = "select _webinar_id, o.total"',
    'print("do it: select id from shop.orders")',
    "connection.execute(\"do $$ begin execute format('drop table %I', 'x'); perform total from shop.orders; end $$\")",
    'QUERY = f"do $$ begin perform {column} from {table}; update {table} set a = {value}; end $$"',
    'QUERY = f"do $$ begin {statements} end $$"',
]


@pytest.mark.parametrize("line", FAULTY.values(), ids=list(FAULTY))
def test_a_name_that_means_nothing_is_found_at_its_word(tmp_path: Path, line: str) -> None:
    faulty = f'"""A module."""\n\nimport sys\n\n{line.replace("^", "")}\n'
    found = findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "app/main.py": faulty})
    assert [(f.file, f.line, f.column, f.rule) for f in found] == [
        ("app/main.py", *place(faulty, line), "resolve.column")
    ]
    assert findings(tmp_path, {"app/main.py": faulty.replace("id", "order_id").replace("x.b", "x.a")}) == []


@pytest.mark.parametrize("line", HARMLESS)
def test_what_is_no_sql_or_not_known_is_no_fault(tmp_path: Path, line: str) -> None:
    assert findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "app/main.py": f"{line}\n"}) == []


def test_what_is_executed_must_be_sql(tmp_path: Path) -> None:
    text = 'connection.execute("select total form shop.orders, 1")\n'
    (found,) = findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "app/main.py": text})
    assert (found.rule, found.line, found.column) == ("parse.syntax", *place(text, "^shop."))


def test_what_is_no_python_is_a_finding(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "app/main.py": "x = 1\ndef (\n"})
    assert (found.rule, found.line) == ("parse.syntax", 2)


def test_what_only_migrations_make_is_known_too(tmp_path: Path) -> None:
    migration = "create table shop.installed (version text);\n"
    text = 'connection.execute("select version, {} from shop.installed")\n'
    files = {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "migrations/1_a.up.sql": f"create schema shop;\n{migration}"}
    assert findings(tmp_path, {**files, "app/main.py": text.format("1")}) == []
    (found,) = findings(tmp_path, {**files, "app/main.py": text.format("at")})
    assert "shop.installed has no column at; it has version" in found.message
