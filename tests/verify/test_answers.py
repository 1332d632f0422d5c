"""400s that Postgres's log does not explain, and 5xx, 404 and 401 at the front door; successes have their own file."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventlive_db.verify import Report, State, Trigger, Verdict
from eventlive_db.verify.answers import Bad
from eventlive_db.verify.run import Question, verify
from eventlive_db.verify.thresholds import Thresholds
from tests.verify.stand import DATABASE_GROUPS, RELEASE, check_of, minutes, postgres_line, states, written
from tests.verify.test_front_and_auth_logs import FRONT_ONLY, PING, each, front, gateway, request

POLL, STATS = "/rpc/webinar_messages_poll", "/rpc/webinar_stats_access"
TRIGGERS = {404: Trigger.FUNCTIONS_NOT_FOUND, 401: Trigger.UNAUTHORIZED, 500: Trigger.SERVER_ERRORS}
NAMES = {404: "HTTP 404", 401: "HTTP 401", 500: "HTTP 5xx", 503: "HTTP 5xx", 502: "HTTP 5xx"}


def judge(*logs: Path, ignored: frozenset[str] = frozenset(), **limits: float) -> Report:
    settings = {**Thresholds().settings, **limits}
    asked = Question(
        RELEASE,
        minutes(30),
        logs=logs,
        without=FRONT_ONLY,
        ignored_applications=ignored,
        limits=Thresholds(settings=settings),
    )
    return verify(asked)


# DoD-1: a 400 passes where Postgres's log says why.


def postgres(path: Path, *more: str) -> Path:
    """An ordinary log of Postgres around the release, with further lines."""
    return written(path / "postgres.log", [*map(postgres_line, each(-30, 31, 1)), *more])


def refused(
    at: float, detail: str = 'invalid_argument {"argument": "_limit"}', message: str = "Invalid argument"
) -> str:
    """An error of a function, as a text log without SQLSTATEs has it."""
    return postgres_line(minutes(at), message, "ERROR") + postgres_line(minutes(at), detail, "DETAIL")


@pytest.mark.parametrize("number", [1, 9])
def test_400s_of_which_postgres_knows_nothing_are_no_pass(tmp_path: Path, number: int) -> None:
    """A column that PostgREST's schema cache does not have (PGRST204) is refused before Postgres hears of it."""
    bad = [request(at, "/registrations", 400) for at in each(5, 5 + number / 12, 12)]
    report = judge(front(tmp_path, *bad), postgres(tmp_path))
    check = check_of(report, "HTTP 400")
    assert check.state is State.NO_DATA
    assert f"no error for {number} of them" in check.says
    assert "PGRST204" in check.advice
    assert check.first
    assert report.verdict is Verdict.COULD_NOT_TELL


def test_as_many_400s_as_errors_pass_and_one_more_does_not(tmp_path: Path) -> None:
    bad = [request(minutes(at), STATS, 400) for at in (5, 5.1, 20)]
    log = postgres(tmp_path, refused(5), refused(5.1), refused(20.5))
    report = judge(front(tmp_path, *bad), log)
    assert report.verdict is Verdict.GO, report.checks
    more = judge(front(tmp_path, *bad, request(minutes(20.2), STATS, 400)), log)
    assert check_of(more, "HTTP 400").state is State.NO_DATA
    assert "no error for 1 of them" in check_of(more, "HTTP 400").says


@pytest.mark.parametrize(
    "error",
    [
        refused(25),
        refused(5, "not_registered", "Not registered"),
        postgres_line(minutes(5), 'duplicate key value violates unique constraint "clicks_pkey"', "ERROR"),
        postgres_line(minutes(5), "deadlock detected", "ERROR"),
        postgres_line(minutes(5), "checkpoint starting: time"),
    ],
    ids=["long after", "a 403", "a 409", "a 500", "no error"],
)
def test_what_is_no_cause_of_a_400_explains_none(tmp_path: Path, error: str) -> None:
    report = judge(front(tmp_path, request(minutes(5), STATS, 400)), postgres(tmp_path, error))
    assert check_of(report, "HTTP 400").state is State.NO_DATA


def test_many_400s_fail_even_if_they_are_explained(tmp_path: Path) -> None:
    at = each(5, 6, 10)
    bad = [request(one, STATS, 400) for one in at]
    log = postgres(tmp_path, *(refused(5 + number / 10) for number in range(10)))
    assert judge(front(tmp_path, *bad), log).triggers == [Trigger.HTTP_400_RATE]


def test_a_400_in_postgrest_s_log_and_in_the_gateway_s_is_one(tmp_path: Path) -> None:
    at = each(5, 6, 8)
    bad = front(tmp_path, *(request(one, STATS, 400) for one in at))
    lines = [gateway(one, f"/rest/v1{PING}", 204) for one in each(-30, 31, 2)]
    lines += [gateway(one, f"/rest/v1{STATS}", 400) for one in at]
    before = written(tmp_path / "gateway.log", lines)
    log = postgres(tmp_path, *(refused(5 + number / 8) for number in range(8)))
    report = judge(bad, before, log)
    assert report.verdict is Verdict.GO, report.checks
    assert check_of(report, "HTTP 400").count == 8


# Answers.


def only(path: Path, *lines: str) -> Path:
    """A log of PostgREST with two successes a minute before the release, and then these lines alone."""
    return written(path / "postgrest.log", [*map(request, each(-40, 0, 2)), *lines])


def test_ordinary_answers_pass_with_a_few_bad_ones(tmp_path: Path) -> None:
    life = [request(minutes(7), status=status) for status in (500, 404, 401) for _ in range(4)]
    report = judge(front(tmp_path, *life))
    assert report.verdict is Verdict.GO, report.checks
    assert states(report, "answers") == dict.fromkeys([*(kind.value for kind in Bad), "HTTP 2xx"], "passed")
    assert "4 answers of 73" in check_of(report, "HTTP 404").says


@pytest.mark.parametrize("status", [500, 502, 503, 404, 401])
@pytest.mark.parametrize("per_minute", [1, 20, 200])
def test_a_release_after_which_hardly_anything_is_answered_is_rolled_back(
    tmp_path: Path, status: int, per_minute: int
) -> None:
    well = map(request, each(0, 31, per_minute / 20))
    report = judge(only(tmp_path, *well, *(request(at, status=status) for at in each(0, 31, per_minute))))
    assert report.verdict is Verdict.ROLL_BACK, report.checks
    assert report.triggers == [TRIGGERS.get(status, Trigger.SERVER_ERRORS)]
    check = check_of(report, NAMES[status])
    assert check.first
    assert check.last
    assert f"HTTP/1.1 {status}" in check.first.text


@pytest.mark.parametrize(
    ("status", "number", "state"),
    [
        (500, 9, State.PASSED),
        (500, 10, State.FAILED),
        (404, 49, State.PASSED),
        (404, 50, State.FAILED),
        (401, 49, State.PASSED),
        (401, 50, State.FAILED),
    ],
)
def test_so_many_a_minute_that_there_is_an_alarm_fail_whatever_part_they_are(
    tmp_path: Path, status: int, number: int, state: State
) -> None:
    well = [request(at) for at in each(0, 31, 100)]
    bad = [request(at, status=status) for at in each(5, 5.9, number / 0.9)]
    assert len(bad) == number
    assert check_of(judge(only(tmp_path, *well, *bad)), NAMES[status]).state is state


def test_the_alarms_are_those_of_the_settings(tmp_path: Path) -> None:
    well = [request(at) for at in each(0, 31, 100)]
    log = only(tmp_path, *well, *(request(at, status=404) for at in each(5, 6, 20)))
    assert judge(log).verdict is Verdict.GO
    assert judge(log, alert_http_404_per_min=20).triggers == [Trigger.FUNCTIONS_NOT_FOUND]


@pytest.mark.parametrize(("number", "state"), [(9, State.NO_DATA), (10, State.FAILED)])
def test_a_part_that_is_suspicious_fails_with_ten_a_minute(tmp_path: Path, number: int, state: State) -> None:
    well = [request(at) for at in each(0, 31, 4)]
    bad = [request(at, STATS, 404) for at in each(5, 5.9, number / 0.9)]
    report = judge(only(tmp_path, *well, *bad))
    assert check_of(report, "HTTP 404").state is state
    assert report.verdict is not Verdict.GO


@pytest.mark.parametrize(("status", "state"), [(404, State.PASSED), (401, State.PASSED), (500, State.NO_DATA)])
def test_the_contract_s_own_refusals_are_compared_with_the_time_before(
    tmp_path: Path, status: int, state: State
) -> None:
    def lines(begin: float, end: float, part: float) -> list[str]:
        return [
            *map(request, each(begin, end, 20)),
            *(request(at, status=status) for at in each(begin, end, 20 * part)),
        ]

    as_before = written(tmp_path / "a.log", [*lines(-40, 0, 0.2), *lines(0, 31, 0.3)])
    assert check_of(judge(as_before), NAMES[status]).state is state
    doubled = written(tmp_path / "b.log", [*lines(-40, 0, 0.05), *lines(0, 31, 0.6)])
    assert judge(doubled).triggers == [TRIGGERS[status]]
    # Nothing to compare with.
    short = written(tmp_path / "c.log", [*lines(-1, 0, 0.6), *lines(0, 31, 0.6)])
    assert judge(short).triggers == [TRIGGERS[status]]


def test_an_alarm_that_was_one_before_is_neither_a_pass_nor_the_release_s(tmp_path: Path) -> None:
    lines = [*map(request, each(-40, 31, 60)), *(request(at, status=401) for at in each(-40, 31, 60))]
    report = judge(written(tmp_path / "a.log", lines))
    assert report.verdict is Verdict.COULD_NOT_TELL
    check = check_of(report, "HTTP 401")
    assert check.state is State.NO_DATA
    assert "50.0% before the release" in check.says


def test_polls_that_are_switched_off_are_no_server_errors(tmp_path: Path) -> None:
    well = [request(at) for at in each(0, 31, 20)]
    off = [request(at, POLL, 429) for at in each(0, 31, 40)]
    assert judge(only(tmp_path, *well, *off)).verdict is Verdict.GO
    broken = [request(at, POLL, 503) for at in each(0, 31, 40)]
    assert judge(only(tmp_path, *well, *broken)).triggers == [Trigger.SERVER_ERRORS]


def test_a_scanner_s_404s_are_none_of_a_function(tmp_path: Path) -> None:
    scanned = [request(at, path, 404) for at in each(5, 6, 100) for path in ("/.env", "/wp/login.php", "/a/b/c")]
    assert judge(front(tmp_path, *scanned)).verdict is Verdict.GO
    views = [request(at, "/registrations", 404) for at in each(5, 6, 100)]
    assert judge(front(tmp_path, *views)).triggers == [Trigger.FUNCTIONS_NOT_FOUND]


def test_what_the_gateway_cannot_pass_on_is_in_its_log_alone(tmp_path: Path) -> None:
    lines = [gateway(at, f"/rest/v1{PING}", 204) for at in each(-30, 31, 2)]
    lines += [gateway(at, f"/rest/v1{PING}", 502) for at in each(5, 6, 10)]
    lines += [gateway(at, "/auth/v1/token", 500) for at in each(7, 8, 50)]
    log = written(tmp_path / "gateway.log", lines)
    report = judge(front(tmp_path), log)
    assert report.triggers == [Trigger.SERVER_ERRORS]
    assert check_of(report, "HTTP 5xx").count == 10


def test_of_a_log_without_successes_the_part_is_not_known(tmp_path: Path) -> None:
    """As PostgREST writes it with log-level warn."""
    lines = [request(at, status=403) for at in each(-30, 31, 2)] + [request(at, status=404) for at in each(5, 6, 20)]
    report = judge(written(tmp_path / "postgrest.log", lines))
    assert check_of(report, "HTTP 404").state is State.NO_DATA
    assert "%" not in check_of(report, "HTTP 404").says
    assert check_of(report, "HTTP 401").state is State.PASSED


def test_without_a_log_of_the_front_door_nobody_can_tell(tmp_path: Path) -> None:
    report = judge(postgres(tmp_path))
    assert states(report, "answers") == {"answers": "no data"}
    assert report.verdict is Verdict.COULD_NOT_TELL
    asked = Question(RELEASE, minutes(30), logs=[postgres(tmp_path)], without=DATABASE_GROUPS | {"answers", "dod-3"})
    assert verify(asked).verdict is Verdict.GO


def test_a_log_that_does_not_reach_is_no_pass(tmp_path: Path) -> None:
    log = written(tmp_path / "postgrest.log", map(request, each(5, 31, 2)))
    assert set(states(judge(log), "answers").values()) == {"no data"}
