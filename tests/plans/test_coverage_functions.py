"""Which function a line of the log belongs to, and which functions cannot be judged."""

from __future__ import annotations

from eventlive_db.plans.coverage import (
    render,
    report,
)
from tests.plans.coverage_bench import FUNCTIONS, Shop


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


def test_a_procedure_that_commits_counts_in_each_of_its_transactions(shop: Shop) -> None:
    shop.install("""\
create procedure shop.restock(_item text, inout _outcome jsonb default null) language plpgsql as $$
declare
    v_begun record;
    v_work record;
begin
    commit;
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);  -- ran
    v_begun := row(1);
    if v_begun.f1 > 1 then
        delete from shop.stock;  -- missed
    end if;
    for v_work in select s.item from shop.stock s order by s.item loop  -- ran
        if v_work.item = _item then
            perform set_config('role', 'none', true);  -- missed
        end if;
        update shop.stock s set left_over = 1 where s.item = v_work.item;  -- ran
        commit;
    end loop;
    perform 1;  -- ran
    _outcome := jsonb_build_object('outcome', 'done');
end $$;
""")
    shop.call("call shop.restock('none such')")
    shop.assert_as_marked()


def test_without_a_source_a_statement_has_its_function_and_the_line_of_the_body(shop: Shop) -> None:
    shop.install(FUNCTIONS)
    shop.call("select shop.take('tea', 1)")
    coverage = report([shop.logged()], shop.connection, schemas=["shop"])
    assert coverage.uncovered[0].where == "shop.take(text,integer) line 10"


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
