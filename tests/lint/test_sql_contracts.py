"""Who touches what, with all that is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventlive_db.lint.sql import ConfigError, find_config
from tests.lint.sql_bench import ONLY_NAMES, findings, place, project

TABLES = """create schema shop;
create schema api;
create table shop.orders (order_id bigint primary key, total numeric);
create table shop.log (entry text);
create table shop.stock (item text, left_over int);
create view shop.open_orders as select o.order_id from shop.orders o;
"""

CORE = """create function shop.buy(_id bigint)
returns void
language plpgsql
as $$
begin
    insert into shop.orders (order_id) values (_id)
    on conflict (order_id) do update set total = 1;
    perform shop.note('bought');
end
$$;

create function shop.note(_entry text)
returns void
language plpgsql
as $$
begin
    insert into shop.log (entry) values (_entry);
    if _entry = 'again' then
        perform shop.note('once');
    end if;
end
$$;
"""

WRAPPER = """create function api.buy(_id bigint)
returns void
language sql
begin atomic
    select shop.buy(_id);
end;
"""

CONTRACT = """
[[contract]]
function = "api.buy"
[contract.touches]
"shop.orders" = ["insert", "update"]
"shop.log" = ["insert"]
"""

FILES = {"sql/1.sql": TABLES, "sql/2.sql": CORE, "sql/3.sql": WRAPPER}


def test_a_contract_that_holds_is_no_finding(tmp_path: Path) -> None:
    assert findings(tmp_path, {**FILES, "lint.toml": ONLY_NAMES + CONTRACT}) == []


def test_what_a_called_function_touches_counts(tmp_path: Path) -> None:
    core = CORE.replace("perform shop.note('once');", "delete from shop.stock where item = _entry;")
    (found,) = findings(tmp_path, {**FILES, "sql/2.sql": core, "lint.toml": ONLY_NAMES + CONTRACT})
    assert (found.rule, found.file, found.line, found.column) == (
        "contract.touches",
        "sql/2.sql",
        *place(core, "from shop.^stock"),
    )
    assert found.message == (
        "api.buy does delete on shop.stock by way of shop.buy > shop.note, which its contract does not say"
    )


@pytest.mark.parametrize(
    ("statement", "touched"),
    [
        ("perform o.order_id from shop.open_orders o", "select on shop.orders"),
        ("truncate shop.stock", "truncate on shop.stock"),
        (
            "with gone as (delete from shop.stock s returning s.item) select count(*) into _id from gone",
            "delete on shop.stock",
        ),
        ("_id := (select count(*) from shop.stock)", "select on shop.stock"),
        (
            "merge into shop.stock s using shop.log l on l.entry = s.item when matched then delete",
            "delete on shop.stock",
        ),
        ("update shop.orders o set total = s.left_over from shop.stock s", "select on shop.stock"),
    ],
)
def test_every_way_of_touching_a_table_counts(tmp_path: Path, statement: str, touched: str) -> None:
    core = CORE.replace("perform shop.note('bought');", f"{statement};\n    perform shop.note('bought');")
    found = findings(tmp_path, {**FILES, "sql/2.sql": core, "lint.toml": ONLY_NAMES + CONTRACT})
    assert any(f"api.buy does {touched}" in f.message for f in found)


def test_a_trigger_is_followed(tmp_path: Path) -> None:
    trigger = """create function shop.take() returns trigger language plpgsql as $$
begin
    update shop.stock s set left_over = s.left_over - 1;
    return new;
end
$$;
create trigger take after {event} on shop.orders for each row execute function shop.take();
"""
    files = {**FILES, "lint.toml": ONLY_NAMES + CONTRACT}
    assert findings(tmp_path, {**files, "sql/4.sql": trigger.format(event="delete")}) == []
    (found,) = findings(tmp_path, {**files, "sql/4.sql": trigger.format(event="insert")})
    assert found.message == (
        "api.buy does update on shop.stock by way of shop.buy > shop.take, which its contract does not say"
    )


def test_a_contract_that_says_too_much_is_found_in_its_file(tmp_path: Path) -> None:
    toml = ONLY_NAMES + CONTRACT.replace('["insert"]', '["insert", "delete"]')
    (found,) = findings(tmp_path, {**FILES, "lint.toml": toml})
    assert (found.file, found.line) == ("lint.toml", place(toml, "[[contract]]")[0])
    assert found.message == "api.buy does no delete on shop.log, as its contract says it does"


def test_a_contract_for_a_function_that_is_not_there_is_found(tmp_path: Path) -> None:
    toml = ONLY_NAMES + CONTRACT.replace("api.buy", "api.by")
    (found,) = findings(tmp_path, {**FILES, "lint.toml": toml})
    assert found.advice == "did you mean api.buy?"


def test_what_executes_a_text_can_keep_no_contract(tmp_path: Path) -> None:
    core = CORE.replace("perform shop.note('once');", "execute _entry;")
    (found,) = findings(tmp_path, {**FILES, "sql/2.sql": core, "lint.toml": ONLY_NAMES + CONTRACT})
    assert found.message == "what api.buy touches cannot be known, for shop.note executes a text"


ONLY = """
[[only]]
table = "shop.log"
operation = "insert"
functions = ["shop.note"]
"""


def test_only_those_that_are_named_may(tmp_path: Path) -> None:
    files = {**FILES, "lint.toml": ONLY_NAMES + ONLY}
    assert findings(tmp_path, files) == []
    core = CORE.replace("perform shop.note('bought');", "insert into shop.log (entry) values ('bought');")
    (found,) = findings(tmp_path, {**files, "sql/2.sql": core})
    assert (found.rule, found.line) == (
        "contract.only",
        place(core, "insert into shop.log (entry) values ('bought')")[0],
    )
    assert found.message == "shop.buy does insert on shop.log; only shop.note may"


def test_a_list_that_names_too_many_is_found(tmp_path: Path) -> None:
    toml = ONLY_NAMES + ONLY.replace('["shop.note"]', '["shop.note", "shop.buy"]')
    (found,) = findings(tmp_path, {**FILES, "lint.toml": toml})
    assert found.message == "shop.buy does no insert on shop.log, as it alone may"


def test_a_rule_for_a_table_that_is_not_there_is_found(tmp_path: Path) -> None:
    toml = ONLY_NAMES + ONLY.replace("shop.log", "shop.logs")
    (found,) = findings(tmp_path, {**FILES, "lint.toml": toml})
    assert found.message == "the rule is for shop.logs, and there is no such table"


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("sql = 1", "sql must be a list of strings"),
        ("sqls = []", "the file does not know sqls"),
        ("= 1", "is not TOML"),
        ('[rules]\n"body.when_other" = false', "[rules] does not know body.when_other"),
        ('[rules]\n"body" = 1', "[rules] must be true or false"),
        ('[options]\nselect_star = "never"', "select_star does not know never"),
        ('[options]\ncomment_kinds = ["tables"]', "comment_kinds does not know tables"),
        ('[[contract]]\nfunction = "f"', "the contract in line 1 must have a function, and touches"),
        ('[[contract]]\nfunction = "f"\ntouches = { t = ["read"] }', "touches does not know read"),
        ('[[only]]\ntable = "t"\noperation = "read"\nfunctions = []', "operation does not know read"),
        ('[[allow]]\nrule = "body"\nwhere = "x"', "does not know the rule 'body'"),
        ('[[allow]]\nrule = "body.when_others"', "must say where or in which file"),
        ("contract = 1", "contract must be written as [[contract]]"),
    ],
)
def test_a_configuration_that_means_nothing_says_so(tmp_path: Path, toml: str, says: str) -> None:
    project(tmp_path, {"lint.toml": toml})
    with pytest.raises(ConfigError) as raised:
        find_config(tmp_path)
    assert says in str(raised.value)
    assert raised.value.token == "invalid_config"
