"""A schema with every way in which a call comes to a statement, and its calls."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from eventlive_db.plans.case import Case
from eventlive_db.plans.explain import explain
from eventlive_db.plans.model import PlanMode, Run
from eventlive_db.server import Server
from tests.plans.plans_court import line_of

SCHEMA = """\
create schema app;
-- Wide, so that no plan hangs on a page more or less.
create table app.items (
    id int primary key, owner int not null, n int not null default 0, pad text not null default repeat('x', 300)
);
create table app.notes (
    id int generated always as identity primary key,
    item int not null references app.items on delete cascade,
    what text not null default ''
);
create index notes_item_idx on app.notes (item);
create table app.log (id int generated always as identity primary key, what text not null);
create table app.owned (id int primary key, owner int not null);
alter table app.owned enable row level security;
insert into app.items select n, n % 10 from generate_series(1, 400) n;
insert into app.owned select n, n % 3 from generate_series(1, 12) n;

create function app.helper(_id int) returns int language plpgsql stable as $$
begin
    return (select owner from app.items where id = _id);  -- mark: helper
end $$;

create function app.me() returns int language plpgsql stable as $$
declare
    v int;
begin
    select id into v from app.items where id = current_setting('app.me')::int;  -- mark: me
    return v;
end $$;
create policy owners on app.owned using (owner = app.me());
create view app.owned_view with (security_invoker = true) as select id from app.owned;

create function app.plain(_id int) returns int language plpgsql as $$
declare
    v int;
begin
    select n
      into v
      from app.items
     where id = _id;  -- three lines below mark: plain
    update app.items set n = n + 1 where id = _id;  -- mark: plain update
    return v;
end $$;

create function app.three() returns void language sql volatile as $$
    insert into app.log (what) values ('three');
    update app.items set n = 3 where id = 3;
    update app.items set n = 4 where id = 4;
$$;

create function app.atomic() returns bigint volatile
begin atomic
    insert into app.log (what) values ('atomic');
    select count(*) from app.items where owner = 2;
end;

create function app.many() returns setof int language sql volatile as $$
    select n from app.items order by id
$$;

create function app.lazy() returns void language plpgsql as $$
declare
    v int;
begin
    select (select app.many() limit 1) into v;  -- mark: lazy
    select app.many() into v limit 1;
end $$;

create function app.dynamic(_table text) returns int language plpgsql as $$
declare
    v int;
begin
    execute format('select app.helper(7)
      from app.%I as "limit 1"', _table) into v;  -- one line below mark: dynamic
    execute 'update app.items set n = 0 where id = $1' using 1;  -- mark: dynamic using
    return v;
end $$;

create function app.loops() returns int language plpgsql as $$
declare
    r record;
    v int := 0;
begin
    for r in  -- mark: loop query
        select id, app.helper(id) as owner
          from app.items where id <= 25 order by id
    loop
        insert into app.log (what) values (r.id::text);  -- mark: loop body
        v := v + r.owner;
    end loop;
    return v;
end $$;

create function app.cursor() returns int language plpgsql as $$
declare
    c cursor for select app.helper(id) as owner from app.items where id <= 25;
    v int;
begin
    open c;
    fetch c into v;
    fetch c into v;
    close c;  -- mark: close
    return v;
end $$;

create function app.nested(_id int) returns int language plpgsql as $$
begin
    perform app.plain(_id);  -- mark: nested
    return app.helper(_id) + app.plain(_id + 1);
end $$;

create function app.recursive(_n int) returns int language plpgsql as $$
declare
    v int;
begin
    select owner into v from app.items where id = _n;  -- mark: recursive
    if _n > 1 then
        v := v + (select app.recursive(_n - 1));  -- mark: recursive call
    end if;
    return v;
end $$;

create function app.unread(_some boolean) returns int language plpgsql as $$
declare
    v int := 0;
begin
    if _some then
        with w as (insert into app.log (what) select 'some' from generate_series(1, 60) returning id)
        select id into v from w limit 1;
    else
        with w as (insert into app.log (what) select 'none' from generate_series(1, 60) returning id),
             x as (update app.items set n = 1 where id <= 30 returning id)
        select count(*) into v from x;
    end if;
    return v;
end $$;

create function app.caught() returns text language plpgsql as $$
begin
    begin
        insert into app.log (what) values ('before');  -- mark: before the error
        perform app.fails();
    exception when division_by_zero then
        insert into app.log (what) values ('after');  -- mark: after the error
    end;
    return 'caught';
end $$;
create function app.fails() returns int language plpgsql as $$
begin
    update app.items set n = 9 where id = 9;  -- mark: fails
    return 1 / 0;
end $$;

create function app.before_row() returns trigger language plpgsql as $$
begin
    perform from app.items where id = new.item;  -- mark: before row
    new.what := 'seen';
    return new;
end $$;
create function app.after_row() returns trigger language plpgsql as $$
begin
    update app.items set n = n + 1 where id = new.item;  -- mark: after row
    return null;
end $$;
create function app.after_statement() returns trigger language plpgsql as $$
begin
    insert into app.log (what) select 'note ' || id from added;  -- mark: after statement
    return null;
end $$;
create function app.at_commit() returns trigger language plpgsql as $$
begin
    perform app.helper(new.item);  -- mark: at commit
    return null;
end $$;
create trigger a before insert on app.notes for each row execute function app.before_row();
create trigger b after insert on app.notes for each row execute function app.after_row();
create trigger c after insert on app.notes referencing new table as added
    for each statement execute function app.after_statement();
create constraint trigger d after insert on app.notes deferrable initially deferred
    for each row execute function app.at_commit();
create function app.noted() returns void language plpgsql as $$
begin
    insert into app.notes (item) values (5), (6);  -- mark: noted
end $$;

create function app.block() returns void language plpgsql as $$
begin
    do $do$
    begin
        perform from app.items where id = 1;
    end $do$;
end $$;

grant usage on schema app to public;
grant select, update on app.items to public;
grant select on app.owned, app.owned_view to public;
grant insert on app.log to public;
"""
CALLS = [
    "select app.plain(7)",
    "select app.three()",
    "select app.atomic()",
    "select * from app.many() limit 1",
    "select app.many() limit 1",
    "select app.lazy()",
    "select app.dynamic('log')",
    "select app.dynamic('items')",
    "select app.loops()",
    "select app.cursor()",
    "select app.nested(7)",
    "select app.recursive(5)",
    "select app.unread(true)",
    "select app.unread(false)",
    "select app.caught()",
    "select app.noted()",
    "insert into app.notes (item) values (5), (6)",
    "delete from app.items where id = 8",
    "select app.block()",
    "select app.helper(id) from app.items where id <= 30",
    "select count(*) from app.owned where id < 100",
    "with w as (insert into app.notes (item) values (5)) select app.helper(6)",
]


@dataclass(frozen=True)
class Bench:
    """A database with :data:`SCHEMA`, and its calls."""

    dsn: str
    role: str

    def run(self, call: str, mode: PlanMode = "generic", *, role: bool = False) -> Run:
        """A call on a connection that is warm; rolled back."""
        settings = {"app.me": "2"}
        return explain(self.dsn, Case(name="c", call=call, role=self.role if role else None, settings=settings), mode)


@contextmanager
def capture_bench(server: Server) -> Iterator[Bench]:
    """A database with the schema and a role without rights; both are dropped again."""
    name = f"test_capture_{secrets.token_hex(8)}"
    dsn = server.create_database(name)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SCHEMA)
        connection.execute(sql.SQL("create role {} login password 'x'").format(sql.Identifier(name)))
        connection.execute("vacuum (freeze, analyze)")
    yield Bench(dsn, name)
    server.drop_database(name)
    with psycopg.connect(server.admin_dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


def line(mark: str, function: str, above: int = 0) -> int:
    """The line of a mark in a function's body, the line of its opening quote being 1."""
    return line_of(SCHEMA, f"mark: {mark}") - above - line_of(SCHEMA, f"create function app.{function}(") + 1


def told(run: Run) -> list[tuple[int, str, str]]:
    """Depth, place and first words of each statement."""
    return [(s.depth, str(s.place), " ".join(s.text.split()[:3])) for s in run.statements]
