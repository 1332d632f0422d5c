"""SQL statement coverage: what the log of a server proves to have run, and what not."""

from __future__ import annotations

import json

import pytest

from eventlive_db.plans.coverage import (
    render,
)
from tests.plans.coverage_bench import FUNCTIONS, Shop


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
    execute 'drop table made_here';
    execute 'create temp table of_a_query as select 8 as a';  -- ran
    execute replace('droop table of_a_query', 'oo', 'o');  -- ran
    perform 7;  -- ran
    execute format($sql$ create temp table %I (a int) $sql$, 'left_here');
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
    """A query whose loop fails, and an error that is caught."""
    shop.install(UNFINISHED)
    shop.call("select shop.unfinished()", "select shop.caught()")
    with shop.connection.transaction():
        shop.call("select shop.opens()", "fetch all from result")
    coverage = shop.assert_as_marked()
    assert [unjudged.spot.text for unjudged in coverage.unjudged] == [
        "create temp table made_here (a int)",
        "execute 'drop table made_here'",
        "execute format($sql$ create temp table %I (a int) $sql$, 'left_here')",
    ]
