"""The JavaScript of docs/postgrest.md and docs/supabase.md, run under Node as a page would."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.http.conftest import DOCUMENT
from tests.support.http_door import Door
from tests.support.http_driver import Supabase
from tests.support.http_page import SUPABASE, blocks, visit
from tests.support.http_scene import Scene
from tests.support.http_server import snippet


def test_the_page_of_supabase_enters_beats_leaves_and_reads(door: Door, supabase: Supabase, tmp_path: Path) -> None:
    scene = Scene(door)
    attendee = scene.people["attendee"]
    door.db.admin.execute(
        "update eventlive.webinars set duplicate_login_policy = 'ask',"
        """ settings = '{"session_heartbeat_interval_s": 1, "pacing_jitter": 0}' where id = %s""",
        [scene.webinar_id],
    )
    scene.enter(attendee)
    # Several blocks declare the same names, as several functions of a page would.
    enter, beat, leave, *others = blocks(SUPABASE, "js")
    stays = "await hasCalled('webinar_session_heartbeat', 2)\nconst { first_heartbeat_s: first } = entered.data\n"
    program = enter + beat + stays + leave + "".join(f"{{\n{block}}}\n" for block in others)
    names = {"url": supabase.url, "key": supabase.key, "token": attendee.token, "webinar": scene.webinar_id}
    page = visit(f"{program}console.log(first)\n", tmp_path, names)
    *printed, first = page.printed
    assert printed == re.findall(r"console\.log\(.*\) // (.+)$", program, re.M)
    beats = [f"beat after {float(first) * 1000:g}", "webinar_session_heartbeat"]
    assert page.calls[:4] == ["webinar_enter", "webinar_enter", *beats]
    assert page.calls[4].startswith("beat after ")
    assert page.calls[5] == beats[1]
    sessions = door.db.rows(
        "select exit_reason from eventlive.webinar_user_sessions where webinar_id = %s order by 1", scene.webinar_id
    )
    assert sessions == [("left",), ("replaced",)]


@pytest.mark.parametrize(
    ("policies", "agrees", "alert", "calls"),
    [
        ({"duplicate_login_policy": "ask"}, False, "Already watching in another session", 1),
        ({"duplicate_login_policy": "reject"}, True, "Already watching in another session", 2),
        ({"status": "ended"}, True, "The webinar has ended", 1),
    ],
    ids=["they stay where they are", "second logins are refused", "ended"],
)
def test_a_page_that_is_not_let_in_says_why_and_stops(
    policies: dict[str, str], agrees: bool, alert: str, calls: int, door: Door, supabase: Supabase, tmp_path: Path
) -> None:
    scene = Scene(door)
    attendee = scene.people["attendee"]
    scene.enter(attendee)
    for column, value in policies.items():
        door.db.admin.execute(f"update eventlive.webinars set {column} = %s where id = %s", [value, scene.webinar_id])
    names = {"url": supabase.url, "key": supabase.key, "token": attendee.token, "webinar": scene.webinar_id}
    page = visit("".join(blocks(SUPABASE, "js")[:2]), tmp_path, names, agrees=agrees)
    assert (page.failed, page.alerts, page.printed) == (True, [alert], [])
    assert page.calls == ["webinar_enter"] * calls


AWAY = """
import { createServer } from 'node:http'
const waits = []
const later = globalThis.setTimeout
// Node's fetch has timers too, of other lengths.
globalThis.setTimeout = (run, ms, ...rest) => {
  if (![1000, 2000, 4000].includes(ms)) return later(run, ms, ...rest)
  waits.push(ms)
  return later(run, 0, ...rest)
}
const server = createServer((_, answer) => {
  if (answers) answer.writeHead(503, { 'Content-Type': 'application/json' }).end('{}')
  else answer.destroy()
})
await new Promise((ready) => server.listen(0, '127.0.0.1', ready))
const url = `http://127.0.0.1:${server.address().port}`
"""
READS = """
await api.from('registrations').select('role')
await api.rpc('webinar_client_settings', { _webinar_id: session }, { get: true })
"""
WRITE = "await api.rpc('webinar_enter', { _webinar_id: session, _session_id: session })\n"


@pytest.mark.parametrize("answers", [True, False], ids=["503", "no answer"])
def test_supabase_js_repeats_reads_unless_it_is_told_not_to(answers: bool, supabase: Supabase, tmp_path: Path) -> None:
    [client] = re.findall(r"\A.*?^const session.*?\n", blocks(SUPABASE, "js")[0], re.M | re.S)
    assert client.count(", retry: false") == 1
    names = {"answers": answers, "key": supabase.key, "token": supabase.key}
    ends = "console.log(waits.join())\n"
    for name, head, sent, waits in (
        ("told", client, 1, ""),
        ("not told", client.replace(", retry: false", ""), 4, "1000,2000,4000,1000,2000,4000"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        page = visit(f"{AWAY}{head}{READS}{WRITE}{ends}", folder, names)
        assert page.printed == [waits]
        calls = [call.partition("?")[0] for call in page.calls]
        assert calls == ["registrations"] * sent + ["webinar_client_settings"] * sent + ["webinar_enter"]


def test_a_page_leaves_by_a_beacon(door: Door, supabase: Supabase, tmp_path: Path) -> None:
    scene = Scene(door)
    session_id, leave_token = scene.enter(scene.people["attendee"])
    names = {"url": door.server.url, "webinar": scene.webinar_id, "session": session_id, "leaveToken": leave_token}
    assert visit(snippet(DOCUMENT, "js"), tmp_path, names).printed == ["204"]
    query = "select exit_reason from eventlive.webinar_user_sessions where session_id = %s"
    assert door.db.value(query, session_id) == "left"
