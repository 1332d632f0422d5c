"""Registration is idempotent in the database (R4)."""

from __future__ import annotations

from tests.support.database import EventliveDatabase


def test_registering_returns_the_registration_and_says_that_it_was_created(db: EventliveDatabase) -> None:
    webinar, user = db.webinar(), db.user()
    reply = user.call("webinar_register", webinar_id=webinar)
    assert reply["created"] is True
    assert reply["role"] == "attendee"
    assert reply["registered_via"] == "manual"
    assert reply["user_id"] == str(user.user_id)
    assert db.count("registrations") == 1


def test_registering_again_returns_the_same_registration_and_writes_nothing(db: EventliveDatabase) -> None:
    webinar, user = db.webinar(), db.user()
    first = user.call("webinar_register", webinar_id=webinar)
    before = db.contents()
    again = user.call("webinar_register", webinar_id=webinar, registered_via="email")
    assert again == {**first, "created": False}
    assert db.contents() == before
