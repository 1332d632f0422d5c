"""Migrations: the schema as of each step, what it locks, and the way back."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventlive_db.lint.sql import find_config, lint
from tests.lint.sql_bench import findings, place, project

TOML = """
migrations = ["migrations/versions"]
search_path = ["pg_catalog", "pg_temp"]

[rules]
object = false

[options]
header = "-- Frozen."
"""

HEAD = "-- Frozen.\nset local lock_timeout = '5s';\n"
FIRST_UP = f"""{HEAD}
create schema shop;
create table shop.orders (order_id bigint primary key, total numeric, label varchar);
create table shop.customers (customer_id bigint primary key);
"""
FIRST_DOWN = f"{HEAD}\ndrop table shop.customers;\ndrop table shop.orders;\ndrop schema shop;\n"


def chain(*steps: tuple[str, str | None]) -> dict[str, str]:
    """Migrations as files of alembic with frozen SQL beside them."""
    files = {"lint.toml": TOML}
    for number, (up, down) in enumerate(((FIRST_UP, FIRST_DOWN), *steps), 1):
        before = f'"{number - 1:04}"' if number > 1 else "None"
        name = f"migrations/versions/{number:04}_step"
        files[f"{name}.py"] = (
            f'"""Step {number}."""\n\nfrom run import run_frozen\n\n'
            f'revision = "{number:04}"\ndown_revision = {before}\n\n\n'
            'def upgrade() -> None:\n    run_frozen(__file__, "up")\n\n\ndef downgrade() -> None:\n    pass\n'
        )
        files[f"{name}.up.sql"] = up
        if down is not None:
            files[f"{name}.down.sql"] = down
    return files


SECOND = "migrations/versions/0002_step.up.sql"

# Rule: the faulty statement with ^ at its place, part of the message, and the mended one.
STATEMENTS = {
    "migration.index_not_concurrent": (
        "^create index orders_total on shop.orders (total);",
        "keeps all writers of shop.orders waiting",
        "create table shop.t (a int); create index t_a on shop.t (a);",
    ),
    "migration.index_not_concurrent, in a transaction": (
        "^create index concurrently orders_total on shop.orders (total);",
        "cannot run inside a transaction",
        "create table shop.t (a int); create index t_a on shop.t (a);",
    ),
    "migration.index_not_concurrent, of a constraint": (
        "alter table shop.orders add ^constraint u unique (total);",
        "keeps all of shop.orders waiting while it builds the index",
        "alter table shop.orders add constraint u unique using index orders_total;",
    ),
    "migration.constraint_validated": (
        "alter table shop.orders add ^constraint c check (total > 0);",
        "reads all of shop.orders to validate a check",
        "alter table shop.orders add constraint c check (total > 0) not valid;",
    ),
    "migration.constraint_validated, a foreign key": (
        "alter table shop.orders add ^constraint c foreign key (order_id) references shop.customers;",
        "to validate a foreign key",
        "alter table shop.orders add constraint c foreign key (order_id) references shop.customers not valid;",
    ),
    "migration.constraint_validated, of a new column": (
        "alter table shop.orders add column c bigint ^references shop.customers (customer_id);",
        "to validate a foreign key",
        "alter table shop.orders add column c bigint;",
    ),
    "migration.set_not_null": (
        "alter table shop.orders alter column ^total set not null;",
        "set not null reads all of shop.orders",
        (
            "alter table shop.orders add constraint c check (total is not null) not valid;"
            " alter table shop.orders validate constraint c; alter table shop.orders alter column total set not null;"
        ),
    ),
    "migration.rewrite": (
        "^alter table shop.orders alter column total type integer;",
        "rewrites shop.orders under AccessExclusive (numeric to int4)",
        "alter table shop.orders alter column label type text;",
    ),
    "migration.rewrite, a number for each row": (
        "^alter table shop.orders add column n bigint generated always as identity;",
        "every row gets a number",
        "alter table shop.orders add column n bigint;",
    ),
    "migration.rewrite, vacuum full": ("^vacuum full shop.orders;", "rewrites shop.orders", "vacuum shop.orders;"),
    "migration.volatile_default": (
        "^alter table shop.orders add column u uuid default gen_random_uuid();",
        "volatile default gen_random_uuid()",
        "alter table shop.orders add column u timestamptz default now();",
    ),
    "migration.volatile_default, of ours": (
        (
            "create function shop.fresh() returns int language sql volatile begin atomic select 1; end;\n"
            "^alter table shop.orders add column u int default shop.fresh();"
        ),
        "volatile default fresh()",
        (
            "create function shop.fresh() returns int language sql immutable begin atomic select 1; end;\n"
            "alter table shop.orders add column u int default shop.fresh();"
        ),
    ),
}


def only_up(root: Path, files: dict[str, str]) -> list[tuple[str, int, int, str, str]]:
    """Findings, leaving out that the way back is short."""
    found = findings(root, files)
    return [(f.file, f.line, f.column, f.rule, f.message) for f in found if not f.rule.startswith("migration.down")]


@pytest.mark.parametrize(("bad", "message", "good"), STATEMENTS.values(), ids=list(STATEMENTS))
def test_a_rule_for_migrations_finds_its_fault_and_nothing_else(
    tmp_path: Path, request: pytest.FixtureRequest, bad: str, message: str, good: str
) -> None:
    faulty = f"{HEAD}\n{bad.replace('^', '')}\n"
    ((file, line, column, rule, told),) = only_up(tmp_path, chain((faulty, HEAD)))
    assert (file, line, column) == (SECOND, *place(faulty, bad))
    assert rule == request.node.callspec.id.partition(",")[0]
    assert message in told
    assert only_up(tmp_path, chain((f"{HEAD}\n{good}\n", HEAD))) == []


def test_a_statement_that_waits_without_a_limit_is_found_once(tmp_path: Path) -> None:
    bare = (
        "-- Frozen.\nselect 1;\nalter table shop.orders add column a int;\nalter table shop.orders add column b int;\n"
    )
    ((_, line, _, rule, message),) = only_up(tmp_path, chain((bare, HEAD)))
    assert (line, rule) == (3, "migration.lock_timeout")
    assert message == "this waits for shop.orders without a limit, and all who come after wait for it"


def test_a_new_table_is_locked_without_harm(tmp_path: Path) -> None:
    up = "-- Frozen.\ncreate table shop.t (a int);\nalter table shop.t add column b int not null default random();\n"
    assert only_up(tmp_path, chain((up, HEAD))) == []


def test_the_words_at_its_head_are_asked_for(tmp_path: Path) -> None:
    ((file, line, _, rule, _),) = only_up(tmp_path, chain(("select 1;\n", HEAD)))
    assert (file, line, rule) == (SECOND, 1, "migration.header")


def test_an_autocommit_block_is_where_an_index_is_built(tmp_path: Path) -> None:
    module = '''"""An index."""
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("set lock_timeout = '5s'")
        op.execute("create index concurrently orders_total on shop.orders (total)")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("set {local}lock_timeout = '5s'")
        op.execute("drop index concurrently shop.orders_total")
'''
    files = chain()
    assert findings(tmp_path, {**files, "migrations/versions/0002_index.py": module.format(local="")}) == []
    (found,) = findings(tmp_path, {"migrations/versions/0002_index.py": module.format(local="local ")})
    assert (found.rule, found.line, found.column) == ("migration.lock_timeout", 17, 21)


def test_a_statement_is_looked_up_as_of_its_step(tmp_path: Path) -> None:
    drop = (
        f"{HEAD}alter table shop.orders drop column total;\n",
        f"{HEAD}alter table shop.orders add column total int;\n",
    )
    late = f"{HEAD}\nupdate shop.orders o set label = 'x' where o.total > 1;\n"
    ((file, line, column, rule, message),) = only_up(tmp_path, chain(drop, (late, HEAD)))
    assert (file, line, column) == ("migrations/versions/0003_step.up.sql", *place(late, "o.^total"))
    assert (rule, message) == ("resolve.column", "shop.orders has no column total; it has order_id, label")
    assert only_up(tmp_path, chain((late, HEAD), drop)) == []


def test_a_renamed_column_has_its_new_name_from_then_on(tmp_path: Path) -> None:
    rename = (
        f"{HEAD}alter table shop.orders rename column total to sum;\n",
        f"{HEAD}alter table shop.orders rename column sum to total;\n",
    )
    late = f"{HEAD}\nupdate shop.orders set {{}} = 1;\n"
    assert only_up(tmp_path, chain(rename, (late.format("sum"), HEAD))) == []
    assert len(only_up(tmp_path, chain(rename, (late.format("total"), HEAD)))) == 1


FUNCTION = """create {replace}function shop.f() returns numeric language plpgsql as $$
begin
    return (select max(o.{column}) from {table} o);
end
$$;
"""


def test_a_body_may_name_what_a_later_step_makes(tmp_path: Path) -> None:
    early = (f"{HEAD}{FUNCTION.format(replace='', column='a', table='shop.t')}", f"{HEAD}drop function shop.f();\n")
    table = (f"{HEAD}create table shop.t (a numeric);\n", f"{HEAD}drop table shop.t;\n")
    assert findings(tmp_path, chain(early, table)) == []
    assert [f.rule for f in findings(tmp_path / "alone", chain(early))] == ["resolve.relation"]


def test_a_step_that_breaks_a_function_is_found(tmp_path: Path) -> None:
    make = (
        f"{HEAD}{FUNCTION.format(replace='', column='total', table='shop.orders')}",
        f"{HEAD}drop function shop.f();\n",
    )
    drop = (
        f"{HEAD}alter table shop.orders drop column total;\n",
        f"{HEAD}alter table shop.orders add column total int;\n",
    )
    mend = (
        f"{HEAD}{FUNCTION.format(replace='or replace ', column='order_id', table='shop.orders')}",
        f"{HEAD}{FUNCTION.format(replace='or replace ', column='total', table='shop.orders')}",
    )
    (found,) = findings(tmp_path / "broken", chain(make, drop))
    assert (found.file, found.rule, found.object) == (SECOND, "resolve.column", "shop.f")
    assert found.message.endswith("it has order_id, label (after migration 0003, with the function as it is here)")
    assert findings(tmp_path / "mended", chain(make, mend, drop)) == []


@pytest.mark.parametrize(
    ("up", "down", "rule", "message"),
    [
        ("create table shop.t (a int);", "select 1;", "migration.down_incomplete", "leaves the table shop.t"),
        (
            "alter table shop.orders add column a int;",
            "select 1;",
            "migration.down_incomplete",
            "leaves the column shop.orders.a",
        ),
        (
            "create function shop.f() returns int language sql begin atomic select 1; end;",
            "select 1;",
            "migration.down_incomplete",
            "leaves the function shop.f()",
        ),
        (
            "create index concurrently i on shop.orders (total);",
            "select 1;",
            "migration.down_incomplete",
            "index shop.i",
        ),
        (
            "select 1;",
            "drop table shop.orders;",
            "migration.down_incomplete",
            "does not bring back the table shop.orders",
        ),
        (
            "create view shop.v as select 1 as a;",
            "select 1;",
            "migration.down_incomplete",
            "leaves the view shop.v",
        ),
        ("select 1;", None, "migration.down_missing", "migration 0002 has no way back"),
    ],
)
def test_a_way_back_that_is_short_is_found(tmp_path: Path, up: str, down: str | None, rule: str, message: str) -> None:
    files = chain((f"{HEAD}{up}\n", None if down is None else f"{HEAD}{down}\n"))
    found = [f for f in findings(tmp_path, files) if f.rule.startswith("migration.down")]
    assert [f.rule for f in found] == [rule]
    assert message in found[0].message


def test_an_index_without_a_name_is_dropped_by_the_one_that_postgres_gives_it(tmp_path: Path) -> None:
    indexes = "create index on shop.t (a, lower(b));\ncreate index on shop.t (a);\n"
    up = f"{HEAD}create table shop.t (a int, b text);\n{indexes}"
    down = f"{HEAD}drop index shop.t_a_lower_idx;\ndrop index shop.t_a_idx;\ndrop table shop.t;\n"
    assert findings(tmp_path, chain((up, down))) == []


def test_a_chain_that_forks_or_has_a_gap_is_found(tmp_path: Path) -> None:
    files = chain((HEAD, HEAD))
    fork = files["migrations/versions/0002_step.py"].replace('revision = "0002"', 'revision = "0002b"', 1)
    gap = fork.replace('"0002b"', '"0009"').replace('"0001"', '"0008"')
    files |= {"migrations/versions/0002b_step.py": fork, "migrations/versions/0009_step.py": gap}
    found = [f for f in findings(tmp_path, files) if f.rule == "migration.chain"]
    assert [f.message for f in found] == [
        "0002b comes after 0001, and so does 0002",
        "0009 comes after 0008, which is not there",
    ]


def test_what_is_not_read_makes_nothing_else_wrong(tmp_path: Path) -> None:
    module = '''"""A table, made by alembic."""
from alembic import op
import sqlalchemy as sa

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table("t", sa.Column("a", sa.Integer), schema="shop")


def downgrade() -> None:
    op.drop_table("t", schema="shop")
'''
    late = f"{HEAD}insert into shop.t (a) values (1);\n"
    files = chain((HEAD, HEAD), (late, HEAD))
    files["migrations/versions/0002_step.py"] = module
    del files["migrations/versions/0002_step.up.sql"], files["migrations/versions/0002_step.down.sql"]
    assert findings(tmp_path, files) == []


def test_plain_files_are_migrations_too(tmp_path: Path) -> None:
    files = {
        "lint.toml": TOML.replace('header = "-- Frozen."', ""),
        "migrations/versions/001_a.up.sql": FIRST_UP,
        "migrations/versions/001_a.down.sql": FIRST_DOWN,
        "migrations/versions/002_b.up.sql": "set lock_timeout = '1s';\nalter table shop.orders drop column sum;\n",
        "migrations/versions/002_b.down.sql": "select 1;\n",
    }
    (found,) = findings(tmp_path, files)
    assert (found.file, found.line, found.rule) == ("migrations/versions/002_b.up.sql", 2, "resolve.column")


FACTS = [
    ("alter table shop.orders add column a int", "AccessExclusive", ""),
    ("alter table shop.orders add column a int default 1", "AccessExclusive", ""),
    ("alter table shop.orders add column a float default random()", "AccessExclusive", "rewrites"),
    ("alter table shop.orders add column a int generated always as (1) stored", "AccessExclusive", "rewrites"),
    ("alter table shop.orders drop column total", "AccessExclusive", ""),
    ("alter table shop.orders alter column total set default 1", "AccessExclusive", ""),
    ("alter table shop.orders alter column total set statistics 100", "ShareUpdateExclusive", ""),
    ("alter table shop.orders set (fillfactor = 70)", "ShareUpdateExclusive", ""),
    ("alter table shop.orders set unlogged", "AccessExclusive", "rewrites"),
    ("alter table shop.orders add unique (total)", "AccessExclusive", "scans"),
    ("alter table shop.orders add constraint u unique using index i", "AccessExclusive", ""),
    ("alter table shop.orders validate constraint c", "ShareUpdateExclusive", "scans"),
    ("alter table shop.orders enable row level security", "AccessExclusive", ""),
    ("alter table shop.orders disable trigger all", "ShareRowExclusive", ""),
    ("alter table shop.orders owner to postgres", "AccessExclusive", ""),
    ("alter table shop.orders rename column total to sum", "AccessExclusive", ""),
    ("create index i on shop.orders (total)", "Share", "scans"),
    ("create index concurrently i on shop.orders (total)", "ShareUpdateExclusive", "scans"),
    ("create policy p on shop.orders using (true)", "AccessExclusive", ""),
    ("comment on table shop.orders is 'x'", "ShareUpdateExclusive", ""),
    ("comment on column shop.orders.total is 'x'", "ShareUpdateExclusive", ""),
    ("truncate shop.orders", "AccessExclusive", ""),
    ("lock table shop.orders in share mode", "Share", ""),
    ("lock table shop.orders in access share mode", "AccessShare", ""),
    ("update shop.orders set total = 1", "RowExclusive", ""),
    ("select 1 from shop.orders", "AccessShare", ""),
    ("select 1 from shop.orders for update", "RowShare", ""),
    ("do $$ begin update shop.orders set total = 1; end $$", "RowExclusive", ""),
    ("cluster shop.orders using orders_pkey", "AccessExclusive", "rewrites"),
    ("reindex table concurrently shop.orders", "ShareUpdateExclusive", "scans"),
    ("analyze shop.orders", "ShareUpdateExclusive", "scans"),
]


@pytest.mark.parametrize(("statement", "lock", "effect"), FACTS)
def test_the_table_of_locks_says_what_a_statement_takes(tmp_path: Path, statement: str, lock: str, effect: str) -> None:
    project(tmp_path, chain((f"{HEAD}{statement};\n", HEAD)))
    report = lint(tmp_path, find_config(tmp_path), locks=True)
    lines = [line for line in report.locks if line.file == SECOND]
    assert [(x.fact.relation, x.fact.lock, x.fact.effect, x.is_new) for x in lines] == [
        ("shop.orders", lock, effect, False)
    ]


def test_a_foreign_key_locks_both_tables(tmp_path: Path) -> None:
    statement = (
        "alter table shop.orders add constraint c foreign key (order_id) references shop.customers (customer_id)"
    )
    project(tmp_path, chain((f"{HEAD}{statement};\n", HEAD)))
    report = lint(tmp_path, find_config(tmp_path), locks=True)
    assert [(x.fact.relation, x.fact.lock, x.fact.effect) for x in report.locks if x.file == SECOND] == [
        ("shop.orders", "ShareRowExclusive", "scans"),
        ("shop.customers", "ShareRowExclusive", ""),
    ]
