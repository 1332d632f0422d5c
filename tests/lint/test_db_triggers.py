"""What a trigger reads and assigns are columns of its table."""

from __future__ import annotations

import pytest

from tests.lint.db_bench import PATH, App, broken
from tests.support.database import EventliveDatabase
from tests.support.faults import break_function

TRIGGER = "create function app.fires() returns trigger language plpgsql {path} as $$ {body} $$"


def plant_trigger(app: App, body: str) -> None:
    """Make a trigger of a table with the columns a, b and p, of which p has the fields x and y."""
    app.admin.execute("create type app.point as (x int, y int)")
    app.admin.execute('create table app.row (id int primary key, a int, b int[], p app.point, "Big" text)')
    app.admin.execute(TRIGGER.format(path=PATH, body=body).encode())
    app.admin.execute("create trigger fires before update on app.row for each row execute function app.fires()")


@pytest.mark.parametrize(
    ("body", "line", "said"),
    [
        ("begin\n  new.gone := 1; return new; end", 2, "variable new has no such column"),
        ("begin\n  new.gone[1] = 1; return new; end", 2, "variable new has no such column"),
        ("begin\n  select 1, 2\n  into new.a, new.gone; return new; end", 3, "variable new has no such column"),
        ("begin\n  execute 'select 1' into new.gone; return new; end", 2, "variable new has no such column"),
        ("begin\n  get diagnostics new.gone = row_count; return new; end", 2, "variable new has no such column"),
        (
            "begin\n  if new.a = 1 then\n    new.big := ''; end if; return new; end",
            3,
            "variable new has no such column",
        ),
        ("declare v app.point;\nbegin v.z := 1; return new; end", 2, "variable v has no such column"),
    ],
    ids=["assigned", "element", "into", "dynamic", "diagnostics", "case", "variable"],
)
def test_an_assignment_to_a_column_that_does_not_exist_is_found(app: App, body: str, line: int, said: str) -> None:
    plant_trigger(app, body)
    [finding] = app.broken()
    assert finding.sentence.startswith(f"Line {line} of app.fires() does not compile: {said}")


def test_an_assignment_to_a_column_that_exists_is_no_finding(app: App) -> None:
    plant_trigger(
        app,
        """declare v app.point; v_row app.row%rowtype; v_any record;
        begin
            new.a := 1; new.b[2] := new.a; new.p.x := 1; new."Big" := 'a'; v.y := 2; v_row.p := v; NEW.A := 3;
            v_row.p.y := 1; select 1, '{}' into new.a, new.b; execute 'select 2' into new.a;
            select 1 as gone into v_any; v_any.gone := 2; get diagnostics new.a = row_count;
            if tg_op = 'UPDATE' then old := new; new := v_row; end if;
            return new;
        end""",
    )
    assert app.broken() == []


def test_a_trigger_function_of_several_tables_may_assign_what_only_one_of_them_has(app: App) -> None:
    plant_trigger(app, "begin if tg_table_name = 'other' then new.more := 1; end if; return new; end")
    app.admin.execute("create table app.other (more int)")
    app.admin.execute("create trigger fires before update on app.other for each row execute function app.fires()")
    assert app.broken() == []
    app.admin.execute("alter table app.other drop column more")
    [finding] = app.broken()
    assert "variable new has no such column" in finding.sentence


def test_a_trigger_knows_the_columns_of_its_table(db: EventliveDatabase) -> None:
    break_function(db, "refresh_changed_webinar", "refresh_webinar_live(new.id)", "refresh_webinar_live(new.gone)")
    [finding] = broken(db.dsn)
    assert "variable new has no such column" in finding.sentence
