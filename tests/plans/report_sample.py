"""Reports for the tests of the outputs: of calls that really ran, and made up ones."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg

from eventlive_db.plans.capture import capture
from eventlive_db.plans.frames import Place
from eventlive_db.plans.model import MODES, Measurement, PlanMode, Run, Statement, Updates
from eventlive_db.plans.nodes import Node
from eventlive_db.plans.verdict import CaseReport, Report, Violation
from eventlive_db.server import Server
from tests.support.actors import new_id
from tests.support.database import EventliveDatabase

HOSTILE = "</script><img src=x onerror=alert(1)>\x1b[31m\x00\u202e 日本 'quoted' \"double\" & %0A::error::"
"""What no output may be broken by."""

_LOCKS = """
    select n.nspname || '.' || c.relname, replace(l.mode, 'Lock', '')
      from pg_catalog.pg_locks l
      join pg_catalog.pg_class c on c.oid = l.relation
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where l.pid = pg_backend_pid() and c.relkind = 'r' and n.nspname <> 'pg_catalog'
"""

_NOISY = """
    create schema sample;
    create table sample.item (id bigint primary key, owner bigint not null, note text);
    create index item_owner on sample.item (owner);
    insert into sample.item select i, i % 50, 'n' || i from generate_series(1, 2000) i;
    create function sample.touch_all(_owner bigint) returns bigint language plpgsql as $$
    declare
        v_id bigint;
        v_sum bigint := 0;
    begin
        for v_id in select i.id from sample.item i where i.owner = _owner loop
            update sample.item i set note = i.note || '!' where i.id = v_id;
            v_sum := v_sum + (select count(*) from sample.item i where i.note = 'n' || v_id);
        end loop;
        begin
            insert into sample.item values (1, 1, 'again');
        exception when unique_violation then
            null;
        end;
        return v_sum;
    end $$;
    analyze sample.item;
"""


def captured(connection: psycopg.Connection[Any], query: str, mode: PlanMode, role: str) -> Run:
    """Run a call twice, the first time for warming up, in transactions that are rolled back; record the second."""
    for _ in range(2):
        connection.execute("begin")
        connection.execute(f"set local plan_cache_mode = force_{mode}_plan".encode())
        with capture(connection) as statements:
            connection.execute(f"set local role {role}".encode())
            connection.execute(query.encode())
            connection.execute("reset role")
            ended = _last_call(statements, query)
            recorded = tuple(statements[:ended])
        locks = dict(connection.execute(_LOCKS.encode()).fetchall())
        connection.execute("rollback")
    return Run(
        statements=recorded,
        locks=locks,
        xids=1,
        sequences={"sample.numbers": 2},
        subtransactions=(Place("sample.touch_all(bigint)", 10),),
        aborted=(Place("sample.touch_all(bigint)", 10),) if "touch_all" in query else (),
        function_calls={"eventlive.current_user_id": 3},
    )


def _last_call(statements: list[Statement], query: str) -> int:
    """How many of the statements belong to the call; what follows is the end of the recording."""
    return next(i for i, s in reversed(list(enumerate(statements))) if not s.frames and s.query == query) + 1


_made: list[Report] = []


def real_report(server: Server, template: str) -> Report:
    """A report of two functions of the package and of one that does everything wrong; measured once in a process.

    Args:
        server: Where to make a database.
        template: Name of a database with the schema in it.
    """
    if not _made:
        name = f"report_{new_id().hex}"
        db = EventliveDatabase(server.create_database(name, template))
        try:
            _made.append(_measured(db))
        finally:
            db.close()
            server.drop_database(name)
    return _made[0]


def _measured(db: EventliveDatabase) -> Report:
    webinar_id = db.webinar()
    user_id = new_id()
    db.register(webinar_id, user_id)
    db.admin.execute(_NOISY.encode())
    db.user(user_id).call("webinar_enter", webinar_id=webinar_id, session_id=new_id())
    db.shift_time("1 hour")
    connection = db.connect()
    claims = json.dumps({"sub": str(user_id), "role": "authenticated"})
    connection.execute("select set_config('request.jwt.claims', %s, false)", [claims])
    calls = {
        "ping": _ping(webinar_id),
        "enter": f"select eventlive_api.webinar_enter('{webinar_id}', '{new_id()}')",
        "touch_all": "select sample.touch_all(7)",
    }
    measured: dict[str, list[Measurement]] = {name: [] for name in calls}
    for rows in (1000, 5000):
        db.admin.execute(
            f"insert into eventlive.webinars (slug) select 'w-{rows}-' || i from generate_series(1, {rows}) i".encode()
        )
        db.admin.execute("vacuum (analyze)")
        for name, query in calls.items():
            runs = {mode: captured(connection, query, mode, _role(name)) for mode in MODES}
            measured[name].append(Measurement(runs, rows=rows))
    return Report("eventlive", db.admin.info.parameter_status("server_version") or "", tuple(_judged(calls, measured)))


def _role(name: str) -> str:
    return "none" if name == "touch_all" else "authenticated"


def _ping(webinar_id: UUID) -> str:
    return f"select eventlive_api.webinar_presence_ping('{webinar_id}')"


def _judged(calls: dict[str, str], measured: dict[str, list[Measurement]]) -> list[CaseReport]:
    ping, enter, touch_all = (tuple(measured[name]) for name in ("ping", "enter", "touch_all"))
    updates = {"eventlive.webinar_live_presence": Updates(200, 199)}
    return [
        CaseReport(
            "ping",
            calls["ping"],
            (*ping[:1], Measurement(ping[1].runs, ping[1].rows, ("eventlive.webinars",), updates)),
            notes=("the row count of eventlive.webinars was told to the planner, not filled",),
            snapshot="Index Scan using a\n",
            snapshot_before="Index Scan using a\n",
        ),
        CaseReport("enter", calls["enter"], enter, snapshot="new\n"),
        CaseReport(
            "touch_all",
            calls["touch_all"],
            touch_all,
            violations=(
                Violation(
                    "budget.seq_scans",
                    "touch_all",
                    "sample.item is read from end to end; none is allowed",
                    "an index on sample.item (note) is missing",
                    Place("sample.touch_all(bigint)", 8),
                    "generic",
                    5000,
                    "select count(*) from sample.item i where i.note = 'n' || v_id",
                    "sql/touch_all.sql",
                    12,
                ),
                Violation("budget.statements", "touch_all", "81 statements; 5 are allowed"),
            ),
            snapshot="call: touch_all\n  Seq Scan on sample.item\n    Filter: note = $1\n",
            snapshot_before="call: touch_all\n  Index Scan using item_note on sample.item\n    Index Cond: note = $1\n",
            changes=("sample.item is read from end to end instead of by index item_note",),
        ),
    ]


def made_up(text: str = "select 1", *, name: str = "a_case", violations: tuple[Violation, ...] = ()) -> Report:
    """A report with one case of one statement, whose texts are all the given one."""
    node = Node("Index Scan", f"app.{text}", text, text, conditions=(("Index Cond", text),), loops=1, rows=1)
    plan = {
        "Query Text": text,
        "Plan": {
            "Node Type": "Index Scan",
            "Relation Name": text,
            "Schema": "app",
            "Alias": text,
            "Index Name": text,
            "Index Cond": text,
            "Plan Rows": 1,
            "Plan Width": 1,
            "Startup Cost": 0,
            "Total Cost": 1,
            "Actual Rows": 1,
            "Actual Loops": 1,
        },
    }
    run = Run((Statement(text, (), node, plan, buffers=4, own_buffers=4),), locks={f"app.{text}": "RowExclusive"})
    measurement = Measurement({"generic": run, "custom": run}, rows=1000, raised=(text,))
    case = CaseReport(
        name,
        text,
        (measurement,),
        violations,
        snapshot=text,
        snapshot_before=f"{text}\nx",
        changes=(text,),
        notes=(text,),
    )
    return Report("suite", "18.6", (case,))


def of_figures(*buffers: int, name: str, **case: Any) -> CaseReport:
    """A made up case with these buffers at 1,000 rows, 100,000 rows and so on."""
    measurements = []
    for index, count in enumerate(buffers):
        scan = Node("Index Scan", "app.item", index="item_pkey", loops=1, rows=1)
        statement = Statement("select 1", (), Node("Update", "app.item", loops=1, children=(scan,)), {"Plan": {}})
        statement = replace(statement, buffers=count, own_buffers=count, wal_records=2, wal_bytes=180)
        run = Run((statement,), locks={"app.item": "RowExclusive", "app.note": "AccessShare"})
        measurements.append(Measurement({"generic": run, "custom": run}, rows=1000 * 100**index))
    return CaseReport(name, f"select app.{name}()", tuple(measurements), **case)
