"""Names in plpgsql: each embedded query and expression, with the variables that are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lint.sql_bench import ONLY_NAMES, SHOP, findings, place

# Declarations, and a statement with one fault (^ before the faulty word); part of the message; the fixed statement.
STATEMENTS = {
    "a query into a variable": (
        "v_id bigint;",
        "select ^id into v_id from shop.orders;",
        "shop.orders has no column id",
        "select order_id into v_id from shop.orders;",
    ),
    "an into in the middle of the list": (
        "v_id bigint; v_total numeric;",
        "select o.order_id, o.total into v_id, v_total from shop.orders o where o.^sum = v_total;",
        "has no column sum",
        "select o.order_id, o.total into v_id, v_total from shop.orders o where o.total = v_total;",
    ),
    "perform": ("", "perform shop.^nothing(_id);", "there is no function shop.nothing", "perform shop.total_of(_id);"),
    "an assignment": (
        "v_ok boolean;",
        "v_ok := exists (select from shop.orders o where o.^id = _id);",
        "has no column id",
        "v_ok := exists (select from shop.orders o where o.order_id = _id);",
    ),
    "a condition": (
        "",
        "if (select o.^sum from shop.orders o) > 1 then return; end if;",
        "has no column sum",
        "if (select o.total from shop.orders o) > 1 then return; end if;",
    ),
    "a condition of elsif": (
        "",
        "if _id = 1 then return; elsif ^_idd = 2 then return; end if;",
        "there is no column or variable _idd here",
        "if _id = 1 then return; elsif _id = 2 then return; end if;",
    ),
    "the value of a declaration": (
        "v_total numeric := (select max(o.total) from shop.orders o);",
        "perform ^v_totl;",
        "there is no column or variable v_totl here",
        "perform v_total;",
    ),
    "an unknown variable": (
        "",
        "perform shop.total_of(^v_id);",
        "there is no column or variable v_id here",
        "perform shop.total_of(_id);",
    ),
    "a loop over a query": (
        "v_row record;",
        "for v_row in select o.^sum from shop.orders o loop perform v_row; end loop;",
        "has no column sum",
        "for v_row in select o.total from shop.orders o loop perform v_row.total; end loop;",
    ),
    "a field of a record that a loop fills": (
        "v_row record;",
        "for v_row in select o.total from shop.orders o loop perform v_row.^sum; end loop;",
        "v_row, which is of its query, has no field sum; it has total",
        "for v_row in select o.total as sum from shop.orders o loop perform v_row.sum; end loop;",
    ),
    "a field of a record that a query fills": (
        "v_row record;",
        "select o.total into v_row from shop.orders o; perform v_row.^order_id;",
        "has no field order_id; it has total",
        "select o.* into v_row from shop.orders o; perform v_row.order_id;",
    ),
    "a field of a record that returning fills": (
        "v_row record;",
        "update shop.orders o set total = 1 returning o.total as new into v_row; perform v_row.^total;",
        "has no field total; it has new",
        "update shop.orders o set total = 1 returning o.total into v_row; perform v_row.total;",
    ),
    "a field of a variable of a row type": (
        "v_order shop.orders;",
        "perform v_order.^sum;",
        "v_order, which is of shop.orders, has no field sum",
        "perform v_order.total;",
    ),
    "a field of a %rowtype": (
        "v_order shop.orders%rowtype;",
        "perform v_order.^sum;",
        "v_order, which is of shop.orders, has no field sum",
        "perform v_order.total;",
    ),
    "a field of a %rowtype that is set": (
        "v_order shop.orders%rowtype;",
        "v_order.^sum := 1;",
        "v_order, which is of shop.orders, has no field sum",
        "v_order.total := 1;",
    ),
    "a field of a %rowtype that a query is read into": (
        "v_order shop.orders%rowtype;",
        "select 1 into v_order.^sum;",
        "v_order, which is of shop.orders, has no field sum",
        "select 1 into v_order.total;",
    ),
    "a temporary table that is filled": (
        "",
        "create temp table t on commit drop as select o.^sum from shop.orders o;",
        "has no column sum",
        "create temp table t on commit drop as select o.total from shop.orders o;",
    ),
    "a view that a function makes": (
        "",
        "create view shop.v as select o.^sum from shop.orders o;",
        "has no column sum",
        "create view shop.v as select o.total from shop.orders o;",
    ),
    "a field that is set": (
        "v_order shop.orders;",
        "v_order.^sum := 1;",
        "v_order, which is of shop.orders, has no field sum",
        "v_order.total := 1;",
    ),
    "a field that a query is read into": (
        "v_order shop.orders;",
        "select 1 into v_order.^sum;",
        "v_order, which is of shop.orders, has no field sum",
        "select 1 into v_order.total;",
    ),
    "a parameter of a row type": (
        "",
        "perform _order.^sum;",
        "_order, which is of shop.orders, has no field sum",
        "perform _order.total;",
    ),
    "return query": (
        "",
        "return query select o.^sum from shop.orders o;",
        "has no column sum",
        "return query select o.total from shop.orders o;",
    ),
    "a handler": (
        "",
        "begin perform 1; exception when unique_violation then perform shop.^nothing(); end;",
        "there is no function shop.nothing",
        "begin perform 1; exception when unique_violation then perform shop.total_of(1); end;",
    ),
    "what raise says": (
        "",
        "raise exception 'no %', (select c.^name from shop.customers c);",
        "has no column name",
        "raise exception 'no %', (select c.email from shop.customers c);",
    ),
    "a cursor": (
        "c_all cursor (p bigint) for select o.total from shop.orders o where o.order_id = p;",
        "open c_all(_id); perform ^c_some;",
        "there is no column or variable c_some here",
        "open c_all(_id); perform c_all;",
    ),
    "a case": (
        "",
        "case _id when 1 then perform 1; else perform ^_other; end case;",
        "there is no column or variable _other here",
        "case _id when 1 then perform 1; else perform _id; end case;",
    ),
    "foreach": (
        "v_one bigint;",
        "foreach v_one in array array(select o.^id from shop.orders o) loop null; end loop;",
        "has no column id",
        "foreach v_one in array array(select o.order_id from shop.orders o) loop null; end loop;",
    ),
    "the text of a dynamic query": (
        "",
        "execute format('select %s', ^_nothing);",
        "there is no column or variable _nothing here",
        "execute format('select %s', _id);",
    ),
}

NOT_KNOWN = {
    "a record that a dynamic query fills": ("v record;", "execute 'select 1 as a' into v; perform v.a, v.b;"),
    "a record that is assigned": ("v record;", "v := elsewhere.row_of(1); perform v.a;"),
    "a record that two queries fill": (
        "v record;",
        "select 1 as a into v; perform v.a; select 2 as b into v; perform v.b;",
    ),
    "a variable that a column hides": ("total numeric;", "perform total from shop.orders;"),
    "a loop variable": ("", "for i in 1 .. 3 loop perform i; end loop;"),
    "a block with a label": ("", "<<part>> declare v int; begin perform part.v, tested._id; end;"),
    "a variable of an inner block": ("v text;", "declare v shop.orders; begin perform v.total; end;"),
    "found and what a handler knows": (
        "",
        "begin null; exception when data_exception then perform sqlerrm, sqlstate; end; perform found;",
    ),
    "a variable of an enumeration among several": (
        "v_state shop.state; v_total numeric;",
        "select o.state, o.total into v_state, v_total from shop.orders o; perform v_state, v_total;",
    ),
    "an array of rows": ("v_all shop.orders[];", "v_all := array(select o from shop.orders o); perform v_all[1];"),
    "a type of a column": ("v shop.orders.total%type;", "select o.total into v from shop.orders o; perform v;"),
    "an array": ("v bigint[];", "v[1] := 2; perform v[1], cardinality(v);"),
    "a constant": ("v constant int not null := 3;", "perform v;"),
    "an alias for a parameter": ("v alias for $1;", "perform v;"),
    "get diagnostics": ("v int;", "get diagnostics v = row_count; perform v;"),
    "perform over lines": ("", "perform\n        shop.total_of(\n            _id);"),
    "a comment between": ("v int;", "select /* how many */ count(*) -- all\n      into v from shop.orders;"),
}


def function(declarations: str, statement: str) -> str:
    """A file with a function."""
    return f"""create function shop.tested(_id bigint, _order shop.orders)
returns setof numeric
language plpgsql
as $$
declare
    v_before integer := 1;
    {declarations}
begin
    perform v_before;
    {statement}
    perform v_before;
end
$$;
"""


@pytest.mark.parametrize(("declarations", "bad", "message", "good"), STATEMENTS.values(), ids=list(STATEMENTS))
def test_a_name_that_means_nothing_is_found_at_its_word(
    tmp_path: Path, declarations: str, bad: str, message: str, good: str
) -> None:
    faulty = function(declarations, bad.replace("^", ""))
    found = findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": faulty})
    assert [(f.file, f.line, f.column) for f in found] == [("sql/2.sql", *place(faulty, bad))]
    assert message in found[0].message
    assert findings(tmp_path, {"sql/2.sql": function(declarations, good)}) == []


@pytest.mark.parametrize(("declarations", "statement"), NOT_KNOWN.values(), ids=list(NOT_KNOWN))
def test_what_cannot_be_known_is_no_fault(tmp_path: Path, declarations: str, statement: str) -> None:
    text = function(declarations, statement)
    assert findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": text}) == []


TRIGGER = """create function shop.checked()
returns trigger
language plpgsql
as $$
begin
    if new.total > 1 and tg_op = 'INSERT' then
        new.{field} := 1;
    end if;
    return new;
end
$$;

create trigger orders_checked before insert on shop.orders for each row execute function shop.checked();
"""


def test_new_and_old_have_the_columns_of_the_tables_of_the_trigger(tmp_path: Path) -> None:
    faulty = TRIGGER.format(field="sum")
    (found,) = findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": faulty})
    assert (found.line, found.column) == place(faulty, "new.^sum :=")
    assert "new, which is of shop.orders, has no field sum; it has order_id" in found.message
    assert findings(tmp_path, {"sql/2.sql": TRIGGER.format(field="total")}) == []


def test_a_trigger_function_without_a_trigger_may_name_anything(tmp_path: Path) -> None:
    text = TRIGGER.format(field="sum").partition("create trigger")[0]
    assert findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": text}) == []


def test_a_do_block_is_read_too(tmp_path: Path) -> None:
    faulty = "do $$\ndeclare\n    v_row record;\nbegin\n    perform id from shop.orders;\nend\n$$;\n"
    (found,) = findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": faulty})
    assert (found.line, found.column) == (5, 13)


def test_a_body_in_single_quotes_has_its_places_too(tmp_path: Path) -> None:
    faulty = (
        "create function shop.quoted() returns void language plpgsql as\n'\nbegin\n"
        "    perform ''it''''s'', o.sum from shop.orders o;\nend\n';\n"
    )
    (found,) = findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": faulty})
    assert (found.line, found.column) == place(faulty, "o.^sum")


def test_a_body_that_is_no_plpgsql_is_a_finding(tmp_path: Path) -> None:
    faulty = "create function shop.broken() returns void language plpgsql as $$\nbegin\n    if then;\nend\n$$;\n"
    (found,) = findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": faulty})
    assert found.rule == "parse.syntax"
    assert "shop.broken" in found.message


def test_the_default_of_a_parameter_is_looked_up(tmp_path: Path) -> None:
    text = "create function shop.d(_a numeric default shop.{name}(1)) returns int language sql return 1;\n"
    (found,) = findings(
        tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": text.format(name="total_off")}
    )
    assert found.rule == "resolve.function"
    assert findings(tmp_path, {"sql/2.sql": text.format(name="total_of")}) == []
