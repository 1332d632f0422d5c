"""A shop whose functions are judged by the log of a server."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from eventlive_db.plans.coverage import COVERAGE_SETTINGS, Coverage, report
from eventlive_db.server import TEST_SETTINGS

SETTINGS = {**TEST_SETTINGS, **COVERAGE_SETTINGS}

TABLES = """\
create schema shop;
create table shop.stock (item text primary key, left_over int not null);
insert into shop.stock values ('tea', 3), ('rum', 0);
"""

# Each statement that is judged is marked on its first line by what the calls of the tests make of it.
FUNCTIONS = """\
-- create function shop.order(text) is further down.
create function shop.refuse(_why text) returns void language plpgsql as $$
begin
    if _why <> '' then
        raise exception '%', _why;
    end if;
end $$;

create or replace function shop.take(_item text, _count int)
returns shop.stock
language plpgsql
as $take$
declare
    v_stock shop.stock;
    v_before constant shop.stock := (select s from shop.stock s where s.item = _item);  -- ran
    v_all shop.stock[];
    v_row shop.stock%rowtype;
    v_kind shop.stock.item%type;
begin
    if _count is null then
        perform shop.refuse('how many?');  -- missed
    elsif exists (select from shop.stock where item = _item and left_over < _count) then  -- ran
        perform shop.refuse('sold out');  -- ran
    elsif _count > (select 100) then  -- ran
        return null;
    end if;

    update shop.stock s  -- ran
       set left_over = s.left_over - _count
     where s.item = _item
    returning * into v_stock;
    if not found then
        insert into shop.stock values (_item, 0);  -- missed
        v_all := array(select s from shop.stock s);  -- missed
    end if;
    v_row.left_over := v_stock.left_over;
    v_row.item := (select 'tea');  -- ran
    return v_stock;
end
$take$;
"""


@dataclass(slots=True)
class Shop:
    """A database whose functions are judged, and the log of what is called in it.

    Attributes:
        connection: To it, in autocommit mode.
        file: Where its functions are written.
        log: The server's.
    """

    connection: psycopg.Connection[tuple[object, ...]]
    file: Path
    log: Path
    begin: int = field(default=0)

    def install(self, functions: str) -> None:
        """Create the functions, and forget what was logged before."""
        self.file.write_text(functions, "utf-8")
        self.connection.execute(functions.encode())
        self.begin = self.log.stat().st_size

    def call(self, *statements: str) -> None:
        """Run statements, whether they fail or not."""
        for statement in statements:
            with suppress(psycopg.errors.RaiseException, psycopg.errors.DataException):
                self.connection.execute(statement.encode())

    def logged(self) -> Path:
        """A file with what was logged since the functions were created."""
        part = self.file.with_name("server.log")
        part.write_bytes(self.log.read_bytes()[self.begin :])
        return part

    def coverage(self) -> Coverage:
        """What ran since the functions were created."""
        return report([self.logged()], self.connection, schemas=["shop"], sources=[self.file])

    def assert_as_marked(self) -> Coverage:
        """Each line marked ``-- ran`` is covered, each marked ``-- missed`` is not, and nothing else is judged."""
        coverage = self.coverage()
        lines = self.file.read_text("utf-8").split("\n")
        marked = {
            mark: [number for number, line in enumerate(lines, 1) for _ in range(line.count(f"-- {mark}"))]
            for mark in ("ran", "missed")
        }
        found = {"ran": coverage.covered, "missed": coverage.uncovered}
        assert {mark: sorted(spot.line for spot in spots) for mark, spots in found.items()} == marked
        assert {spot.file for spots in found.values() for spot in spots} <= {str(self.file)}
        return coverage
