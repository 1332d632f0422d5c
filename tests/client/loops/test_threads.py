"""Loops on threads: real ones, with intervals that are over at once; nothing here judges how long anything took."""

from __future__ import annotations

import threading
from typing import Any
from uuid import uuid4

import pytest

from eventlive_db.client.errors import EventliveError, GoneError, UnavailableError
from eventlive_db.client.loops import (
    Ended,
    HeartbeatSchedule,
    LoopThreads,
    ThreadedHeartbeatLoop,
)
from tests.client.loops.replies import OTHER, SESSION, WEBINAR, SyncServer, beat

AWAY = UnavailableError(503, "unreachable")
SOON_S = 0.001
NEVER_S = 1e6
OWN_OR_SHARED = pytest.mark.parametrize("workers", [None, 0, 4], ids=["own thread", "shared thread", "workers"])


def soon(first_s: float = 0.0) -> HeartbeatSchedule:
    return HeartbeatSchedule(SOON_S, first_s, least_s=SOON_S)


def heartbeats(server: SyncServer, schedule: HeartbeatSchedule | None = None, **more: Any) -> ThreadedHeartbeatLoop:
    return ThreadedHeartbeatLoop(server, WEBINAR, SESSION, schedule or soon(), **more)


class Threads:
    """Own threads of a loop, or shared ones that are closed at the end."""

    def __init__(self, workers: int | None) -> None:
        self.shared = None if workers is None else LoopThreads(workers)

    def __enter__(self) -> LoopThreads | None:
        return self.shared

    def __exit__(self, *_: object) -> None:
        if self.shared is not None:
            self.shared.close()


@OWN_OR_SHARED
def test_it_beats_until_the_session_is_over_and_tells_why(workers: int | None) -> None:
    server = SyncServer(beat(SOON_S), AWAY, beat(SOON_S, poll_s=1000.0), beat(None, "replaced", OTHER))
    ends: list[Ended] = []
    errors: list[tuple[EventliveError, float | None]] = []
    with Threads(workers) as threads:
        loop = heartbeats(
            server, threads=threads, on_end=ends.append, on_error=lambda error, delay_s: errors.append((error, delay_s))
        )
        assert loop.fallback_poll_s is None
        loop.start()
        assert loop.join() == Ended("replaced", OTHER)
        assert loop.fallback_poll_s == 1000.0
    assert ends == [Ended("replaced", OTHER)]
    assert [error for error, _ in errors] == [AWAY]
    assert len(server.requests) == 4


@OWN_OR_SHARED
def test_an_error_that_cannot_pass_is_the_reason(workers: int | None) -> None:
    gone = GoneError(410, "webinar_ended")
    with Threads(workers) as threads, heartbeats(SyncServer(gone), threads=threads) as loop:
        assert loop.join() == Ended("webinar_ended", error=gone)


@OWN_OR_SHARED
def test_the_end_of_the_block_stops_it(workers: int | None) -> None:
    server = SyncServer(beat(NEVER_S))
    ends: list[Ended] = []
    with Threads(workers) as threads:
        with heartbeats(server, soon(NEVER_S), threads=threads, on_end=ends.append) as loop:
            assert loop.join(0.0) is None
        assert loop.join() == Ended("stopped")
    assert ends == [Ended("stopped")]
    assert server.requests == []


def test_stopped_during_a_call_the_reply_is_ignored_and_the_end_told_once() -> None:
    calling, go_on = threading.Event(), threading.Event()

    def before() -> None:
        calling.set()
        go_on.wait()

    ends: list[Ended] = []
    loop = heartbeats(SyncServer(beat(None, "ejected"), before=before), on_end=ends.append)
    loop.start()
    calling.wait()
    loop.stop()
    assert loop.join(0.0) is None  # it is under way
    go_on.set()
    assert loop.join() == Ended("stopped")
    assert ends == [Ended("stopped")]


def test_hidden_it_does_not_call_and_seen_again_it_does() -> None:
    server = SyncServer(beat(None, "left"))
    with LoopThreads() as threads:
        loop = heartbeats(server, threads=threads)
        loop.pause()
        loop.start()
        other = heartbeats(SyncServer(beat(None, "left")), threads=threads)
        other.start()
        other.join()  # the threads were at work, and this one was due first
        assert server.requests == []
        loop.resume()
        assert loop.join() == Ended("left")


def test_many_sessions_share_few_threads_and_none_is_forgotten_or_called_twice_at_a_time() -> None:
    count, beats = 200, 5
    busy: set[object] = set()
    wrong: list[object] = []
    lock = threading.Lock()
    names: set[str] = set()

    class Server(SyncServer):
        def call(self, request: Any) -> Any:
            me = request.arguments["_session_id"]
            with lock:
                names.add(threading.current_thread().name)
                if me in busy:
                    wrong.append(me)
                busy.add(me)
            try:
                return super().call(request)
            finally:
                with lock:
                    busy.discard(me)

    servers = [Server(*[beat(SOON_S)] * beats, beat(None, "left")) for _ in range(count)]
    with LoopThreads(workers=4) as threads:
        loops = [ThreadedHeartbeatLoop(server, WEBINAR, uuid4(), soon(), threads=threads) for server in servers]
        for loop in loops:
            loop.start()
        for loop in loops:  # pulled about while they run
            loop.pause()
            loop.resume()
        assert {loop.join() for loop in loops} == {Ended("left")}
    assert wrong == []
    assert len(names) <= 4
    assert [len(server.requests) for server in servers] == [beats + 1] * count


def through(threads: LoopThreads) -> None:
    """Wait until everything that was due before now has been given to a worker, and one of them is free."""
    last = heartbeats(SyncServer(beat(None, "left")), threads=threads)
    last.start()
    assert last.join(60.0) == Ended("left")


def test_resumed_during_a_call_or_put_twice_it_is_not_called_a_second_time() -> None:
    calling, go_on, entered = threading.Event(), threading.Event(), []

    def before() -> None:
        entered.append(1)
        calling.set()
        if len(entered) == 1:
            go_on.wait(60.0)

    with LoopThreads(workers=2) as threads:
        loop = heartbeats(SyncServer(beat(None, "left"), before=before), threads=threads)
        with threads.changed:  # nobody is called before it was put twice
            loop.start()
            loop.pause()
            loop.resume()
        calling.wait()
        through(threads)
        loop.pause()
        loop.resume()
        through(threads)
        calls = len(entered)
        go_on.set()
        assert loop.join() == Ended("left")
    assert calls == 1


def test_put_off_while_it_waits_for_a_worker_it_is_not_called() -> None:
    calling, go_on = threading.Event(), threading.Event()

    def before() -> None:
        calling.set()
        go_on.wait(60.0)

    with LoopThreads(workers=1) as threads:
        blocker = heartbeats(SyncServer(beat(None, "left"), before=before), threads=threads)
        blocker.start()
        calling.wait()
        servers = [SyncServer(beat(NEVER_S)) for _ in range(2)]
        loops = [heartbeats(server, HeartbeatSchedule(NEVER_S, 0.0), threads=threads) for server in servers]
        for loop in loops:
            loop.start()
        last = heartbeats(SyncServer(beat(None, "left")), threads=threads)
        last.start()
        while threads._queue:  # until all of them wait for the worker
            threading.Event().wait(SOON_S)
        for loop in loops:
            loop.pause()
            loop.resume()
        go_on.set()
        assert last.join() == Ended("left")
        # The first that was resumed comes at once, the second when its turn is: not today.
        assert [len(server.requests) for server in servers] == [1, 0]


def test_closing_stops_all_of_them_and_waits() -> None:
    threads = LoopThreads(workers=2)
    loops = [heartbeats(SyncServer(beat(SOON_S)), threads=threads) for _ in range(20)]
    for loop in loops:
        loop.start()
    threads.close()
    assert {loop.join() for loop in loops} == {Ended("stopped")}
    assert not [
        thread for thread in threading.enumerate() if thread.name.startswith(("eventlive-loop", "eventlive-call"))
    ]
    with pytest.raises(RuntimeError, match="closed"):
        heartbeats(SyncServer(beat()), threads=threads).start()


def test_a_loop_starts_once() -> None:
    with LoopThreads() as threads:
        loop = heartbeats(SyncServer(beat(None, "left")), soon(NEVER_S), threads=threads)
        loop.start()
        with pytest.raises(RuntimeError, match="started before"):
            loop.start()
        loop.stop()
        with pytest.raises(RuntimeError, match="is over"):
            loop.start()


def test_stopped_before_it_starts_it_is_over() -> None:
    loop = heartbeats(SyncServer(beat()))
    loop.stop()
    assert loop.join() == Ended("stopped")


def test_a_broken_callback_or_a_broken_caller_ends_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    fault = ValueError("not an error of a call")
    with LoopThreads(workers=1) as threads:
        crashed = heartbeats(SyncServer(fault), threads=threads, on_end=broken)
        sound = heartbeats(SyncServer(AWAY, beat(None, "left")), threads=threads, on_error=broken, on_end=broken)
        crashed.start()
        sound.start()
        assert crashed.join() == Ended("crashed", error=fault)
        assert sound.join() == Ended("left")
    assert "a loop crashed" in caplog.text
    assert "a callback of a loop failed" in caplog.text


def test_many_pauses_leave_no_queue_behind() -> None:
    with LoopThreads() as threads:
        loop = heartbeats(SyncServer(beat()), soon(NEVER_S), threads=threads)
        loop.start()
        for _ in range(10_000):
            loop.pause()
            loop.resume()
        assert len(threads._queue) <= 100
        loop.stop()


def test_stopped_twice_the_end_is_told_once() -> None:
    ends: list[Ended] = []
    loop = heartbeats(SyncServer(beat()), soon(NEVER_S), on_end=ends.append)
    loop.start()
    loop.stop()
    loop.stop()
    assert ends == [Ended("stopped")]


def test_workers_below_zero_are_refused() -> None:
    with pytest.raises(ValueError, match="workers"):
        LoopThreads(-1)
