"""Scripts as psql and pg_dump know them: what is no SQL in them hides nothing that is."""

from __future__ import annotations

from pathlib import Path

from tests.lint.sql_bench import ONLY_NAMES, SHOP, findings, place

DUMP = """\
\\set ON_ERROR_STOP on
COPY shop.customers (customer_id, email) FROM stdin;
1\tit's
2\ta;b $$ -- /*
\\N\t\\\\.
\\.

select o.wrong from shop.orders o;
copy shop.orders (order_id, nothing) from stdin with (format csv);
1,"it's"
\\.
select o.total from shop.orders o;
"""


def test_rows_of_copy_are_no_sql_and_what_follows_them_is(tmp_path: Path) -> None:
    files = {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": DUMP}
    found = [(f.line, f.message) for f in findings(tmp_path, files)]
    assert [line for line, _ in found] == [place(DUMP, "o.^wrong")[0], place(DUMP, "copy shop.^orders")[0]]
    assert "has no column wrong" in found[0][1]
    assert "has no column nothing" in found[1][1]
