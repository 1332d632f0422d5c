"""However a log comes in pieces: what is read before and after is the whole, and nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlive_db.logs import Follower, LogEvent, LogFormat, read_events
from eventlive_db.logs.lines import MAX_BYTES
from eventlive_db.logs.parser import Origin
from eventlive_db.logs.stream import Stream
from tests.logs.samples import SAMPLES

FORMATS = pytest.mark.parametrize("kind", SAMPLES)


def whole(kind: LogFormat, text: bytes) -> list[LogEvent]:
    stream = Stream(Origin("x"), kind)
    events = [*stream.feed(text), *stream.end()]
    assert stream.unparsed == 0
    return events


@FORMATS
def test_cut_at_every_byte(tmp_path: Path, kind: LogFormat) -> None:
    text = SAMPLES[kind].encode()
    log = tmp_path / "a.log"
    log.write_bytes(text)
    events = [(event.line, event.message, event.statement, event.detail) for event in read_events(log)]
    assert len(events) > 1
    log.unlink()
    for place in range(len(text) + 1):
        with log.open("wb", buffering=0) as writer, Follower([log], from_start=True) as follower:
            writer.write(text[:place])
            found = follower.poll()
            writer.write(text[place:])
            found += [*follower.poll(), *follower.poll()]
            assert [(event.line, event.message, event.statement, event.detail) for event in found] == events, place
            assert follower.unparsed == 0, place
        log.unlink()


@FORMATS
@given(data=st.data())
@settings(max_examples=15)
def test_in_any_pieces(kind: LogFormat, data: st.DataObject) -> None:
    text = (SAMPLES[kind] * 2).encode()
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    stream = Stream(Origin("x"), kind)
    pieces = [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]
    events = [event for piece in pieces for event in stream.feed(piece)]
    assert [*events, *stream.end()] == whole(kind, text)


@FORMATS
@given(data=st.data())
@settings(max_examples=15)
def test_garbage_and_damage_stop_nothing(kind: LogFormat, data: st.DataObject) -> None:
    """What comes after it is found; nothing but a LogError is ever raised, and none here."""
    text = SAMPLES[kind].encode()
    garbage = data.draw(st.binary(max_size=60)) + b"\n"
    place = data.draw(st.integers(0, len(text)))
    stream = Stream(Origin("x"), kind)
    events = [*stream.feed(text), *stream.feed(text[:place]), *stream.feed(garbage), *stream.feed(b"\n" + text * 2)]
    events += stream.end()
    last = whole(kind, text)[-1]
    assert sum(event.message == last.message for event in events) >= 2


def test_a_file_that_ends_in_the_middle(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(SAMPLES[LogFormat.JSONLOG].encode()[:-3])
    events = read_events(log)
    assert [event.cut for event in events] == [False, False, True]
    log.write_bytes(SAMPLES[LogFormat.CSVLOG].encode().partition(b"\n\n")[0])
    events = read_events(log)
    assert list(events) == []
    assert events.unparsed > 0
    log.write_bytes(SAMPLES[LogFormat.STDERR].encode()[:-1])
    *_, last = read_events(log)
    assert (last.message, last.cut) == ("duration: 12.500 ms", True)


@pytest.mark.parametrize("kind", [LogFormat.STDERR, LogFormat.CSVLOG, LogFormat.JSONLOG])
def test_an_absurdly_long_record_is_cut_and_says_so(kind: LogFormat) -> None:
    text = SAMPLES[kind].encode()
    # Of json and csv the end of the record is lost: what comes before it is known.
    long = text.replace("日".encode(), b"y" * (3 * MAX_BYTES), 1)
    stream = Stream(Origin("x"), kind)
    pieces = range(0, len(long), 1 << 18)
    events = [event for start in pieces for event in stream.feed(long[start : start + (1 << 18)])] + stream.end()
    assert [event.sqlstate for event in events] == [event.sqlstate for event in whole(kind, text)]
    assert sum(event.cut for event in events) == 1
    assert stream.unparsed == 0
    assert max(len(repr(event)) for event in events) < 2 * MAX_BYTES


def test_a_torn_csv_record_does_not_swallow_what_follows() -> None:
    first, *_ = SAMPLES[LogFormat.CSVLOG].encode().partition(b"\n\n")
    stream = Stream(Origin("x"), LogFormat.CSVLOG)
    events: Sequence[LogEvent] = [*stream.feed(first + b"\n" + SAMPLES[LogFormat.CSVLOG].encode()), *stream.end()]
    assert [event.sqlstate for event in events] == ["23505", "42703", "00000"]
    assert stream.unparsed == 1
