"""A small project with SQL of its own, for the tests of the linter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from eventlive_db.lint.finding import Finding
from eventlive_db.lint.sql import find_config, lint

SHOP = """
create schema shop;

create type shop.state as enum ('new', 'paid');
create type shop.money as (amount numeric, currency text);

create table shop.customers (
    customer_id bigint generated always as identity primary key,
    email text not null,
    home shop.money
);

create table shop.orders (
    order_id bigint primary key,
    customer_id bigint not null references shop.customers (customer_id),
    state shop.state not null default 'new',
    total numeric not null default 0,
    placed_at timestamptz not null default now(),
    constraint orders_total_positive check (total >= 0)
);

create view shop.paid as
select o.order_id, o.total as paid_total from shop.orders o where o.state = 'paid';

create function shop.total_of(_customer_id bigint, _since timestamptz default null)
returns numeric
language sql
stable
begin atomic
    select sum(o.total) from shop.orders o where o.customer_id = _customer_id and o.placed_at >= _since;
end;

create function shop.latest(_count integer)
returns table (order_id bigint, placed_at timestamptz)
language sql
stable
begin atomic
    select o.order_id, o.placed_at from shop.orders o order by o.placed_at desc limit _count;
end;

create function shop.orders_of(_customer_id bigint)
returns setof shop.orders
language plpgsql
as $$
begin
    return query
    select o.order_id, o.customer_id, o.state, o.total, o.placed_at
      from shop.orders o
     where o.customer_id = _customer_id;
end
$$;
"""

ONLY_NAMES = """
sql = ["sql"]
migrations = ["migrations"]
python = ["app"]
search_path = ["pg_catalog", "pg_temp"]

[rules]
body = false
object = false
query = false
migration = false
"""


def project(root: Path, files: Mapping[str, str]) -> Path:
    """Write files below a folder."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def findings(root: Path, files: Mapping[str, str], *paths: str) -> list[Finding]:
    """What the linter says of a project with these files."""
    project(root, files)
    return lint(root, find_config(root.resolve()), [root / path for path in paths]).findings


def place(text: str, needle: str) -> tuple[int, int]:
    """Line and column of the only place of a text that holds these words; ``^`` in it marks the very character."""
    before, _, _ = needle.partition("^")
    plain = needle.replace("^", "", 1)
    assert text.count(plain) == 1, f"{plain!r} stands {text.count(plain)} times in the text"
    offset = text.index(plain) + (len(before) if "^" in needle else 0)
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
