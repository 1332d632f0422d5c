"""SQL statement coverage: what the log of a server proves to have run, and what not."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from eventlive_db.cli.app import app
from eventlive_db.plans.coverage import (
    COVERAGE_SETTINGS,
    Coverage,
    CoverageError,
    LogError,
    ParserMissingError,
    render,
    report,
)
from eventlive_db.server import TEST_SETTINGS, Server, open_server

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


@pytest.fixture(scope="module")
def logging_server(pytestconfig: pytest.Config) -> Iterator[Server]:
    """A server whose log tells what ran."""
    with open_server(kind=pytestconfig.getoption("--pg-kind"), settings=SETTINGS) as server:
        if server.log is None:
            pytest.skip("the log of this server cannot be read")
        yield server


@pytest.fixture
def shop(logging_server: Server, tmp_path: Path) -> Iterator[Shop]:
    """A database with two tables and no function yet."""
    name = f"shop_{secrets.token_hex(8)}"
    assert logging_server.log
    with psycopg.connect(logging_server.create_database(name), autocommit=True) as connection:
        connection.execute(TABLES.encode())
        yield Shop(connection, tmp_path / "shop.sql", logging_server.log)
    logging_server.drop_database(name)


def test_each_statement_is_told_from_the_others_by_file_and_line(shop: Shop) -> None:
    shop.install(FUNCTIONS)
    shop.call("select shop.take('tea', 1)", "select shop.take('tea', 2)", "select shop.take('rum', 1)")
    coverage = shop.assert_as_marked()
    assert coverage.functions == {"shop.take(text,integer)": (6, 9)}
    assert coverage.percent == pytest.approx(100 * 6 / 9)
    line = FUNCTIONS.split("\n").index("        perform shop.refuse('how many?');  -- missed") + 1
    assert f"{shop.file}:{line}  SELECT shop.refuse('how many?')" in render(coverage)
    assert "6 of 9 SQL statements in functions ran: 66.7 %" in render(coverage)
    assert json.loads(json.dumps(coverage.to_dict()))["uncovered"][0] == {
        "function": "shop.take(text,integer)",
        "body_line": 10,
        "text": "SELECT shop.refuse('how many?')",
        "file": str(shop.file),
        "line": line,
    }


def test_what_a_refused_call_did_before_the_error_counts_and_what_comes_after_does_not(shop: Shop) -> None:
    functions = FUNCTIONS.replace("-- ran", "-- missed")
    for reached in ("v_before constant", "left_over < _count", "'sold out'"):
        begin = functions.index(reached)
        functions = functions[:begin] + functions[begin:].replace("-- missed", "-- ran", 1)
    shop.install(functions)
    shop.call("select shop.take('rum', 1)")
    shop.assert_as_marked()


def test_a_statement_of_a_function_that_is_never_called_is_not_covered(shop: Shop) -> None:
    shop.install(FUNCTIONS.replace("-- ran", "-- missed"))
    shop.call("select 1")
    assert shop.assert_as_marked().percent == 0


KINDS = """\
create type shop.size as enum ('small', 'large');

create function shop.kinds(_fail boolean)
returns setof int
language plpgsql
as $$
declare
    v_row record;
    v_number int default (select 0);  -- ran
    v_size shop.size;
    v_sizes shop.size[];
    c_stock cursor (_least int) for select item from shop.stock where left_over >= _least;
    c_other refcursor;
begin
    for v_number, v_size in select 1, 'small' loop  -- ran
        v_sizes := array[v_size];
    end loop;
    for v_row in execute 'select 1' loop  -- ran
        null;
    end loop;
    for v_row in c_stock(1) loop  -- ran
        null;
    end loop;
    for i in 1 .. (select 2) loop  -- ran
        continue when exists (select where i = 1);  -- ran
        perform i;  -- ran
    end loop;
    foreach v_number in array array(select 1) loop  -- ran
        null;
    end loop;
    while v_number < (select 2) loop  -- ran
        v_number := v_number + 1;
    end loop;
    open c_stock(2);  -- ran
    fetch c_stock into v_row;
    close c_stock;
    open c_other for select item from shop.stock;  -- ran
    close c_other;
    execute 'insert into shop.stock values ($1, 1)' using 'gin';  -- ran
    call shop.nothing();  -- ran
    case v_number
        when 1 then
            perform 'one';  -- missed
        when (select 2) then  -- ran
            perform 'two';  -- ran
        when (select 3) then  -- missed
            perform 'three';  -- missed
        else
            perform 'many';  -- missed
    end case;
    lock table shop.stock;
    raise debug '%', (select 1);  -- ran
    delete from shop.stock  -- ran
     where item = 'gin';
    if _fail then perform 'fail'; else perform 'go on'; end if;  -- missed -- ran
    return query select left_over from shop.stock;  -- ran
    return query execute 'select 1';  -- ran
    return next (select 3);  -- ran
    return;
end
$$;

create procedure shop.nothing() language plpgsql as $$ begin null; end $$;
"""


def test_every_kind_of_statement_is_seen_and_only_the_branch_that_ran_counts(shop: Shop) -> None:
    shop.install(KINDS)
    shop.call("select shop.kinds(false)")
    coverage = shop.assert_as_marked()
    [utility] = coverage.unjudged
    assert utility.spot.text == "lock table shop.stock"
    assert "auto_explain" in utility.reason


UNFINISHED = """\
create function shop.unfinished() returns void language plpgsql as $$
declare
    v_row record;
begin
    for v_row in select 1 loop  -- ran
        raise exception 'in a loop';
    end loop;
    perform 1;  -- missed
end $$;

create function shop.caught() returns void language plpgsql as $$
begin
    begin
        perform 1 / (select 0);  -- ran
        perform 2;  -- missed
    exception when division_by_zero then
        perform 3;  -- ran
    end;
    begin
        perform 4;  -- ran
        perform 5 / (select 0);  -- missed
    exception when division_by_zero then
        perform 6;  -- ran
    end;
    create temp table made_here (a int);
    execute 'drop table made_here';  -- ran
    perform 7;  -- ran
    execute 'create temp table left_here (a int)';  -- missed
end $$;

create function shop.opens() returns refcursor language plpgsql as $$
declare
    v_result refcursor := 'result';
begin
    open v_result for select item from shop.stock order by item;  -- ran
    return v_result;
end $$;
"""


def test_what_leaves_no_trace_counts_where_something_after_it_does(shop: Shop) -> None:
    """A query whose loop fails, and an error that is caught; what stays unknown counts as not covered."""
    shop.install(UNFINISHED)
    shop.call("select shop.unfinished()", "select shop.caught()")
    with shop.connection.transaction():
        shop.call("select shop.opens()", "fetch all from result")
    shop.assert_as_marked()


def test_functions_of_one_name_are_told_apart_by_their_arguments_and_schemas(shop: Shop) -> None:
    shop.install(
        """\
create function shop.same(_a int) returns void language plpgsql as $$
begin
    perform 1;  -- ran
end $$;
create function shop.same(_a shop.stock) returns void language plpgsql as $$
begin
    perform 1;  -- missed
end $$;
create function shop.same(_a timestamptz, _b text[]) returns void language plpgsql set search_path = shop, pg_temp as $$
begin
    perform 1;  -- ran
    perform 1;  -- ran
end $$;
create function shop."Order"() returns trigger language plpgsql as $$
begin
    perform 'fired';  -- ran
    return new;
end $$;
create trigger fires before update on shop.stock for each row execute function shop."Order"();
"""
    )
    shop.call("select shop.same(1), shop.same(now(), '{}')", "select shop.same(1)", "update shop.stock set item = item")
    shop.assert_as_marked()


def test_a_name_without_schema_that_two_functions_have_counts_for_neither(shop: Shop) -> None:
    shop.install("""\
create function shop.twice() returns void language plpgsql set search_path = shop as $$
begin
    perform 1;  -- missed
end $$;
create schema other;
create function other.twice() returns void language plpgsql set search_path = other as $$
begin
    perform 1;
end $$;
""")
    shop.call("select other.twice()")
    shop.assert_as_marked()


def test_a_changed_function_does_not_count_for_the_one_in_the_catalog(shop: Shop) -> None:
    body = (
        "create or replace function shop.f() returns int language plpgsql as $$\nbegin\n    {};\n    return 1;\nend $$"
    )
    shop.install(body.format("perform 1"))
    shop.call(body.format("perform 2"), "select shop.f()", body.format("perform 1"))
    assert shop.coverage().percent == 0


def test_a_sql_function_counts_statement_by_statement_unless_the_planner_may_inline_it(shop: Shop) -> None:
    shop.install("""\
create function shop.inlined(_a int) returns int language sql as $$ select _a + 1 $$;
create function shop.inlined_too(_a int) returns int return (select _a + 1);
create function shop.as_owner(_a int) returns int language sql security definer as $$
    select 1;  -- ran
    select _a  -- ran
$$;
create function shop.not_called() returns int language sql security definer as $$
    select 1  -- missed
$$;
create function shop.atomic() returns int language sql
begin atomic  -- ran -- ran
    update shop.stock set left_over = 0;
    select 1;
end;
create schema other;
create function other.named() returns int language sql volatile set work_mem = '1MB' as $$ select 2 $$;
create function shop.named() returns int language sql volatile set work_mem = '1MB' as $$ select 2 $$;
""")
    shop.call("select shop.inlined(1), shop.inlined_too(2)", "select shop.as_owner(1), shop.atomic(), shop.named()")
    coverage = shop.assert_as_marked()
    reasons = {entry.spot.function: entry.reason for entry in coverage.unjudged}
    assert set(reasons) == {"shop.inlined(integer)", "shop.inlined_too(integer)", "shop.named()"}
    assert "in place of the call" in reasons["shop.inlined(integer)"]
    assert "same name" in reasons["shop.named()"]
    assert "in place of the call" in render(coverage)
    assert "shop.inlined_too(integer)" in render(coverage, all_functions=True)


def test_without_a_source_a_statement_has_its_function_and_the_line_of_the_body(shop: Shop) -> None:
    shop.install(FUNCTIONS)
    shop.call("select shop.take('tea', 1)")
    coverage = report([shop.logged()], shop.connection, schemas=["shop"])
    assert coverage.uncovered[0].where == "shop.take(text,integer) line 10"


@pytest.fixture
def command(shop: Shop) -> Callable[..., tuple[int, str]]:
    """Run the command; its exit status and what it said."""

    def run(*more: str) -> tuple[int, str]:
        dsn = f"{shop.connection.info.dsn} password={shop.connection.info.password}"
        arguments = [str(shop.logged()), "--source", str(shop.file), "--database", dsn, "--schema", "shop"]
        done = CliRunner().invoke(app, ["plans", "coverage", *arguments, *more])
        return done.exit_code, done.output

    return run


def test_the_command_fails_a_suite_that_misses_a_branch_and_passes_it_when_it_does_not(
    shop: Shop, command: Callable[..., tuple[int, str]]
) -> None:
    shop.install("""\
create function shop.branch(_a int) returns int language plpgsql as $$
begin
    if _a = 1 then
        return (select 1);
    end if;
    return (select 2);
end $$;
""")
    shop.call("select shop.branch(1)")
    status, said = command("--fail-under", "95")
    assert (status, f"{shop.file}:6  (select 2)" in said) == (1, True)
    shop.call("select shop.branch(2)")
    assert command("--fail-under", "95")[0] == 0
    status, said = command("--json")
    assert (status, json.loads(said)["percent"]) == (0, 100)


def test_without_pglast_the_error_says_what_to_install(
    shop: Shop, command: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.install(FUNCTIONS)
    shop.call("select shop.take('tea', 1)")
    monkeypatch.setitem(sys.modules, "pglast", None)
    with pytest.raises(ParserMissingError, match=r"pip install 'eventlive-db\[lint\]'"):
        shop.coverage()
    status, said = command()
    assert (status, "eventlive-db[lint]" in said) == (2, True)


def test_importing_the_package_does_not_import_pglast() -> None:
    program = "import sys, eventlive_db.plans.coverage; sys.exit('pglast' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_log_without_plans_and_a_schema_without_functions_are_refused_with_advice(
    shop: Shop, tmp_path: Path, empty_database: str
) -> None:
    shop.install(FUNCTIONS)
    quiet = tmp_path / "quiet.log"
    quiet.write_text("2026-01-01 00:00:00.000 UTC [1] LOG:  database system is ready to accept connections\n", "utf-8")
    for logs in ([quiet], [tmp_path / "none.log"], []):
        with pytest.raises(LogError, match=r"COVERAGE_SETTINGS|cannot be read|no log file"):
            report(logs, shop.connection, schemas=["shop"])
    shop.call("select 1")
    with pytest.raises(CoverageError, match="'shopp' has no function"):
        report([shop.logged()], shop.connection, schemas=["shopp"])


def test_a_function_that_cannot_be_read_is_named_and_not_counted(shop: Shop) -> None:
    shop.install("""\
create function shop.odd() returns void language plpgsql as $$
declare
    c cursor (_row shop.stock) for select 1;
begin
    perform 1;
end $$;
""")
    shop.call("select shop.odd()")
    coverage = shop.coverage()
    assert (coverage.total, [entry.spot.where for entry in coverage.unjudged]) == (0, [f"{shop.file}:1"])
    assert "pglast cannot read it" in render(coverage)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user gets to: as root, the server runs as another one."""
    folder = Path(tempfile.mkdtemp(prefix="el-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_log_in_json_tells_the_same(pytestconfig: pytest.Config, open_folder: Path) -> None:
    kind, data = pytestconfig.getoption("--pg-kind"), open_folder / "kept"
    if kind in {"dsn", "container"}:
        pytest.skip("takes a server of this machine")
    collected = {"logging_collector": "on", "log_destination": "jsonlog", "log_directory": "log"}
    with open_server(kind=kind, data=data) as server, psycopg.connect(server.dsn(), autocommit=True) as connection:
        for name, value in collected.items():
            connection.execute(f"alter system set {name} = '{value}'".encode())
    with open_server(kind=kind, data=data, settings=SETTINGS) as server:
        file = open_folder / "shop.sql"
        file.write_text(FUNCTIONS, "utf-8")
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute(f"{TABLES}{FUNCTIONS}".encode())
            connection.execute("select shop.take('tea', 1)")
            with suppress(psycopg.errors.RaiseException):
                connection.execute("select shop.take('rum', 1)")
            logs = list((data / "data" / "log").glob("*.json"))
            coverage = report(logs, connection, schemas=["shop"], sources=[file])
    assert coverage.functions == {"shop.take(text,integer)": (6, 9)}
