"""DoD-1 and DoD-2 by the logs of a real server: the incident's faults are found, the product's refusals are not."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from eventlive_db.verify import State, Trigger, Verdict
from eventlive_db.verify.report import as_dict, as_markdown
from tests.support.actors import new_id
from tests.support.http_door import token
from tests.verify.stand import FORMATS, LoggedDatabase, check_of, states

MISSING = "missing columns"
formats = pytest.mark.parametrize("form", FORMATS)


def ordinary_traffic(logged: LoggedDatabase) -> None:
    """What happens all day: people come in, are refused, and log in twice; each refusal is a line of the log."""
    db = logged.db
    webinar = db.webinar()
    user = db.user()
    assert user.refused("webinar_presence_ping", webinar_id=webinar).token == "not_registered"
    user.call("webinar_register", webinar_id=webinar)
    user.call("webinar_register", webinar_id=webinar)
    user.call("webinar_enter", webinar_id=webinar, session_id=new_id())
    assert user.refused("webinar_enter", webinar_id=webinar, session_id=new_id()).token == "duplicate_session"
    user.call("webinar_presence_ping", webinar_id=webinar)
    assert db.guest().refused("webinar_enter", webinar_id=webinar, session_id=new_id()).token == "guests_not_allowed"


@formats
def test_a_clean_run_passes(logged: LoggedDatabase, form: str) -> None:
    ordinary_traffic(logged)
    report = logged.judge(logged.log(form))
    assert report.verdict is Verdict.GO, report.checks
    assert states(report, "dod-1") == {MISSING: "passed"}
    assert states(report, "dod-2") == {"registrations_pkey": "passed", "other duplicate keys": "passed"}
    assert report.triggers == []


@formats
def test_a_function_that_selects_a_missing_column_fails_with_its_first_and_last_line(
    logged: LoggedDatabase, form: str
) -> None:
    db = logged.db
    db.admin.execute(
        "create function public.presence_ping(_user uuid) returns uuid language plpgsql as"
        " $$ begin return (select id from eventlive.registrations where user_id = _user); end $$"
    )
    ordinary_traffic(logged)
    for _ in range(3):
        with pytest.raises(psycopg.errors.UndefinedColumn):
            db.admin.execute("select public.presence_ping(%s)", [new_id()])
    report = logged.judge(logged.log(form))
    assert report.verdict is Verdict.ROLL_BACK
    assert report.triggers == [Trigger.MISSING_COLUMN_400]
    check = check_of(report, MISSING)
    assert check.count == 3
    assert check.first
    assert check.last
    assert 'column "id" does not exist' in check.first.text
    assert check.first.line < check.last.line
    assert check.first.at <= check.last.at
    for line in (check.first, check.last):
        # The line that is named is the one that is meant.
        assert " does not exist" in logged.log(form).read_text().split("\n")[line.line - 1]


@formats
def test_duplicate_registrations_fail_even_if_there_are_few(logged: LoggedDatabase, form: str) -> None:
    db, webinar, user = logged.db, logged.db.webinar(), new_id()
    for _ in range(3):
        statement = "insert into eventlive.registrations (webinar_id, user_id) values (%s, %s)"
        try:
            db.admin.execute(statement, [webinar, user])
        except psycopg.errors.UniqueViolation:
            continue
    report = logged.judge(logged.log(form))
    assert report.triggers == [Trigger.DUPLICATE_REGISTRATION]
    check = check_of(report, "registrations_pkey")
    assert check.count == 2
    assert check.first
    assert "registrations_pkey" in check.first.text
    assert states(report, "dod-2")["other duplicate keys"] == "passed"


def test_a_storm_of_other_duplicate_keys_fails_from_the_threshold_on(logged: LoggedDatabase) -> None:
    db = logged.db
    db.admin.execute("create table public.clicks (id int primary key)")
    db.admin.execute("insert into public.clicks values (1)")

    def storm(number: int) -> None:
        for _ in range(number):
            with pytest.raises(psycopg.errors.UniqueViolation):
                db.admin.execute("insert into public.clicks values (1)")

    storm(49)
    calm = logged.judge(logged.log("csvlog"))
    assert calm.verdict is Verdict.GO
    assert check_of(calm, "other duplicate keys").count == 49
    storm(1)
    report = logged.judge(logged.log("csvlog"))
    assert report.triggers == [Trigger.DUPLICATE_KEY_STORM]
    assert check_of(report, "other duplicate keys").count == 50


def test_the_threshold_is_the_one_of_the_database(logged: LoggedDatabase) -> None:
    db = logged.db
    db.admin.execute(
        "insert into eventlive.settings (key, value, default_value, value_type, min_value, max_value, description)"
        " values ('alert_http_409_per_min', '50', '50', 'number', 0, 1000000, 'Alarm.') on conflict do nothing"
    )
    db.admin.execute("update eventlive.settings set value = '2' where key = 'alert_http_409_per_min'")
    db.admin.execute("create table public.clicks (id int primary key)")
    db.admin.execute("insert into public.clicks values (1)")
    for _ in range(2):
        with pytest.raises(psycopg.errors.UniqueViolation):
            db.admin.execute("insert into public.clicks values (1)")
    assert logged.judge(logged.log("jsonlog")).triggers == []
    report = logged.judge(logged.log("jsonlog"), dsn=db.dsn)
    assert report.triggers == [Trigger.DUPLICATE_KEY_STORM]
    assert report.thresholds["alert_http_409_per_min"] == 2


def test_concurrent_registrations_leave_no_duplicate_key(logged: LoggedDatabase) -> None:
    webinar, actors = logged.db.webinar(), [logged.db.user(user) for user in [new_id()] * 8]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda actor: actor.call("webinar_register", webinar_id=webinar), actors))
    actors[0].call("webinar_enter", webinar_id=webinar, session_id=new_id())
    assert logged.db.user().refused("webinar_presence_ping", webinar_id=webinar)
    report = logged.judge(logged.log("stderr"))
    assert report.verdict is Verdict.GO, report.checks


@formats
def test_no_personal_data_is_in_any_report(logged: LoggedDatabase, form: str) -> None:
    db, user = logged.db, new_id()
    secret, address = token("authenticated", user), "ada.lovelace@example.org"
    with pytest.raises(psycopg.errors.UndefinedColumn):
        db.admin.execute(
            f"select id from eventlive.registrations where user_id = '{user}' and note in ('{address}', '{secret}')"
        )
    report = logged.judge(logged.log(form))
    assert report.triggers == [Trigger.MISSING_COLUMN_400]
    for text in (json.dumps(as_dict(report)), as_markdown(report), str(report)):
        assert "does not exist" in text
        for private in (str(user), user.hex, address, "lovelace", secret, secret.split(".")[1]):
            assert private not in text


def test_what_happened_before_the_release_does_not_count(logged: LoggedDatabase) -> None:
    with pytest.raises(psycopg.errors.UndefinedColumn):
        logged.db.admin.execute("select id from eventlive.registrations")
    after = LoggedDatabase(logged.db, logged.folder, logged.db.value("select clock_timestamp() + interval '1 ms'"))
    logged.db.value("select pg_sleep(0.002)")
    ordinary_traffic(after)
    assert after.judge(after.log("csvlog")).verdict is Verdict.GO
    assert logged.judge(logged.log("csvlog")).verdict is Verdict.ROLL_BACK


def test_errors_of_an_application_that_is_ignored_do_not_count_and_the_report_says_so(logged: LoggedDatabase) -> None:
    ordinary_traffic(logged)
    logged.db.admin.execute("set application_name = 'psql'")
    with pytest.raises(psycopg.errors.UndefinedColumn):
        logged.db.admin.execute("select id from eventlive.registrations")
    report = logged.judge(logged.log("jsonlog"), ignored_applications=frozenset({"psql"}))
    assert report.verdict is Verdict.GO
    assert report.notes == ["1 errors of psql were left out (--ignore-application)."]
    assert logged.judge(logged.log("jsonlog")).verdict is Verdict.ROLL_BACK


def test_a_server_that_logs_no_errors_proves_nothing(logged: LoggedDatabase) -> None:
    ordinary_traffic(logged)
    name = logged.db.value("select current_database()")
    logged.db.admin.execute(f'alter database "{name}" set log_min_messages = panic')
    report = logged.judge(logged.log("csvlog"), dsn=logged.db.dsn)
    check = check_of(report, MISSING)
    assert check.state is State.NO_DATA
    assert "log_min_messages is panic" in check.says
    assert report.verdict is Verdict.COULD_NOT_TELL
