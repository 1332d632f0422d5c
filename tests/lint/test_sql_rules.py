"""Each rule finds its fault, and nothing where the fault is mended."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventlive_db.lint.sql import RULES
from tests.lint.sql_bench import SHOP, findings, place

TOML = """
sql = ["sql"]
migrations = ["migrations"]
python = ["app"]
search_path = ["pg_catalog", "pg_temp"]

[rules]
object = false
{rules}
[options]
hot_path = ["shop.hot*"]
dynamic_sql = ["shop.dynamic_*", "sql/roles.sql"]
exposed = ["api"]
definer_path = "pg_catalog, pg_temp"
{options}
"""

BODY = """create function shop.hot_call(_id bigint)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_order shop.orders;
    v_row record;
begin
    perform 1;
    {statement}
end
$$;
"""

# Rule: a statement of a plpgsql body with ^ before the faulty word, part of the message, and the mended statement.
BODIES = {
    "body.when_others": (
        "begin perform 2; exception when ^others then null; end;",
        "shop.cold catches whatever may happen",
        "begin perform 2; exception when unique_violation then null; end;",
    ),
    "body.when_others, among others": (
        "begin perform 2; exception when unique_violation or ^others then null; end;",
        "catches whatever may happen",
        "begin perform 'when others'; /* when others */ exception when data_exception then null; end;",
    ),
    "body.exception_in_hot_path": (
        "begin perform 2; ^exception when unique_violation then null; end;",
        "shop.hot_call is on the hot path and has an exception block",
        "raise exception 'no';",
    ),
    "body.raise_40001": (
        "raise sqlstate ^'40001';",
        "raises serialization_failure (40001)",
        "raise sqlstate 'PT409';",
    ),
    "body.raise_40001, by errcode": (
        "raise exception 'again' using errcode = ^'40001';",
        "raises serialization_failure (40001)",
        "raise exception '40001 is never raised' using errcode = 'PT409';",
    ),
    "body.raise_40001, by name": (
        "raise ^serialization_failure;",
        "raises serialization_failure (40001)",
        "raise unique_violation;",
    ),
    "body.dynamic_sql": (
        "^execute 'select 1';",
        "shop.hot_call executes a text",
        "perform 'execute';",
    ),
    "body.dynamic_sql, in a loop": (
        "for v_row in ^execute 'select 1' loop null; end loop;",
        "executes a text",
        "for v_row in select 1 loop null; end loop;",
    ),
    "body.dynamic_sql, returned": (
        "return query ^execute 'select 1';",
        "executes a text",
        "return query select 1;",
    ),
    "query.select_star": (
        "for v_row in select ^* from shop.orders loop null; end loop;",
        "* takes whatever columns there are on the day",
        "for v_row in select o.order_id, count(*) from shop.orders o group by 1 loop null; end loop;",
    ),
    "query.select_star, of a table": (
        "select ^o.* into v_row from shop.orders o;",
        "o.* takes whatever columns there are",
        "select o.* into v_order from shop.orders o where exists (select * from shop.customers);",
    ),
    "query.select_star, returned": (
        "with x as (delete from shop.orders returning ^*) select x.order_id into v_row from x;",
        "* takes whatever columns there are",
        "delete from shop.orders o returning o.* into v_order;",
    ),
    "query.now_in_conflict": (
        "insert into shop.orders as o (order_id) values (1) on conflict (order_id) do update set placed_at = ^now();",
        "now inside ON CONFLICT DO UPDATE",
        (
            "insert into shop.orders (order_id, placed_at) values (1, now())"
            " on conflict (order_id) do update set placed_at = excluded.placed_at;"
        ),
    ),
    "query.now_in_conflict, by its standard name": (
        "insert into shop.orders (order_id) values (1) on conflict (order_id) do update set total = ^current_date;",
        "current_date inside ON CONFLICT DO UPDATE",
        "insert into shop.orders (order_id) values (1) on conflict (order_id) do update set total = 1;",
    ),
}


def toml(rules: str = "", options: str = "") -> str:
    """A configuration."""
    return TOML.format(rules=rules, options=options)


@pytest.mark.parametrize(("bad", "message", "good"), BODIES.values(), ids=list(BODIES))
def test_a_rule_for_bodies_finds_its_fault_and_nothing_else(
    tmp_path: Path, request: pytest.FixtureRequest, bad: str, message: str, good: str
) -> None:
    rule = request.node.callspec.id.partition(",")[0]
    body = BODY.replace("hot_call", "cold") if rule == "body.when_others" else BODY
    if "return query" in bad:
        body = body.replace("returns void", "returns setof integer")
    faulty = body.format(statement=bad.replace("^", ""))
    found = findings(tmp_path, {"lint.toml": toml(), "sql/1.sql": SHOP, "sql/2.sql": faulty})
    assert [(f.file, f.line, f.column, f.rule) for f in found] == [("sql/2.sql", *place(faulty, bad), rule)]
    assert message in found[0].message
    assert found[0].advice
    assert findings(tmp_path, {"sql/2.sql": body.format(statement=good)}) == []


def test_what_may_execute_a_text_does_so_without_a_finding(tmp_path: Path) -> None:
    statement = "execute 'select 1';"
    allowed = BODY.format(statement=statement).replace("hot_call", "dynamic_call")
    block = f"do $$ begin {statement} end $$;\n"
    files = {"lint.toml": toml(), "sql/1.sql": SHOP, "sql/2.sql": allowed, "sql/roles.sql": block}
    assert findings(tmp_path, files) == []
    (found,) = findings(tmp_path, {"sql/other.sql": block})
    assert (found.rule, found.file, found.column) == ("body.dynamic_sql", "sql/other.sql", 13)


UNQUALIFIED = """create function shop.bare(_id bigint)
returns numeric
language sql
set search_path = shop, pg_catalog
as $$
    select o.total from {table} o where {function}(o.customer_id) > 1;
$$;
"""


def test_a_body_that_names_ours_without_its_schema_is_found(tmp_path: Path) -> None:
    bare = UNQUALIFIED.format(table="orders", function="total_of")
    found = findings(tmp_path, {"lint.toml": toml(), "sql/1.sql": SHOP, "sql/2.sql": bare})
    assert [(f.line, f.column, f.rule) for f in found] == [
        (*place(bare, "from ^orders"), "body.unqualified"),
        (*place(bare, "^total_of"), "body.unqualified"),
    ]
    assert found[0].advice == "write shop.orders"
    good = UNQUALIFIED.format(table="shop.orders", function="shop.total_of")
    assert findings(tmp_path, {"sql/2.sql": good}) == []


def test_under_interface_a_star_may_not_leave_and_may_stay_inside(tmp_path: Path) -> None:
    config = toml(options='select_star = "interface"')
    inside = BODY.format(statement="with x as (select * from shop.orders) select x.* into v_row from x;")
    view = "create view shop.v as\nselect * from shop.orders;\n"
    program = 'QUERY = "select o.* from shop.orders o"\n'
    result = (
        "create function shop.all_orders() returns setof shop.orders language sql as $$ select * from shop.orders $$;\n"
    )
    files = {"lint.toml": config, "sql/1.sql": SHOP, "sql/2.sql": inside}
    assert findings(tmp_path, files) == []
    found = findings(tmp_path, {"sql/3.sql": view, "sql/4.sql": result, "app/main.py": program})
    assert [(f.file, f.line, f.column) for f in found] == [
        ("app/main.py", 1, 17),
        ("sql/3.sql", 2, 8),
        ("sql/4.sql", 1, place(result, "select ^*")[1]),
    ]


OBJECTS = """create schema shop;
comment on schema shop is 'x';
create schema api;
comment on schema api is 'x';

create table shop.orders (order_id bigint primary key);
comment on table shop.orders is 'x';
comment on column shop.orders.order_id is 'x';
alter table shop.orders enable row level security;

create policy own on shop.orders using (true);
comment on policy own on shop.orders is 'x';

create index orders_idx on shop.orders (order_id);
comment on index shop.orders_idx is 'x';

create view shop.v as select o.order_id from shop.orders o;
comment on view shop.v is 'x';

create type shop.state as enum ('new');
comment on type shop.state is 'x';

create function shop.f(_id bigint) returns void language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$ begin null; end $$;
comment on function shop.f(bigint) is 'x';
revoke all on function shop.f(bigint) from public, postgres;

create function shop.trg() returns trigger language plpgsql as $$ begin return new; end $$;
comment on function shop.trg() is 'x';
revoke all on function shop.trg() from public;
create trigger watch before insert on shop.orders for each row execute function shop.trg();
comment on trigger watch on shop.orders is 'x';
"""
KINDS = 'comment_kinds = ["schema", "table", "column", "view", "function", "type", "policy", "trigger", "index"]'
ALL = TOML.replace("object = false", "object = true").format(rules="", options=KINDS)

# The line that is taken out, the rule, the line of the finding, and part of the message.
LEFT_OUT = [
    ("comment on schema api is 'x';", "object.comment", "create schema ^api", "the schema api has no comment"),
    ("comment on table shop.orders is 'x';", "object.comment", "table shop.^orders (", "the table shop.orders has no"),
    (
        "comment on column shop.orders.order_id is 'x';",
        "object.comment",
        "(^order_id bigint",
        "the column shop.orders.order_id has no comment",
    ),
    ("comment on policy own on shop.orders is 'x';", "object.comment", "policy ^own", "the policy own on shop.orders"),
    ("comment on index shop.orders_idx is 'x';", "object.comment", "index ^orders_idx", "the index shop.orders_idx"),
    ("comment on view shop.v is 'x';", "object.comment", "view shop.^v", "the view shop.v"),
    ("comment on type shop.state is 'x';", "object.comment", "type shop.^state", "the type shop.state"),
    ("comment on function shop.f(bigint) is 'x';", "object.comment", "function shop.^f(_id", "shop.f(int8) has no"),
    ("comment on trigger watch on shop.orders is 'x';", "object.comment", "trigger ^watch", "watch on shop.orders"),
    (
        "alter table shop.orders enable row level security;",
        "object.row_security",
        "table shop.^orders (",
        "shop.orders has no row security",
    ),
    (
        "set search_path = pg_catalog, pg_temp",
        "object.search_path",
        "function shop.^f(_id",
        "shop.f sets no search_path",
    ),
    (
        "revoke all on function shop.f(bigint) from public, postgres;",
        "object.public_execute",
        "function shop.^f(_id",
        "everybody may execute shop.f(int8)",
    ),
]


@pytest.mark.parametrize(("line", "rule", "needle", "message"), LEFT_OUT, ids=[entry[0] for entry in LEFT_OUT])
def test_a_rule_for_objects_finds_what_is_left_out(
    tmp_path: Path, line: str, rule: str, needle: str, message: str
) -> None:
    assert findings(tmp_path, {"lint.toml": ALL, "sql/1.sql": OBJECTS}) == []
    faulty = OBJECTS.replace(line, "")
    (found,) = findings(tmp_path, {"sql/1.sql": faulty})
    assert (found.rule, found.line, found.column) == (rule, *place(faulty, needle))
    assert message in found.message
    assert found.advice


def test_another_search_path_than_the_one_that_is_asked_for_is_found(tmp_path: Path) -> None:
    faulty = OBJECTS.replace("search_path = pg_catalog, pg_temp", "search_path = public")
    (found,) = findings(tmp_path, {"lint.toml": ALL, "sql/1.sql": faulty})
    assert (found.rule, found.message) == (
        "object.search_path",
        "shop.f has the search_path public, not pg_catalog, pg_temp",
    )


def test_with_plpgsql_every_function_of_that_language_needs_a_search_path(tmp_path: Path) -> None:
    config = ALL.replace("[options]", '[options]\ndefiner_path_for = ["definer", "plpgsql"]')
    (found,) = findings(tmp_path, {"lint.toml": config, "sql/1.sql": OBJECTS})
    assert found.message.startswith("shop.trg sets no search_path")


def test_a_definer_in_an_exposed_schema_is_found(tmp_path: Path) -> None:
    faulty = OBJECTS.replace("shop.f(", "api.f(")
    (found,) = findings(tmp_path, {"lint.toml": ALL, "sql/1.sql": faulty})
    assert (found.rule, found.line) == ("object.exposed_definer", place(faulty, "function api.^f(_id")[0])


def test_a_revoke_in_another_file_does_not_count(tmp_path: Path) -> None:
    revoke = "revoke all on function shop.f(bigint) from public, postgres;"
    files = {"lint.toml": ALL, "sql/1.sql": OBJECTS.replace(revoke, ""), "sql/2.sql": f"{revoke}\n"}
    (found,) = findings(tmp_path, files)
    assert (found.rule, found.file) == ("object.public_execute", "sql/1.sql")


def test_a_grant_to_public_after_the_revoke_counts(tmp_path: Path) -> None:
    text = OBJECTS + "grant execute on function shop.f(bigint) to public;\n"
    (found,) = findings(tmp_path, {"lint.toml": ALL, "sql/1.sql": text})
    assert found.rule == "object.public_execute"


def test_the_columns_of_a_partition_need_no_comments_of_their_own(tmp_path: Path) -> None:
    text = OBJECTS.replace(
        "bigint primary key);",
        "bigint primary key) partition by range (order_id);\n"
        "create table shop.rest partition of shop.orders default;\n"
        "alter table shop.rest enable row level security;\ncomment on table shop.rest is 'x';",
    )
    assert findings(tmp_path, {"lint.toml": ALL, "sql/1.sql": text}) == []


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_can_be_switched_off(tmp_path: Path, rule: str) -> None:
    config = toml(rules=f'"{rule}" = false')
    bad = BODY.format(statement="execute 'select 1'; select * into v_row from shop.nowhere;")
    rules = {f.rule for f in findings(tmp_path, {"lint.toml": config, "sql/1.sql": SHOP, "sql/2.sql": bad})}
    assert rules == {"body.dynamic_sql", "query.select_star", "resolve.relation"} - {rule}
