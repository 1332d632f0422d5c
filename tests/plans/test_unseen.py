"""What a call hides from the recording is noticed by other counters, and never passes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from eventlive_db.plans.errors import CallFailedError
from eventlive_db.plans.explain import explain
from eventlive_db.plans.frames import Place
from eventlive_db.plans.sources import read_sources
from eventlive_db.server import Server
from tests.plans.plans_court import Court, case, court, tokens, write_suite

SCHEMA = """
create schema app;
create table app.jobs (id int primary key, state text not null);
insert into app.jobs select n, 'waiting' from generate_series(1, 500) n;
create table app.log (id int);

create function app.quiet() returns void language plpgsql as $$
begin
    perform set_config('client_min_messages', 'warning', true);
    perform from app.jobs j where j.state = 'x';
end $$;
create function app.quiet_by_clause() returns void language plpgsql set client_min_messages = warning as $$
begin
    perform from app.jobs j where j.state = 'x';
end $$;
create function app.quiet_without_tables() returns void language plpgsql set client_min_messages = warning as $$
begin
    perform 1 / 0;
exception when division_by_zero then null;
end $$;
create function app.cursor_left_open() returns refcursor language plpgsql as $$
declare
    v_cursor refcursor;
begin
    open v_cursor for select * from app.jobs j where j.state = 'x';
    return v_cursor;
end $$;
create function app.caught() returns void language plpgsql as $$
begin
    update app.jobs set id = 1;
exception when unique_violation then null;
end $$;
create function app.emptied() returns void language plpgsql as $$
begin
    truncate app.log;
end $$;
create function app.one_by_one() returns void language plpgsql as $$
declare
    v_id int;
begin
    for v_id in select j.id from app.jobs j where j.id <= 20 loop
        execute 'select 1 from app.jobs j where j.id = ' || v_id;
    end loop;
end $$;
create function app.sampled() returns bigint language sql begin atomic
    select count(*) from app.jobs tablesample system (100);
end;
create table app.parts (id int, at date) partition by range (at);
create table app.parts_now partition of app.parts default;
create function app.routed() returns void language plpgsql as $$
begin
    insert into app.parts values (1, current_date);
end $$;
create function app.honest() returns void language plpgsql as $$
begin
    perform from app.jobs j where j.id = 1;
end $$;
"""


@pytest.fixture(scope="module")
def app(pg_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    """The schema, and a judge."""
    with court(pg_server, write_suite(tmp_path_factory.mktemp("unseen"), SCHEMA)) as built:
        yield built


def guards(app: Court, call: str, **budget: object) -> list[str]:
    """Tokens of what does not hold."""
    return tokens(app.judge(case(f"select {call}", budget=budget)))


@pytest.mark.parametrize("function", ["quiet", "quiet_by_clause", "quiet_without_tables", "cursor_left_open", "caught"])
def test_a_call_of_which_not_everything_is_told_never_passes(app: Court, function: str) -> None:
    assert "guard.unseen" in guards(app, f"app.{function}()")


def test_a_call_of_which_everything_is_told_passes(app: Court) -> None:
    assert guards(app, "app.honest()", statements=1) == []
    assert guards(app, "app.routed()", statements=1) == []


def test_a_caught_error_is_left_to_the_budget_that_limits_them(app: Court) -> None:
    assert guards(app, "app.caught()", aborted_subtransactions=1) == []
    assert guards(app, "app.caught()", aborted_subtransactions=0) == ["budget.aborted_subtransactions"]


def test_a_table_that_is_emptied_was_touched(app: Court) -> None:
    assert guards(app, "app.emptied()", never_touches=("app.log",)) == ["budget.never_touches"]
    assert guards(app, "app.emptied()", only_touches=("app.jobs",)) == ["budget.only_touches"]


def test_the_same_dynamic_statement_in_a_loop_is_one_statement(app: Court) -> None:
    (violation,) = app.judge(case("select app.one_by_one()", budget={"repeats": 1})).violations
    assert violation.token == "budget.repeats"
    assert "ran 20 times" in violation.problem
    assert str(violation.place) == "app.one_by_one line 6"


def test_a_sample_reads_the_table_without_an_index(app: Court) -> None:
    assert guards(app, "app.sampled()", seq_scans=()) == ["budget.seq_scans"]


@pytest.mark.parametrize("call", ["insert into app.log values (1); commit", "commit", "rollback"])
def test_a_call_that_ends_the_transaction_is_refused_and_keeps_nothing(app: Court, call: str) -> None:
    dsn = app.dsn
    with pytest.raises(CallFailedError, match=r"ended the transaction|multiple commands"):
        explain(dsn, case(call))
    with psycopg.connect(dsn) as connection:
        assert connection.execute("select count(*) from app.log").fetchone() == (0,)


def test_a_result_without_a_binary_form_is_no_trouble_and_copy_is_refused(app: Court) -> None:
    assert tokens(app.judge(case("select relacl from pg_class", budget={}))) == []
    (violation,) = app.judge(case("copy app.jobs to stdout", budget={})).violations
    assert violation.token == "call.failed"
    assert "COPY cannot be measured" in violation.problem


def test_of_an_overloaded_function_no_line_is_told_rather_than_a_wrong_one(tmp_path: Path) -> None:
    file = tmp_path / "schema.sql"
    file.write_text(
        "create function app.f(a int) returns int language sql as $$ select 1 $$;\n"
        "create function app.f(a text) returns int language sql as $$ select 1 $$;\n"
        "create function app.g() returns int language sql as $$ select 1 $$;\n"
    )
    sources = read_sources([file])
    assert sources.find(Place("app.f(integer)", 1)) is None
    assert sources.find(Place("app.g()", 1)) == (file, 3)
