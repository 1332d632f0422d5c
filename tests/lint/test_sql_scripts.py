"""Scripts as psql and pg_dump know them: what is no SQL in them hides nothing that is."""

from __future__ import annotations

from pathlib import Path

import pytest

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


# Each is taken as it stands by psql, or by whoever sets its variables.
OF_PSQL = {
    "variables": "select o.total from shop.orders o where o.order_id = :n and o.state = :'state';",
    "a variable for a name": 'select o.:"column", x.a from shop.orders o, :"schema".:"table" x;',
    "a variable for a schema": "select :schema.nothing(1), x.a from :schema.things x;",
    "a variable for a part of a name": "select x.a from things_:n x;",
    "a variable for a number": "create sequence shop.numbers start with :n cache :n;",
    "a variable for several values": "select o.total from shop.orders o where o.order_id in (:ids) limit :n::int;",
    "a variable for a condition": "select o.total from shop.orders o where :condition order by o.total;",
    "a variable for a clause": "select o.total from shop.orders o where o.total > 1 :clause;",
    "a variable for a text": "set statement_timeout = :'timeout'; comment on table shop.orders is :text;",
    "whether a variable is set": "select :{?n} as is_set \\gset",
    "gset": "select max(o.total) as highest, 1 as one from shop.orders o \\gset prefix_\nselect :prefix_highest;",
    "g with a file": "select o.total from shop.orders o \\g /tmp/out.txt\nselect 1;",
    "gexec": "select format('drop table %I', o.total)\n  from shop.orders o\n\\gexec\nselect 1;",
    "bind": "select o.total from shop.orders o where o.order_id = $1 \\bind 'a b' \\g\nselect 1;",
    "a command within a statement": "select o.total\n\\echo it's here\n  from shop.orders o;",
    "two statements for one message": "select 1 \\; select o.total from shop.orders o;",
    "two commands side by side": "\\set n 1 \\\\ select o.total from shop.orders o where o.total = :n;",
    "what was dropped": "select o. from \\r\nselect o.total from shop.orders o;",
    "copy of psql": "\\copy shop.customers (customer_id) from stdin\n1\tit's\n\\.\nselect 1;",
    "copy of psql without rows": "\\copy shop.customers from stdin csv\nselect 1;",
    "conditions": "\\if :{?n}\nselect 1;\n\\else\nselect 2;\n\\endif",
}

# The words that look like something of psql, and are not; each keeps its column at ^.
NOT_OF_PSQL = {
    "a cast": "select o.total::text, o.^wrong::int from shop.orders o;",
    "a slice": "select (array[1, 2])[1:o.^wrong] from shop.orders o;",
    "a slice by a column": "select (array[1, 2])[1:^wrong] from shop.orders o;",
    "a slice behind a column": "select o.^wrong[o.order_id :total] from shop.orders o;",
    "a variable among values": "select array[1, :n], o.^wrong from shop.orders o;",
    "an argument": "select shop.total_of(_customer_id := o.^wrong) from shop.orders o;",
    "a colon in a string": "select ':n', o.^wrong from shop.orders o where 'a\n\\g' <> ':''n''';",
    "a command in a comment": "select /* it\n\\g */ o.^wrong -- \\g\n  from shop.orders o;",
    "a command in a dollar quote": "select $a$\n\\echo $$ ' \n$a$, o.^wrong from shop.orders o;",
    "a command in a name": 'select 1 as "a\n\\g", o.^wrong from shop.orders o;',
    "a backslash in a string": "select 'c:\\', o.^wrong, E'\\'\n\\g' from shop.orders o;",
    "letters beyond ascii": "select 'é', :n, o.^wrong from shop.orders o;",
}


@pytest.mark.parametrize("text", OF_PSQL.values(), ids=list(OF_PSQL))
def test_what_psql_takes_is_no_fault(tmp_path: Path, text: str) -> None:
    files = {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": f"{text}\n"}
    assert findings(tmp_path, files) == []
    after = f"{text}\nselect o.wrong from shop.orders o;\n"
    assert [(f.line, f.column) for f in findings(tmp_path, {"sql/2.sql": after})] == [place(after, "o.^wrong")]


@pytest.mark.parametrize("text", NOT_OF_PSQL.values(), ids=list(NOT_OF_PSQL))
def test_what_only_looks_like_psql_is_sql(tmp_path: Path, text: str) -> None:
    faulty = text.replace("^", "")
    found = findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": faulty})
    assert [(f.line, f.column, f.rule) for f in found] == [(*place(faulty, text), "resolve.column")]
    assert findings(tmp_path, {"sql/2.sql": faulty.replace("wrong", "order_id")}) == []


def test_a_body_is_read_behind_a_line_that_begins_as_a_command_does(tmp_path: Path) -> None:
    body = (
        "create function shop.f() returns text language plpgsql as $$\nbegin\n    return E'a\n\\b' || {};\nend\n$$;\n"
    )
    files = {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP}
    assert findings(tmp_path, {**files, "sql/2.sql": body.format("'c'")}) == []
    (found,) = findings(tmp_path, {"sql/2.sql": body.format("wrong")})
    assert (found.line, found.column) == place(body.format("wrong"), "wrong")


# A statement that is no SQL, with ^ at the place of its fault.
BROKEN = {
    "a word that is wrong": "select o.total form ^shop.orders, 1;",
    "letters beyond ascii before it": "select 'é€', o.total form ^shop.orders, 1;",
    "a bracket that is not closed": "create table shop.t (a int^;",
    "a semicolon that is missing": (
        "create table shop.t (a int)\n^create table shop.u (b int);\nselect t.a, u.b from shop.t, shop.u;"
    ),
    "a string that is not closed": "select o.total, ^'it from shop.orders o;\ncreate table shop.t (a int);",
    "a quote within a string": "select 'it's^' from shop.orders o;\ncreate table shop.t (a text default 'x');",
    "a dollar quote that is not closed": "do ^$$ begin null; end $;\ncreate table shop.t (a int);",
    "a body whose dollar quote is not closed": (
        "create function shop.g() returns int language plpgsql as ^$$\nbegin\n    return 1;\nend;\n$;"
    ),
    "a comment that is not closed": "select 1 ^/* what;\ncreate table shop.t (a int);",
    "a body that is not closed": (
        "create function shop.g() returns int ^begin atomic select 1;\ncreate table shop.t (a int);"
    ),
    "a word before a variable": "select o.total form ^shop.orders, :n;",
    "a body in quotes": "create functoin shop.g() returns int as $$\ncreate x;\ndrop y;\n$$;".replace(
        "functoin", "^functoin"
    ),
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=list(BROKEN))
def test_a_statement_that_is_no_sql_hides_no_other(tmp_path: Path, text: str) -> None:
    faulty = (
        f"create table shop.first (a int);\n{text.replace('^', '')}\ngrant select (wrong) on shop.first to public;\n"
    )
    files = {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": faulty}
    found = findings(tmp_path, {**files, "sql/3.sql": "select f.a from shop.first f;\n"})
    assert [(f.file, f.line, f.column, f.rule) for f in found] == [
        ("sql/2.sql", *place(faulty, text), "parse.syntax"),
        ("sql/2.sql", *place(faulty, "(^wrong)"), "resolve.column"),
    ]


def test_a_script_of_a_rule_with_several_statements_is_one(tmp_path: Path) -> None:
    rule = (
        "create rule r as on insert to shop.orders do also (select 1; select 2);\nselect o.total from shop.orders o\n"
    )
    assert findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": rule}) == []


def test_of_an_object_that_a_variable_names_nothing_is_asked(tmp_path: Path) -> None:
    toml = "[rules]\nquery = false\n"
    text = 'create table :"name" (a int);\ncreate table :schema.t (a int);\n'
    assert findings(tmp_path, {"lint.toml": toml, "sql/1.sql": text}) == []
    found = findings(tmp_path, {"sql/1.sql": text.replace(":schema", "shop")})
    assert {f.object for f in found} == {"shop.t"}
