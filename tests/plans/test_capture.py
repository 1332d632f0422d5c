"""Every statement that runs inside a call is seen, at its line, and its figures add up."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from eventlive_db.plans.capture import capture
from eventlive_db.plans.case import Case
from eventlive_db.plans.errors import CaptureUnavailableError
from eventlive_db.plans.explain import explain
from eventlive_db.plans.measure import measuring
from eventlive_db.plans.model import MODES, PlanMode, Run, Statement
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


@pytest.fixture(scope="module")
def app(pg_server: Server) -> Iterator[Bench]:
    name = f"test_capture_{secrets.token_hex(8)}"
    dsn = pg_server.create_database(name)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SCHEMA)
        connection.execute(sql.SQL("create role {} login password 'x'").format(sql.Identifier(name)))
        connection.execute("vacuum (freeze, analyze)")
    yield Bench(dsn, name)
    pg_server.drop_database(name)
    with psycopg.connect(pg_server.admin_dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


def line(mark: str, function: str, above: int = 0) -> int:
    """The line of a mark in a function's body, the line of its opening quote being 1."""
    return line_of(SCHEMA, f"mark: {mark}") - above - line_of(SCHEMA, f"create function app.{function}(") + 1


def told(run: Run) -> list[tuple[int, str, str]]:
    """Depth, place and first words of each statement."""
    return [(s.depth, str(s.place), " ".join(s.text.split()[:3])) for s in run.statements]


def family(run: Run) -> Iterator[tuple[Statement, list[Statement]]]:
    """Each statement with those that ran directly inside it."""
    waiting: list[Statement] = []
    for statement in run.statements:
        inside: list[Statement] = []
        while waiting and waiting[-1].depth > statement.depth:
            inside.insert(0, waiting.pop())
        assert all(s.depth == statement.depth + 1 for s in inside), "no level is left out"
        yield statement, inside
        waiting.append(statement)
    assert all(s.depth == 0 for s in waiting)


# --- Figures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("call", CALLS)
def test_figures_add_up_in_every_statement_and_none_is_negative(app: Bench, call: str, mode: PlanMode) -> None:
    run = app.run(call, mode)
    for statement, inside in family(run):
        for figure in ("buffers", "wal_records", "wal_bytes"):
            own, total = getattr(statement, f"own_{figure}"), getattr(statement, figure)
            assert own >= 0, (figure, statement.text)
            assert total == own + sum(getattr(s, figure) for s in inside), (figure, statement.text)
    assert sum(s.own_buffers for s in run.statements) == run.buffers
    assert sum(s.own_wal_records for s in run.statements) == run.wal_records
    assert sum(s.own_wal_bytes for s in run.statements) == run.wal_bytes
    assert run.call.query == call
    assert run.call.depth == 0
    assert [s for s in run.statements if not s.frames] == [run.call]


@pytest.mark.parametrize("mode", MODES)
def test_the_wal_that_statements_tell_of_is_what_the_server_wrote(app: Bench, mode: PlanMode) -> None:
    calls = ["select app.plain(7)", "select app.three()", "select app.unread(true)", "select app.unread(false)"]
    calls += ["select app.noted()", "insert into app.notes (item) values (5)", "delete from app.items where id = 8"]
    with measuring(app.dsn, mode) as (connection, recording):
        for call in calls:
            for _ in range(3):
                recording.clear()
                with connection.transaction(force_rollback=True):
                    written = connection.execute("select pg_current_wal_insert_lsn()").fetchone()
                    connection.execute("set local client_min_messages = log")
                    connection.execute(call.encode())
                    connection.execute("set constraints all immediate")
                    connection.execute("set local client_min_messages = error")
                    row = connection.execute(
                        "select pg_current_wal_insert_lsn() - %s::pg_lsn", [written[0] if written else None]
                    ).fetchone()
            run = Run(tuple(s for s in recording.statements if "pg_current_wal" not in s.query))
            assert row is not None
            # Each record is aligned to 8 bytes, each page of 8 kB has a header of 24.
            slack = 8 * run.wal_records + 40 * (1 + run.wal_bytes // 8192)
            assert run.wal_bytes <= row[0] <= run.wal_bytes + slack, call


def test_what_after_triggers_and_foreign_keys_do_is_counted_with_their_statement(app: Bench) -> None:
    run = app.run("select app.noted()")
    by_text = {statement.text.split(" ")[0] + str(statement.place.line): statement for statement in run.statements}
    insert = by_text[f"insert{line('noted', 'noted')}"]
    inside = [s for s in run.statements if s.depth == insert.depth + 1]
    before = [s for s in inside if s.place.name == "app.before_row"]
    after = [s for s in inside if s not in before]
    assert [len(before), len(after)] == [2, 5]
    of_the_plan = insert.plan["Plan"]["WAL Records"]
    assert of_the_plan == insert.own_wal_records + sum(s.wal_records for s in before)
    assert insert.wal_records == of_the_plan + sum(s.wal_records for s in after)
    assert sum(s.wal_records for s in after) >= 6, "updates, log, row locks of the checks"


def test_rows_of_a_write_in_with_that_nothing_reads_are_counted(app: Bench) -> None:
    for some in ("true", "false"):
        run = app.run(f"select app.unread({some})")
        (statement,) = run.table_statements
        assert statement.wal_records >= 120
        assert statement.buffers >= 120


# --- Places -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_each_statement_of_a_function_is_told_at_its_line(app: Bench, mode: PlanMode) -> None:
    assert told(app.run("select app.plain(7)", mode)) == [
        (1, f"app.plain line {line('plain', 'plain', 3)}", "select n from"),
        (1, f"app.plain line {line('plain update', 'plain')}", "update app.items set"),
        (0, "the call itself", "select app.plain(7)"),
    ]


def test_a_function_in_a_function_is_told_inside_the_statement_that_calls_it(app: Bench) -> None:
    update = f"app.plain line {line('plain update', 'plain')}"
    select = f"app.plain line {line('plain', 'plain', 3)}"
    assert told(app.run("select app.nested(7)")) == [
        (2, select, "select n from"),
        (2, update, "update app.items set"),
        (1, f"app.nested line {line('nested', 'nested')}", "SELECT app.plain(_id)"),
        (1, f"app.helper line {line('helper', 'helper')}", "(select owner from"),
        (1, select, "select n from"),
        (1, update, "update app.items set"),
        (0, "the call itself", "select app.nested(7)"),
    ]


def test_statements_of_a_sql_function_are_told_apart(app: Bench) -> None:
    run = app.run("select app.three()")
    assert [(s.depth, s.place.name, s.frames[:1] and s.frames[0].line) for s in run.statements] == [
        (1, "three", 1),
        (1, "three", 2),
        (1, "three", 3),
        (0, "", ()),
    ]
    assert [e.count for e in run.executions] == [1, 1, 1]
    assert [s.relations for s in run.table_statements] == [("app.log",), ("app.items",), ("app.items",)]


def test_a_begin_atomic_body_which_has_no_text_is_told_by_what_it_does(app: Bench) -> None:
    run = app.run("select app.atomic()")
    assert [(s.depth, s.text, s.query) for s in run.statements] == [
        (1, "<Insert app.log>", ""),
        (1, "<Aggregate app.items>", ""),
        (0, "select app.atomic()", "select app.atomic()"),
    ]
    assert {str(s.place) for s in run.table_statements} == {"atomic"}


@pytest.mark.parametrize("call", ["select app.many() limit 1", "select * from app.many() limit 1"])
def test_a_sql_function_that_is_not_read_to_its_end_is_told_inside_its_statement(app: Bench, call: str) -> None:
    assert told(app.run(call)) == [
        (1, "many", "select n from"),
        (0, "the call itself", " ".join(call.split()[:3])),
    ]


def test_sql_functions_that_are_left_unfinished_stay_with_the_statement_around_them(app: Bench) -> None:
    here = f"app.lazy line {line('lazy', 'lazy')}"
    below = f"app.lazy line {line('lazy', 'lazy') + 1}"
    assert told(app.run("select app.lazy()")) == [
        (2, "many", "select n from"),
        (1, here, "select (select app.many()"),
        (2, "many", "select n from"),
        (1, below, "select app.many() limit"),
        (0, "the call itself", "select app.lazy()"),
    ]


def test_execute_is_told_with_the_text_it_made(app: Bench) -> None:
    run = app.run("select app.dynamic('log')")
    first, second = (s for s in run.statements if s.depth == 1)
    assert first.text == 'select app.helper(7) from app.log as "limit 1"'
    assert first.place.line == line("dynamic", "dynamic", 1)
    assert second.text == "update app.items set n = 0 where id = $1"
    assert second.place.line == line("dynamic using", "dynamic")
    assert first.frames[0].name == first.query


def test_the_body_of_a_loop_is_beside_its_query_and_what_the_query_calls_is_inside_it(app: Bench) -> None:
    run = app.run("select app.loops()")
    assert [(s.depth, s.place.name, s.place.line) for s in run.statements] == [
        *[(1, "app.loops", line("loop body", "loops"))] * 25,
        *[(2, "app.helper", line("helper", "helper"))] * 25,
        (1, "app.loops", line("loop query", "loops")),
        (0, "", None),
    ]
    assert [(e.count, e.first.place.name) for e in run.executions] == [
        (25, "app.loops"),
        (25, "app.helper"),
        (1, "app.loops"),
    ]


def test_what_the_query_of_a_cursor_calls_is_inside_it(app: Bench) -> None:
    assert told(app.run("select app.cursor()")) == [
        *[(2, f"app.helper line {line('helper', 'helper')}", "(select owner from")] * 2,
        (1, f"app.cursor line {line('close', 'cursor')}", "select app.helper(id) as"),
        (0, "the call itself", "select app.cursor()"),
    ]


def test_a_recursive_function_is_told_level_by_level(app: Bench) -> None:
    run = app.run("select app.recursive(4)")
    select, call = line("recursive", "recursive"), line("recursive call", "recursive")
    assert [(s.depth, s.place.line) for s in run.statements] == [
        (1, select),
        (2, select),
        (3, select),
        (4, select),
        (3, call),
        (2, call),
        (1, call),
        (0, None),
    ]


def test_triggers_and_foreign_keys_are_told_inside_the_statement_that_fires_them(app: Bench) -> None:
    run = app.run("select app.noted()")
    noted = f"app.noted line {line('noted', 'noted')}"
    fired = [
        (2, f"app.before_row line {line('before row', 'before_row')}", "SELECT from app.items"),
        (2, noted, "SELECT 1 FROM"),
        (2, f"app.after_row line {line('after row', 'after_row')}", "update app.items set"),
        (2, f"app.after_statement line {line('after statement', 'after_statement')}", "insert into app.log"),
    ]
    assert sorted(told(run)[:7]) == sorted([fired[0]] * 2 + [fired[1]] * 2 + [fired[2]] * 2 + [fired[3]])
    assert told(run)[7:] == [
        (1, noted, "insert into app.notes"),
        (0, "the call itself", "select app.noted()"),
        *[
            (1, f"app.helper line {line('helper', 'helper')}", "(select owner from"),
            (0, f"app.at_commit line {line('at commit', 'at_commit')}", "SELECT app.helper(new.item)"),
        ]
        * 2,
    ]
    assert [s.is_foreign_key_check for s in run.statements].count(True) == 2
    # By the names of triggers; a foreign key's end with the number of an object.
    (insert,) = [s for s in run.statements if s.text.startswith("insert into app.notes")]
    assert {name: n for name, n in insert.triggers.items() if len(name) == 1} == {"a": 2, "b": 2, "c": 1}


def test_a_cascade_is_told_inside_the_delete_that_causes_it(app: Bench) -> None:
    run = app.run("delete from app.items where id = 8")
    assert told(run) == [
        (1, "the call itself", "DELETE FROM ONLY"),
        (0, "the call itself", "delete from app.items"),
    ]


def test_a_block_inside_a_function_is_told_with_the_line_of_the_block(app: Bench) -> None:
    run = app.run("select app.block()")
    assert told(run)[0] == (1, "inline_code_block line 3", "SELECT from app.items")


@pytest.mark.parametrize("relation", ["app.owned", "app.owned_view"])
def test_a_policy_and_its_helper_are_seen_under_the_role_that_they_are_for(app: Bench, relation: str) -> None:
    run = app.run(f"select count(*) from {relation}", role=True)
    helper = (1, f"app.me line {line('me', 'me')}", "select id from")
    assert set(told(run)[:-1]) == {helper}
    assert len(told(run)) >= 13, "once for each row"
    assert told(run)[-1][:2] == (0, "the call itself")
    assert set(run.relations) == {"app.items", "app.owned"}
    as_owner = app.run(f"select count(*) from {relation}")
    assert len(as_owner.statements) == 1, "no policy for the owner"


def test_what_a_caught_error_undoes_is_told_except_the_statement_that_failed(app: Bench) -> None:
    run = app.run("select app.caught()")
    assert told(run) == [
        (1, f"app.caught line {line('before the error', 'caught')}", "insert into app.log"),
        (1, f"app.fails line {line('fails', 'fails')}", "update app.items set"),
        (1, f"app.caught line {line('after the error', 'caught')}", "insert into app.log"),
        (0, "the call itself", "select app.caught()"),
    ]


def test_an_error_that_is_not_caught_leaves_a_connection_that_goes_on(app: Bench) -> None:
    with psycopg.connect(app.dsn, autocommit=True) as connection:
        with capture(connection) as statements, pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("select app.fails()")
        assert [s.text for s in statements] == ["update app.items set n = 9 where id = 9"]
        with capture(connection) as statements:
            connection.execute("select app.plain(1)")
        assert len(statements) == 3


# --- Modes, roles and rights ------------------------------------------------------------------------------------------


def test_a_generic_plan_shows_parameters_and_a_custom_one_values(app: Bench) -> None:
    generic, custom = (app.run("select app.plain(7)", mode).statements[0].node for mode in MODES)
    assert generic.conditions == (("Index Cond", "(items.id = $1)"),)
    assert custom.conditions == (("Index Cond", "(items.id = 7)"),)


def test_capture_goes_on_under_a_role_without_rights_which_cannot_turn_it_off(app: Bench) -> None:
    with psycopg.connect(app.dsn, autocommit=True) as connection, capture(connection) as statements:
        with connection.transaction(force_rollback=True):
            connection.execute(sql.SQL("set local role {}").format(sql.Identifier(app.role)))
            connection.execute("select set_config('request.jwt.claims', '{}', true)")
            connection.execute("select app.plain(7)")
            for setting in ("log_min_duration = -1", "log_nested_statements = off", "log_analyze = off"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                    connection.execute(f"set auto_explain.{setting}".encode())
            connection.execute("select app.plain(8)")
        assert [s.text for s in statements if s.place.name == "app.plain"] == [
            "select n from app.items where id = _id",
            "update app.items set n = n + 1 where id = _id",
        ] * 2


def test_after_the_block_nothing_is_captured_and_the_settings_are_as_before(app: Bench) -> None:
    def settings() -> list[tuple[Any, ...]]:
        return connection.execute(
            "select name, setting from pg_settings where source = 'session' order by 1"
        ).fetchall()

    with psycopg.connect(app.dsn, autocommit=True) as connection:
        before = settings()
        with capture(connection) as statements:
            connection.execute("select app.plain(1)")
        seen = len(statements)
        assert settings() == before
        connection.execute("select app.plain(1)")
        assert len(statements) == seen == 3


def test_a_role_that_may_not_load_auto_explain_is_told_what_it_takes(app: Bench) -> None:
    dsn = make_conninfo(app.dsn, user=app.role, password="x")
    with psycopg.connect(dsn) as connection, pytest.raises(CaptureUnavailableError) as caught, capture(connection):
        pass
    assert caught.value.token == "capture_unavailable"
    assert "auto_explain cannot be loaded" in str(caught.value)
    assert "takes a superuser" in caught.value.advice
    assert isinstance(caught.value.__cause__, psycopg.errors.InsufficientPrivilege)


def test_a_server_without_auto_explain_is_told_with_what_to_install(app: Bench) -> None:
    # As if the contrib package were not there: the server looks for its libraries elsewhere.
    dsn = make_conninfo(app.dsn, options="-c dynamic_library_path=/nonexistent")
    with pytest.raises(CaptureUnavailableError) as caught, measuring(dsn, "generic"):
        pass
    assert "postgresql-contrib" in caught.value.advice
    assert isinstance(caught.value.__cause__, psycopg.errors.UndefinedFile)
