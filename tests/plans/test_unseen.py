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
create function app.quiet_for_a_while() returns void language plpgsql as $$
begin
    update app.jobs set state = state where id = 7;
    perform set_config('client_min_messages', 'error', true);
    for i in 1..50 loop
        update app.jobs set state = state where id = i;
    end loop;
    perform set_config('client_min_messages', 'debug5', true);
end $$;
create function app.quiet_beside_a_caught_error() returns void language plpgsql as $$
begin
    begin
        insert into app.jobs values (1, 'x');
    exception when unique_violation then null;
    end;
    perform set_config('client_min_messages', 'error', true);
    perform count(*) from app.other;
    perform set_config('client_min_messages', 'debug5', true);
end $$;
create function app.rubbish() returns void language plpgsql as $$
begin
    raise log E'duration: 0.1 ms  plan:\n{ rubbish';
end $$;
create function app.says_plan() returns void language plpgsql as $$
begin
    raise log E'my plan:\n{ rubbish';
end $$;
create table app.other (id int primary key);
insert into app.other select generate_series(1, 60);
create function app.over(_i int) returns int language plpgsql as $$ begin return _i; end $$;
create function app.over(_t text) returns text language plpgsql set client_min_messages = warning as $$
begin
    return _t;
end $$;
create function app.loud() returns int language plpgsql set client_min_messages = debug5 as $$ begin return 1; end $$;

-- What the server counts in another way than EXPLAIN does.
create table app.tree (tenant int, at date, v int, primary key (tenant, at)) partition by list (tenant);
create table app.tree_1 partition of app.tree for values in (1) partition by range (at);
create table app.tree_1_2026 partition of app.tree_1 for values from ('2026-01-01') to ('2027-01-01');
create table app.merged (id int, k int, n int, primary key (id, k)) partition by list (k);
create table app.merged_1 partition of app.merged for values in (1);
create table app.merged_2 partition of app.merged for values in (2);
insert into app.merged select n, 1, n from generate_series(1, 100) n;
create function app.merges() returns void language plpgsql as $$
begin
    for i in 1..20 loop
        merge into app.merged t using (values (3, 1)) s (i, k) on t.id = s.i and t.k = s.k
            when matched then update set n = t.n
            when not matched then insert values (s.i, s.k, 0);
    end loop;
end $$;
create table app.half_1 (id int);
create table app.half_2 (id int);
insert into app.half_1 select generate_series(1, 50);
insert into app.half_2 select generate_series(51, 100);
create function app.scrolls() returns void language plpgsql as $$
declare
    v_cursor scroll cursor for select * from app.half_1;
    v_row app.half_1;
begin
    open v_cursor;
    fetch last from v_cursor into v_row;
    fetch first from v_cursor into v_row;
    move absolute 0 from v_cursor;
    close v_cursor;
end $$;
create function app.empties_with_index() returns void language plpgsql as $$
begin
    truncate app.other;
    insert into app.other values (1);
end $$;
create materialized view app.summary as select count(*) from app.other;
create function app.refreshes() returns void language plpgsql as $$
begin
    refresh materialized view app.summary;
end $$;
create function app.archives() returns void language plpgsql as $$
begin
    create table app.archive as select * from app.other;
    create index on app.archive (id);
    alter table app.other add check (id > 0);
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


@pytest.mark.parametrize(
    "function",
    [
        "quiet",
        "quiet_by_clause",
        "quiet_without_tables",
        "quiet_for_a_while",
        "cursor_left_open",
        "caught",
        "rubbish",
    ],
)
def test_a_call_of_which_not_everything_is_told_never_passes(app: Court, function: str) -> None:
    assert "guard.unseen" in guards(app, f"app.{function}()")


def test_a_call_of_which_everything_is_told_passes(app: Court) -> None:
    assert guards(app, "app.honest()", statements=1) == []
    assert guards(app, "app.routed()", statements=1) == []


HONEST = {
    "a partition between": "insert into app.tree_1 values (1, '2026-05-05', 1)",
    "a merge into partitions": "select app.merges()",
    "a scan that begins again": "select count(*) from app.other o cross join lateral (select u.id from"
    " (select id from app.half_1 union all select id from app.half_2) u limit 1 + o.id) y",
    "a recursion": "with recursive r as (select 1 as i union all"
    " select i + 1 from r join app.half_1 h on h.id = r.i where i < 50) select count(*) from r",
    "a cursor that goes back": "select app.scrolls()",
    "truncate": "select app.empties_with_index()",
    "refresh": "select app.refreshes()",
    "create table as": "select app.archives()",
    "another one of the name is quiet": "select app.over(1)",
    "the level of the recording": "select app.loud()",
    "a message about plans": "select app.says_plan()",
}


@pytest.mark.parametrize("call", HONEST.values(), ids=HONEST.keys())
def test_what_the_server_counts_otherwise_is_not_taken_for_hidden(app: Court, call: str) -> None:
    assert tokens(app.judge(case(call, budget={}))) == []


def test_a_merge_into_partitions_is_told_as_often_as_it_runs(app: Court) -> None:
    (violation,) = app.judge(case("select app.merges()", budget={"statements": 19})).violations
    assert "20 statements" in violation.problem


def test_one_of_several_of_a_name_is_quiet(app: Court) -> None:
    assert guards(app, "app.over('x')") == ["guard.unseen"]


def test_what_is_hidden_beside_an_error_that_the_budget_allows_is_noticed(app: Court) -> None:
    assert guards(app, "app.quiet_beside_a_caught_error()", aborted_subtransactions=1) == ["guard.unseen"]


def test_a_call_that_names_the_level_itself_is_noticed(app: Court) -> None:
    assert guards(app, "set_config('client_min_messages', 'debug5', true)") == ["guard.unseen"]


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
