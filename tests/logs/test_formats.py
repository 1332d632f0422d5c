"""What is read from each format, how a format is told, and what is refused."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from eventlive_db.logs import Follower, LogError, LogEvent, LogFormat, detect_format, is_disconnect, read_events
from eventlive_db.logs.prefix import pattern
from eventlive_db.logs.stamps import parse_any, parse_postgres
from tests.logs.samples import SAMPLES, STDERR


def read(tmp_path: Path, text: str, **options: object) -> list[LogEvent]:
    log = tmp_path / "a.log"
    log.write_text(text)
    events = read_events(log, **options)  # type: ignore[arg-type]
    found = list(events)
    assert events.unparsed == 0
    return found


@pytest.mark.parametrize("kind", SAMPLES)
def test_the_format_is_told_by_the_first_lines_also_of_a_packed_file(tmp_path: Path, kind: LogFormat) -> None:
    plain, packed = tmp_path / "a.log", tmp_path / "a.log.1"
    plain.write_text(SAMPLES[kind])
    packed.write_bytes(gzip.compress(SAMPLES[kind].encode()))
    assert detect_format(plain) is detect_format(packed) is kind
    source = kind.value.partition("-")[0]
    source = "postgres" if kind in (LogFormat.STDERR, LogFormat.CSVLOG, LogFormat.JSONLOG) else source
    assert {event.source for event in read_events(packed)} == {source}
    named = read_events(packed, format=kind)
    assert [event.message for event in named] == [event.message for event in read_events(plain)]
    assert named.unparsed == 0


def test_empty_unknown_missing_and_damaged_files(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.touch()
    assert detect_format(log) is None
    assert list(read_events(log)) == []
    log.write_text("Dear diary,\n")
    for act in (lambda: detect_format(log), lambda: list(read_events(log))):
        with pytest.raises(LogError) as caught:
            act()
        assert caught.value.token == "unknown_log_format"
        assert "stderr, csvlog, jsonlog" in caught.value.advice
    with pytest.raises(LogError) as caught:
        read_events(tmp_path / "none")
    assert caught.value.token == "log_missing"
    with pytest.raises(LogError) as caught:
        read_events(tmp_path)
    assert caught.value.token == "log_unreadable"
    packed = gzip.compress((STDERR * 2000).encode())
    log.write_bytes(packed[: len(packed) // 2])
    events = read_events(log)
    assert len(list(events)) > 100
    assert (events.torn, events.unparsed > 0) == (True, True)
    log.write_bytes(packed[:200] + b"\0" * 40 + packed[240:])
    with pytest.raises(LogError, match="compression is damaged"):
        list(read_events(log))


def test_a_text_log_of_interleaved_backends(tmp_path: Path) -> None:
    _, duplicate, missing, timeout, took = read(tmp_path, STDERR)
    assert (duplicate.sqlstate, duplicate.line, duplicate.pid) == ("23505", 2, 50)
    assert duplicate.detail == "Key (webinar_id, user_id)=(ü, 日) already exists."
    assert duplicate.statement == "insert into registrations\n\tvalues ('🎥',\n\n'x')"
    assert (missing.sqlstate, missing.hint) == ("42703", 'Perhaps "r.is".')
    assert (timeout.sqlstate, timeout.severity) == ("57014", "FATAL")
    assert took.duration_s == 0.0125
    # The clock went back, and nothing is left out for it.
    since = datetime(2026, 11, 21, 22, 23, 8, tzinfo=UTC)
    assert len(STDERR.splitlines()) == 11
    assert [event.line for event in read(tmp_path, STDERR, since=since)] == [1, 2, 8, 9]


def test_lines_that_are_no_record_are_counted(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("\tof a record before\ncp: cannot stat 'x'\n\n" + STDERR + "Segmentation fault\n\tof it\n")
    events = read_events(log)
    assert len(list(events)) == 5
    assert events.unparsed == 4


def test_a_prefix_without_time_is_refused() -> None:
    with pytest.raises(LogError) as caught:
        pattern("[%p] %u@%d ")
    assert caught.value.token == "prefix_without_time"
    with pytest.raises(LogError):
        Follower([], prefix="")


def test_requests_of_postgrest_and_its_messages(tmp_path: Path) -> None:
    *messages, ping, bad = read(tmp_path, SAMPLES[LogFormat.POSTGREST])
    assert [event.message for event in messages] == ["Starting PostgREST 12.0.2...", "Listening on port 3000"]
    assert (ping.method, ping.path, ping.status, ping.user) == (
        "POST",
        "/rpc/webinar_presence_ping",
        204,
        "authenticated",
    )
    assert (bad.path, bad.status, bad.duration_s) == ("/registrations?select=id", 400, None)
    assert bad.at == datetime(2026, 11, 21, 22, 23, 10, tzinfo=UTC)


def test_auth_says_how_long_and_why_not(tmp_path: Path) -> None:
    started, user, token = read(tmp_path, SAMPLES[LogFormat.AUTH])
    assert (started.message, started.status) == ("GoTrue API started on: localhost:9999", None)
    assert (user.method, user.path, user.status, user.duration_s) == ("GET", "/user", 200, 1.834565713)
    assert (token.status, token.hint) == (400, "refresh_token_already_used")
    assert token.detail == "400: Invalid Refresh Token: Already Used"


def test_gateways_in_their_several_ways(tmp_path: Path) -> None:
    rest, socket, garbage = read(tmp_path, SAMPLES[LogFormat.GATEWAY])
    assert (rest.status, rest.duration_s, rest.method) == (400, 0.012, "GET")
    assert [is_disconnect(event) for event in (rest, socket, garbage)] == [False, True, False]
    assert (socket.duration_s, garbage.method, garbage.status) == (61.5, None, 400)
    events = read(tmp_path, SAMPLES[LogFormat.GATEWAY_JSON])
    assert [(event.status, event.duration_s) for event in events] == [
        (400, 0.012),
        (200, 1.7),
        (503, 0.025),
        (201, 0.5),
    ]
    assert [event.path for event in events] == ["/rest/v1/ü", "/auth/v1/user", "/a", "/b"]
    assert {event.at.date().isoformat() for event in events} == {"2026-11-21"}


def test_realtime_has_no_dates(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text(SAMPLES[LogFormat.REALTIME])
    written = datetime(2026, 11, 22, 0, 5, tzinfo=UTC).timestamp()
    os.utime(log, (written, written))
    events = list(read_events(log))
    assert [event.at.isoformat() for event in events] == [
        "2026-11-21T23:59:58.170000+00:00",
        "2026-11-21T23:59:59.170000+00:00",
        "2026-11-22T00:00:01+00:00",
    ]
    assert [is_disconnect(event) for event in events] == [False, True, True]
    assert events[1].hint == "ChannelShutdown"
    with Follower([log], from_start=True) as follower:
        assert follower.poll() == events
        with log.open("a") as file:
            file.write("23:00:00.000 [info] a day later\n00:30:00.000 [info] and over midnight\n")
        written = datetime(2026, 11, 24, 0, 30, tzinfo=UTC).timestamp()
        os.utime(log, (written, written))
        assert [event.at.day for event in follower.poll()] == [23, 24]


def test_realtime_in_json_and_with_the_time_of_a_container(tmp_path: Path) -> None:
    text = '{"message":"ChannelShutdown: x","level":"warning","external_id":"a","timestamp":"2026-11-21T22:00:00Z"}\n'
    [event] = read(tmp_path, text)
    assert (event.source, is_disconnect(event)) == ("realtime", True)
    [event] = read(tmp_path, "2020-02-02T07:42:06.1Z 07:42:05.747 project=a [warn] ChannelShutdown: x\n")
    assert (event.at.year, event.severity) == (2020, "WARNING")


@pytest.mark.parametrize(
    ("text", "zone", "said"),
    [
        ("2026-11-21 22:00:00.5 UTC", None, "2026-11-21T22:00:00.500000+00:00"),
        ("2026-11-21 22:00:00 CET", None, "2026-11-21T21:00:00+00:00"),
        ("2026-11-21 22:00:00 -03", None, "2026-11-22T01:00:00+00:00"),
        ("2026-11-21 22:00:00 <+0545>", None, "2026-11-21T16:15:00+00:00"),
        ("2026-11-21 22:00:00 IST", "Asia/Kolkata", "2026-11-21T16:30:00+00:00"),
        ("2026-11-01 01:30:00 EDT", "America/New_York", "2026-11-01T05:30:00+00:00"),
        ("2026-11-01 01:30:00 EST", "America/New_York", "2026-11-01T06:30:00+00:00"),
    ],
)
def test_zones(text: str, zone: str | None, said: str) -> None:
    assert parse_postgres(text, ZoneInfo(zone) if zone else None).isoformat() == said


def test_a_zone_that_may_be_several_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(LogError) as caught:
        read(tmp_path, STDERR.replace("UTC", "CST"))
    assert caught.value.token == "unknown_timezone"
    assert len(read(tmp_path, STDERR.replace("UTC", "CST"), timezone=ZoneInfo("America/Chicago"))) == 5


@pytest.mark.parametrize("value", [None, True, "", "soon", "2026-13-45T00:00:00Z", 12, [], {}, float("nan"), "9" * 400])
def test_what_is_no_time(value: object) -> None:
    assert parse_any(value) is None
