"""What the logs of PostgREST, a gateway and the auth service can tell, and what they cannot."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from eventlive_db.verify import Report, State, Trigger, Verdict
from eventlive_db.verify.run import Question, verify
from tests.verify.stand import DATABASE_GROUPS, RELEASE, check_of, minutes, states, written

PING, ENTER = "/rpc/webinar_presence_ping", "/rpc/webinar_enter"


def request(at: datetime, path: str = PING, status: int = 204, prefix: str = "") -> str:
    """A line as PostgREST writes it."""
    return (
        f'127.0.0.1 - authenticated [{at:%d/%b/%Y:%H:%M:%S +0000}] "POST {prefix}{path} HTTP/1.1" {status} - "" "js"\n'
    )


def auth(at: datetime, path: str = "/user", seconds: float = 0.01, **more: object) -> str:
    """A line as the auth service writes it."""
    said = {
        "component": "api",
        "duration": int(seconds * 1e9),
        "level": "info",
        "method": "GET" if path == "/user" else "POST",
        "msg": "request completed",
        "path": path,
        "remote_addr": "203.0.113.7",
        "status": 200,
        "time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        **more,
    }
    return json.dumps(said) + "\n"


def gateway(at: datetime, path: str, status: int = 200, seconds: float = 0.02, method: str = "GET") -> str:
    """A line as a gateway writes it."""
    said = {"time": at.timestamp(), "method": method, "path": path, "status": status, "request_time": seconds}
    return json.dumps(said) + "\n"


def judge(*logs: Path, without: frozenset[str] = DATABASE_GROUPS) -> Report:
    return verify(Question(RELEASE, minutes(30), logs=logs, without=without))


def each(begin: float, end: float, per_minute: float) -> list[datetime]:
    """Moments, so many a minute."""
    return [minutes(begin + number / per_minute) for number in range(round((end - begin) * per_minute))]


FRONT_ONLY = DATABASE_GROUPS | {"dod-3"}


def front(path: Path, *more: str) -> Path:
    """An ordinary log of PostgREST around the release, with further lines."""
    return written(path / "postgrest.log", [*map(request, each(-30, 31, 2)), *more])


def test_no_400_at_the_front_door_is_a_pass(tmp_path: Path) -> None:
    report = judge(front(tmp_path), without=FRONT_ONLY)
    assert states(report, "dod-1") == {"HTTP 400": "passed"}
    assert states(report, "dod-2") == {"HTTP 409": "passed"}
    assert report.verdict is Verdict.GO


@pytest.mark.parametrize(
    ("number", "state", "triggers"),
    [(1, State.NO_DATA, []), (9, State.NO_DATA, []), (10, State.FAILED, [Trigger.HTTP_400_RATE])],
)
def test_some_400s_could_be_anything_and_many_are_the_alert(
    tmp_path: Path, number: int, state: State, triggers: list[Trigger]
) -> None:
    # Over a change of the minute: a storm need not begin with one.
    bad = [request(at, status=400) for at in each(5.7, 5.7 + number / 12, 12)]
    report = judge(front(tmp_path, *bad), without=FRONT_ONLY)
    check = check_of(report, "HTTP 400")
    assert check.state is state
    assert check.count == number
    assert report.triggers == triggers


def test_a_second_login_is_the_product_working_however_often(tmp_path: Path) -> None:
    logins = [request(at, ENTER, 409) for at in each(5, 7, 100)]
    entered = request(minutes(5), ENTER, 200)
    assert judge(front(tmp_path, *logins, entered), without=FRONT_ONLY).verdict is Verdict.GO
    # Nobody at all comes in: that is more than second logins.
    assert judge(front(tmp_path, *logins), without=FRONT_ONLY).verdict is Verdict.COULD_NOT_TELL


def test_a_storm_of_other_409s_is_one_of_duplicate_keys(tmp_path: Path) -> None:
    storm = [request(at, "/registrations", 409) for at in each(5, 6, 50)]
    report = judge(front(tmp_path, *storm), without=FRONT_ONLY)
    assert report.triggers == [Trigger.DUPLICATE_KEY_STORM]
    few = judge(front(tmp_path, *storm[:49]), without=FRONT_ONLY)
    assert check_of(few, "HTTP 409").state is State.NO_DATA


def test_a_400_of_the_auth_service_is_none_of_the_database(tmp_path: Path) -> None:
    lines = [gateway(at, "/rest/v1/rpc/webinar_presence_ping", 204) for at in each(-30, 31, 2)]
    lines += [gateway(at, "/auth/v1/token", 400, method="POST") for at in each(5, 6, 30)]
    report = judge(written(tmp_path / "gateway.log", lines), without=FRONT_ONLY)
    assert check_of(report, "HTTP 400").state is State.PASSED


def test_a_log_that_cannot_have_400s_proves_nothing(tmp_path: Path) -> None:
    """As PostgREST writes it with log-level error: what works is not in it, and what is refused neither."""
    lines = [request(at, status=500) for at in each(-30, 31, 2)]
    report = judge(written(tmp_path / "postgrest.log", lines), without=FRONT_ONLY)
    assert states(report, "dod-1") == {"HTTP 400": "no data"}
    assert "log-level" in check_of(report, "HTTP 400").says


def test_a_log_of_refusals_alone_is_no_measure_of_the_hot_path(tmp_path: Path) -> None:
    """As PostgREST writes it with log-level warn."""
    refusals = written(tmp_path / "postgrest.log", [request(at, status=403) for at in each(-40, 31, 2)])
    report = judge(calm(tmp_path, 5), refusals, without=AUTH_ONLY)
    assert check_of(report, "auth calls").state is State.PASSED
    before = [auth(at) for at in each(-40, 0, 20)]
    log = written(tmp_path / "busy.log", [*before, *(auth(at) for at in each(0, 31, 20))])
    assert judge(log, refusals, without=AUTH_ONLY).triggers == []


# The auth service: calm before the release, and what comes after it.


def calm(path: Path, per_minute: float, *more: str, seconds: float = 0.01) -> Path:
    """Two calls a minute before the release, others after it."""
    before = [auth(at) for at in each(-40, 0, 2)]
    after = [auth(at, seconds=seconds) for at in each(0, 31, per_minute)]
    return written(path / "auth.log", [*before, *after, *more])


AUTH_ONLY = DATABASE_GROUPS | {"dod-1", "answers", "dod-2"}


def test_as_many_calls_as_before_pass(tmp_path: Path) -> None:
    report = judge(calm(tmp_path, 2), without=AUTH_ONLY)
    assert report.verdict is Verdict.GO, report.checks
    assert "2.0 a minute before" in check_of(report, "auth calls").says


def test_many_times_as_many_calls_as_before_are_an_explosion(tmp_path: Path) -> None:
    report = judge(calm(tmp_path, 12), without=AUTH_ONLY)
    assert report.triggers == [Trigger.AUTH_CALLS_EXPLODING]
    assert "3 times as many as before" in check_of(report, "auth calls").says


def test_twice_as_many_are_none(tmp_path: Path) -> None:
    before = [auth(at) for at in each(-40, 0, 10)]
    log = written(tmp_path / "auth.log", [*before, *(auth(at) for at in each(0, 31, 20))])
    assert judge(log, without=AUTH_ONLY).verdict is Verdict.GO


def test_a_call_for_each_request_of_the_hot_path_is_an_explosion(tmp_path: Path) -> None:
    """The incident's: no older log, and yet it shows."""
    log = written(tmp_path / "auth.log", [auth(at) for at in each(-1, 31, 60)])
    pings = written(tmp_path / "postgrest.log", map(request, each(-1, 31, 60)))
    report = judge(log, pings, without=AUTH_ONLY)
    assert report.triggers == [Trigger.AUTH_CALLS_EXPLODING]
    assert "0.5 for each hot-path request" in check_of(report, "auth calls").says
    few = written(tmp_path / "few.log", [auth(at) for at in each(-1, 31, 20)])
    assert judge(few, pings, without=AUTH_ONLY).verdict is Verdict.GO


def test_many_calls_with_nothing_to_compare_with_are_no_verdict(tmp_path: Path) -> None:
    log = written(tmp_path / "auth.log", [auth(at) for at in each(-1, 31, 60)])
    report = judge(log, without=AUTH_ONLY)
    assert check_of(report, "auth calls").state is State.NO_DATA
    assert report.verdict is Verdict.COULD_NOT_TELL


def test_slow_answers_fail_by_their_p95(tmp_path: Path) -> None:
    report = judge(calm(tmp_path, 2, seconds=5.1), without=AUTH_ONLY)
    assert report.triggers == [Trigger.AUTH_LATENCY]
    check = check_of(report, "auth p95")
    assert check.first
    assert "203.0.113.7" not in check.first.text
    assert judge(calm(tmp_path, 2, seconds=4.9), without=AUTH_ONLY).verdict is Verdict.GO
    # One in twenty may be slow.
    slow = [auth(minutes(1), seconds=9) for _ in range(3)]
    assert judge(calm(tmp_path, 2, *slow), without=AUTH_ONLY).verdict is Verdict.GO


def test_refresh_tokens_that_are_used_twice_fail_from_the_threshold_on(tmp_path: Path) -> None:
    code = "refresh_token_already_used"
    races = [auth(at, "/token", status=400, error_code=code) for at in each(5, 6, 10)]
    report = judge(calm(tmp_path, 2, *races), without=AUTH_ONLY)
    assert report.triggers == [Trigger.REFRESH_TOKEN_RACES]
    few = judge(calm(tmp_path, 2, *races[:9]), without=AUTH_ONLY)
    assert few.verdict is Verdict.GO
    assert check_of(few, "refresh tokens").count == 9


def test_a_gateway_before_the_auth_service_tells_the_same(tmp_path: Path) -> None:
    lines = [gateway(at, "/auth/v1/user") for at in each(-40, 0, 2)]
    lines += [gateway(at, "/auth/v1/user", seconds=6) for at in each(0, 31, 12)]
    report = judge(written(tmp_path / "gateway.log", lines), without=AUTH_ONLY)
    assert report.triggers == [Trigger.AUTH_CALLS_EXPLODING, Trigger.AUTH_LATENCY]


def test_without_a_log_of_the_auth_service_nobody_can_tell_unless_it_is_left_out(tmp_path: Path) -> None:
    report = judge(front(tmp_path))
    assert states(report, "dod-3") == {"auth calls": "no data"}
    assert report.verdict is Verdict.COULD_NOT_TELL
    without = judge(front(tmp_path), without=FRONT_ONLY)
    assert without.verdict is Verdict.GO
    assert "dod-3" in without.without
