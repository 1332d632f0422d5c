"""A query inside a function that names what does not exist is found before anybody runs it."""

from __future__ import annotations

import pytest

from tests.lint.db_bench import App, broken
from tests.support.database import EventliveDatabase


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "begin perform id from eventlive.registrations; end",
            'Line 1 of app.faulty(uuid) does not compile: column "id" does not exist (42703).',
        ),
        (
            "declare v_id uuid;\nbegin\n  select r.id into v_id from eventlive.registrations r; end",
            "Line 3 of app.faulty(uuid) does not compile: column r.id does not exist (42703).",
        ),
        (
            "begin create temp table seen (a int); perform a from unseen; end",
            'relation "unseen" does not exist (42P01)',
        ),
        (
            "begin update eventlive.webinars set gone = 1 where id = _webinar_id; end",
            'column "gone" of relation "webinars" does not exist (42703)',
        ),
        ("begin perform from eventlive.nothing; end", 'relation "eventlive.nothing" does not exist (42P01)'),
        ("begin perform eventlive.nothing(); end", "function eventlive.nothing() does not exist (42883)"),
        ("begin if exists (select from eventlive.jobs where id = 1) then return; end if; end", '"id" does not exist'),
        ("declare v_n int := (select n from eventlive.jobs);\nbegin null; end", 'column "n" does not exist'),
        (
            (
                "declare v record;\nbegin for v in select w.slug from eventlive.webinars w loop\n"
                "perform from eventlive.jobs where id = v.slug; end loop; end"
            ),
            'Line 3 of app.faulty(uuid) does not compile: column "id" does not exist (42703).',
        ),
        (
            "declare v eventlive.webinars;\nbegin v := null; raise notice '%', v.gone; end",
            "variable v has no such column (42P01)",
        ),
        ("begin perform from webinars; end", 'relation "webinars" does not exist (42P01)'),
        ("begin case _webinar_id when gone then null; end case; end", 'column "gone" does not exist (42703)'),
        (
            "begin\ncase when true then null; end case;\ncase lower('A') when 'a' then\nperform gone; end case; end",
            'Line 4 of app.faulty(uuid) does not compile: column "gone" does not exist (42703).',
        ),
        (
            "declare v pg_catalog.record;\nbegin v := row(1); perform from eventlive.jobs where id = v.slug; end",
            'column "id" does not exist (42703)',
        ),
    ],
    ids=[
        "column",
        "into",
        "unseen",
        "update",
        "table",
        "function",
        "if",
        "default",
        "record",
        "field",
        "search-path",
        "case",
        "in-a-case",
        "record-of-the-catalog",
    ],
)
def test_a_query_that_does_not_compile_is_found(app: App, body: str, message: str) -> None:
    app.plant(body)
    [finding] = app.broken()
    assert finding.level == "error"
    assert finding.object == "app.faulty(uuid)"
    assert message in finding.sentence


@pytest.mark.parametrize(
    "body",
    [
        "begin perform from eventlive.webinars w where w.id = faulty._webinar_id and w.id = $1; end",
        (
            "declare v record;\nbegin for v in select * from eventlive.jobs loop raise notice '%', v.name || v.enabled;"
            " end loop; end"
        ),
        "declare v eventlive.webinars%rowtype; v_id eventlive.webinars.id%type; begin v_id := v.id; end",
        (
            "declare v constant timestamptz not null := now(); v_ids uuid[] := '{}';\n"
            "begin v_ids := v_ids || _webinar_id; perform v + interval '1 day'; end"
        ),
        (
            "declare v_a text := 'żółć €'; v_b record; -- größer\nbegin"
            " for v_b in select 'é' as x, slug from eventlive.webinars loop"
            " perform 'ü', v_b.slug, v_a; v_a := 'ß' || v_b.x; end loop; end"
        ),
        (
            "begin create temp table seen (a int) on commit drop; insert into seen (a) values (1); perform a from seen;"
            ' create table if not exists app."Kept" as select 1 as b; perform k.b from app."Kept" k; end'
        ),
        'declare v _webinar_id%type; v_s uuid[]; "V b" v%TYPE; begin v_s := v_s || v || "V b"; end',
        "declare v alias for $1; begin perform from eventlive.webinars w where w.id = v; end",
        (
            "begin case (select w.status from eventlive.webinars w where w.id = _webinar_id) when 'live', 'draft' then"
            " case length('x') when 1 then null; else perform 1; end case; when 'ended' then null; end case; end"
        ),
        "declare v pg_catalog.record; begin v := row(1); perform v.f1; end",
        (
            "declare c cursor for select slug from eventlive.webinars; v text;\n"
            "begin open c; fetch c into v; close c; for i in 1..3 loop perform i + 1; end loop; end"
        ),
        (
            "begin execute format('select %I', 'nothing') using _webinar_id; if found then return; end if;"
            " exception when others then raise notice '%', sqlerrm || sqlstate; end"
        ),
    ],
    ids=[
        "qualified-argument",
        "record",
        "types",
        "constant",
        "not-ascii",
        "made",
        "of-variable",
        "alias",
        "case",
        "record-of-the-catalog",
        "cursor",
        "dynamic",
    ],
)
def test_what_plpgsql_allows_is_no_finding(app: App, body: str) -> None:
    app.plant(body)
    assert app.broken() == []


def test_a_body_that_cannot_be_compiled_alone_is_a_warning_that_says_so(app: App) -> None:
    variables = " ".join(f"v{number} int;" for number in range(120))
    app.plant(f"declare {variables}\nbegin perform v1 + v2; end")
    [finding] = app.broken()
    assert finding.level == "warning"
    assert finding.sentence == (
        "The body of app.faulty(uuid) cannot be compiled alone: functions cannot have more than 100 arguments."
    )


def test_a_body_that_the_parser_cannot_read_is_a_warning_that_says_so(app: App) -> None:
    app.plant("begin perform 1;")
    [finding] = app.broken()
    assert finding.level == "warning"
    assert finding.sentence.startswith("The body of app.faulty(uuid) cannot be read: pglast says ")


def test_a_body_in_sql_that_is_kept_as_text_is_compiled_too(app: App) -> None:
    app.plant("select slug from eventlive.webinars where id = _webinar_id", language="sql", returns="text")
    assert app.broken() == []
    app.plant("select gone from eventlive.webinars where id = _webinar_id", language="sql", returns="text")
    assert ['column "gone" does not exist' in finding.sentence for finding in app.broken()] == [True]


def test_nothing_is_run_and_nothing_is_left(app: App) -> None:
    app.plant("begin perform pg_catalog.pg_sleep(1000), 1 / 0; end")
    functions = "select array_agg(p.oid::regprocedure::text order by p.oid) from pg_catalog.pg_proc p"
    before = app.admin.execute(functions.encode()).fetchall()
    assert app.broken() == []
    assert app.admin.execute(functions.encode()).fetchall() == before


def test_a_column_that_is_dropped_breaks_the_functions_that_name_it(db: EventliveDatabase) -> None:
    db.admin.execute("alter table eventlive.profiles drop column is_admin cascade")
    objects = {finding.object.partition("(")[0] for finding in broken(db.dsn)}
    assert {"eventlive.staffed_webinar_ids", "eventlive.require_staff", "eventlive.check_admission"} <= objects
