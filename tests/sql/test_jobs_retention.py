"""The purges: what is deleted, what is kept, and how much goes in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from eventlive_db.server import Server
from tests.support.actors import new_id
from tests.support.database import EventliveDatabase
from tests.support.jobs import (
    batch_size,
    changed,
    clear,
    deletions,
    everything,
    fault,
    job_database,
    run,
    sessions,
    set_number,
    work,
)
from tests.support.races import held


@pytest.fixture(scope="module")
def module_db(pg_server: Server, schema_template: str) -> Iterator[EventliveDatabase]:
    with job_database(pg_server, schema_template) as database:
        yield database


@pytest.fixture
def jobs_db(module_db: EventliveDatabase) -> EventliveDatabase:
    clear(module_db)
    return module_db


@dataclass(frozen=True, slots=True)
class Kind:
    """A purge: of which table, by which setting and its default, and how to store a row of a certain age."""

    job: str
    table: str
    setting: str
    days: int
    insert: str

    def store(self, db: EventliveDatabase, webinar_id: UUID, *ages: str) -> None:
        """A row for each of the ages."""
        for age in ages:
            number = db.count(self.table) + 1
            db.admin.execute(
                self.insert.encode(),
                {"webinar": webinar_id, "id": new_id(), "number": number, "age": age},
            )


KINDS = {
    kind.job: kind
    for kind in (
        Kind(
            "purge_sessions", "webinar_user_sessions", "session_retention_days", 365,
            "insert into eventlive.webinar_user_sessions (webinar_id, session_id, entered_at, last_heartbeat_at,"
            " expires_at, exited_at, exit_reason, interval_s)"
            " select %(webinar)s, %(id)s, x.at, x.at, x.at, x.at, 'left', 300"
            "   from (select clock_timestamp() - %(age)s::interval as at) x",
        ),
        Kind(
            "purge_messages", "webinar_messages", "message_retention_days", 180,
            "insert into eventlive.webinar_messages"
            " (webinar_id, message_id, user_id, client_message_id, body, created_at, change_id)"
            " values (%(webinar)s, %(number)s, %(id)s, %(id)s, 'Hello', clock_timestamp() - %(age)s::interval,"
            " %(number)s)",
        ),
        Kind(
            "purge_timelines", "webinar_access_logs", "timeline_retention_days", 1095,
            "insert into eventlive.webinar_access_logs (webinar_id, time_bucket, sample_count)"
            " values (%(webinar)s, clock_timestamp() - %(age)s::interval, 1)",
        ),
    )
}  # fmt: skip
EACH = pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))


def old_webinar(db: EventliveDatabase, status: str = "live", overrides: dict[str, object] | None = None) -> UUID:
    """A webinar made long ago."""
    webinar_id = db.webinar(status=status, settings=overrides)
    db.admin.execute("update eventlive.webinars set created_at = now() - interval '20 years'")
    return webinar_id


def left(db: EventliveDatabase, kind: Kind) -> list[tuple[UUID, int]]:
    """How many rows of each webinar there are."""
    return db.rows(f"select webinar_id, count(*) from eventlive.{kind.table} group by 1 order by 1")


def at_the_boundary(db: EventliveDatabase, kind: Kind) -> bool:
    """Whether, of two rows around the age from which on they go, one goes and one stays."""
    webinar_id = old_webinar(db)
    kind.store(db, webinar_id, f"{kind.days} days", f"{kind.days - 1} days 23 hours 59 minutes", "1 minute")
    return (changed(db, kind.job), left(db, kind)) == (1, [(webinar_id, 2)])


@EACH
def test_what_is_older_than_the_retention_goes_and_nothing_else(jobs_db: EventliveDatabase, kind: Kind) -> None:
    assert jobs_db.value("select value::integer from eventlive.settings where key = %s", kind.setting) == kind.days
    assert at_the_boundary(jobs_db, kind)
    before = everything(jobs_db, "jobs", "job_runs")
    assert changed(jobs_db, kind.job) == 0
    assert everything(jobs_db, "jobs", "job_runs") == before


@EACH
def test_another_boundary_is_seen(jobs_db: EventliveDatabase, kind: Kind) -> None:
    for days in ("23:59:59", "24:00:01"):
        listed = fault(jobs_db, f"{kind.job}_work", "interval '1 day'", f"interval '{days}'")
        with listed, fault(jobs_db, "retention_end", "'1 day'::interval", f"'{days}'::interval"):
            assert not at_the_boundary(jobs_db, kind)
        clear(jobs_db)


@EACH
def test_a_webinar_may_have_a_retention_of_its_own(jobs_db: EventliveDatabase, kind: Kind) -> None:
    own: tuple[dict[str, object], ...] = ({kind.setting: 1.5}, {kind.setting: 10_000}, {})
    shorter, longer, ordinary = (old_webinar(jobs_db, overrides=overrides) for overrides in own)
    for webinar_id in (shorter, longer, ordinary):
        kind.store(jobs_db, webinar_id, f"{kind.days + 1} days", "37 hours", "35 hours")
    assert changed(jobs_db, kind.job) == 3
    assert dict(left(jobs_db, kind)) == {shorter: 1, longer: 3, ordinary: 2}


@EACH
@pytest.mark.parametrize("status", ["live", "ended"])
def test_a_changed_setting_holds_for_webinars_that_have_ended_too(
    jobs_db: EventliveDatabase, kind: Kind, status: str
) -> None:
    ordinary, own = old_webinar(jobs_db, status=status), old_webinar(jobs_db, status, {kind.setting: 5})
    for webinar_id in (ordinary, own):
        kind.store(jobs_db, webinar_id, "3 days", "1 hour")
    set_number(jobs_db, kind.setting, 2)
    assert changed(jobs_db, kind.job) == 1
    assert dict(left(jobs_db, kind)) == {ordinary: 1, own: 2}


@EACH
def test_by_the_settings_of_its_end_an_ended_webinar_would_keep_them(jobs_db: EventliveDatabase, kind: Kind) -> None:
    webinar_id = old_webinar(jobs_db, status="ended")
    kind.store(jobs_db, webinar_id, "3 days")
    set_number(jobs_db, kind.setting, 2)
    frozen = "(select l.settings from eventlive.webinar_live l where l.webinar_id = w.id)"
    with fault(jobs_db, f"{kind.job}_work", f"w.settings -> '{kind.setting}'", f"{frozen} -> '{kind.setting}'"):
        assert work(jobs_db, kind.job) == []


@EACH
def test_a_webinar_younger_than_the_retention_is_not_looked_at(jobs_db: EventliveDatabase, kind: Kind) -> None:
    webinar_id = jobs_db.webinar()
    kind.store(jobs_db, webinar_id, "19 years")
    assert (work(jobs_db, kind.job), changed(jobs_db, kind.job)) == ([], 0)
    assert left(jobs_db, kind) == [(webinar_id, 1)]


@EACH
def test_no_transaction_deletes_more_than_a_batch(jobs_db: EventliveDatabase, kind: Kind) -> None:
    batch_size(jobs_db, 3)
    webinars = [old_webinar(jobs_db) for _ in range(2)]
    for webinar_id, count in zip(webinars, (8, 3), strict=True):
        kind.store(jobs_db, webinar_id, *(f"{19 * 365 + number} days" for number in range(count)), "1 hour")
    assert sorted(row[3] for row in work(jobs_db, kind.job)) == [2, 3, 3, 3]
    gone = deletions(jobs_db, f"eventlive.{kind.table}", lambda: run(jobs_db, kind.job))
    assert sorted(gone) == [2, 3, 3, 3]
    assert sorted(left(jobs_db, kind)) == sorted((webinar_id, 1) for webinar_id in webinars)


def come_of_age(db: EventliveDatabase) -> list[int]:
    """How many sessions a step deletes at once, where most have come of age since the work was listed."""
    batch_size(db, 3)
    webinar_id = old_webinar(db)
    ids = sorted(sessions(db, webinar_id, exited_ago="10 hours", count=8))
    aged = (
        "update eventlive.webinar_user_sessions set exited_at = now() - interval '18 years', entered_at = '-infinity'"
    )
    db.admin.execute(
        f"{aged}, last_heartbeat_at = '-infinity' where session_id in (%s, %s)".encode(), [ids[0], ids[-1]]
    )
    [step] = work(db, "purge_sessions")
    db.admin.execute(f"{aged}, last_heartbeat_at = '-infinity'".encode())
    deleting = "select eventlive.job_step('purge_sessions', %s, %s, %s, %s)"
    return deletions(db, "eventlive.webinar_user_sessions", lambda: db.value(deleting, *step))


def test_sessions_that_come_of_age_meanwhile_do_not_swell_a_batch(jobs_db: EventliveDatabase) -> None:
    assert come_of_age(jobs_db) == [3]


def test_without_the_limit_they_would(jobs_db: EventliveDatabase) -> None:
    with fault(jobs_db, "purge_sessions_step", "limit v_limit", ""):
        assert come_of_age(jobs_db) == [8]


@EACH
def test_a_row_that_somebody_holds_is_passed_over(jobs_db: EventliveDatabase, kind: Kind) -> None:
    kind.store(jobs_db, old_webinar(jobs_db), "19 years", "19 years 1 day")
    with held(jobs_db, f"select from eventlive.{kind.table} limit 1 for key share"):
        assert changed(jobs_db, kind.job) == 1
    assert changed(jobs_db, kind.job) == 1


def test_an_open_session_is_kept_however_old(jobs_db: EventliveDatabase) -> None:
    KINDS["purge_sessions"].store(jobs_db, old_webinar(jobs_db), "19 years")
    jobs_db.admin.execute("update eventlive.webinar_user_sessions set exited_at = null, exit_reason = null")
    assert changed(jobs_db, "purge_sessions") == 0
    assert jobs_db.count("webinar_user_sessions") == 1


def test_the_number_of_a_deleted_message_is_not_given_out_again(jobs_db: EventliveDatabase) -> None:
    webinar_id, user = old_webinar(jobs_db), jobs_db.user()
    user.call("webinar_enter", webinar_id=webinar_id, session_id=new_id())

    def post(body: str) -> Any:
        message = {"client_message_id": new_id(), "kind": "chat", "body": body}
        return user.call("webinar_message_post", webinar_id=webinar_id, **message)

    for number in range(3):
        post(f"old {number}")
    cursor = user.call("webinar_messages_poll", webinar_id=webinar_id, after=0, limit=2)["cursor"]
    jobs_db.admin.execute("update eventlive.webinar_messages set created_at = created_at - interval '200 days'")
    assert changed(jobs_db, "purge_messages") == 3
    empty = user.call("webinar_messages_poll", webinar_id=webinar_id, after=cursor)
    assert (empty["messages"], empty["cursor"]) == ([], cursor)
    post("new")
    told = user.call("webinar_messages_poll", webinar_id=webinar_id, after=cursor)
    assert [message["body"] for message in told["messages"]] == ["new"]
    assert jobs_db.rows("select message_id, change_id from eventlive.webinar_messages") == [(4, 4)]
