"""A small schema in which plans can be made to change, and snapshots of real calls in it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg

from eventlive_db.plans.capture import capture
from eventlive_db.plans.model import MODES, PlanMode, Run
from eventlive_db.plans.snapshot import Snapshot, take
from eventlive_db.server import Server

SCHEMA = """
    create schema shop;
    create table shop.customers (id int primary key, email text not null, city text not null, token uuid);
    create table shop.orders (id int primary key, customer_id int not null, total int not null, state text not null);
    insert into shop.customers select n, 'c' || n || '@example.org', 'city ' || n % 20 from generate_series(1, 2000) n;
    insert into shop.orders
    select n, n % 2000 + 1, n % 100, case when n % 100 = 0 then 'open' else 'paid' end from generate_series(1, 4000) n;
    create index orders_customer_idx on shop.orders (customer_id);
    create table shop.events (at date not null, what text) partition by range (at);
    create table shop.events_2020 partition of shop.events for values from ('2020-01-01') to ('2021-01-01');
    create table shop.events_2021 partition of shop.events for values from ('2021-01-01') to ('2022-01-01');
    create function shop.is_member() returns boolean language plpgsql stable as 'begin return true; end';
"""
SETTINGS = (
    "enable_bitmapscan = off",
    "enable_memoize = off",
    "enable_material = off",
    "max_parallel_workers_per_gather = 0",
)


class Bench:
    """A connection in a transaction that is rolled back after the test.

    Args:
        connection: To a database with :data:`SCHEMA` in it.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        for setting in SETTINGS:
            connection.execute(f"set local {setting}".encode())

    def do(self, *commands: LiteralString) -> None:
        """Run something that is to change plans."""
        for command in commands:
            self.connection.execute(command)

    def define(self, body: str, *, declare: str = "", name: str = "f", arguments: str = "_id int") -> None:
        """Make or replace a plpgsql function in the schema ``shop``."""
        self.connection.execute(
            f"create or replace function shop.{name}({arguments}) returns void language plpgsql as $body$\n"
            f"declare r record; {declare}\nbegin\n{body}\nend $body$".encode()
        )

    def run(
        self, call: str = "select shop.f(7)", modes: tuple[PlanMode, ...] = MODES, role: str = "none"
    ) -> dict[PlanMode, Run]:
        """Measure a call made by a role, in a savepoint that is rolled back."""
        runs: dict[PlanMode, Run] = {}
        for mode in modes:
            self.connection.execute("discard plans")
            self.connection.execute(f"set local plan_cache_mode = force_{mode}_plan".encode())
            with capture(self.connection) as statements, self.connection.transaction(force_rollback=True):
                self.connection.execute(f"set local role {role}".encode())
                self.connection.execute(call.encode())
            runs[mode] = Run(tuple(statements))
        return runs

    def take(self, call: str = "select shop.f(7)", modes: tuple[PlanMode, ...] = MODES, role: str = "none") -> Snapshot:
        """A snapshot of a call."""
        return take(self.run(call, modes, role))


@contextmanager
def shop(server: Server) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a database with :data:`SCHEMA`, statistics and visibility map in it; dropped afterwards."""
    name = f"test_shop_{secrets.token_hex(8)}"
    with psycopg.connect(server.create_database(name), autocommit=True) as connection:
        connection.execute(SCHEMA)
        connection.execute("vacuum analyze")
        yield connection
    server.drop_database(name)


@contextmanager
def bench(connection: psycopg.Connection[Any]) -> Iterator[Bench]:
    """A bench, and the end of all it did."""
    with connection.transaction(force_rollback=True):
        yield Bench(connection)
