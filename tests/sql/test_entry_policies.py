"""Who may enter and who may register: every access policy, entry policy, status and kind of caller (R5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from eventlive_db.client import RpcError
from tests.support.actors import new_id
from tests.support.database import EventliveDatabase
from tests.support.entry import LISTED, UNLISTED, UNVERIFIED, enter, observed, outcome, the_webinar
from tests.support.faults import break_function
from tests.support.tables import by_column

# How to read the tables: a row is a caller, a column an access policy, a cell what happens.
#
#   enters      lets the caller in and registers nobody
#   joins       lets the caller in, who is registered from now on
#   registers   makes the registration, and nothing else
#   repeats     answers with the registration that is there and changes nothing
#   other words the token of the refusal; nothing changes

ENTER_AUTO_REGISTER = """
caller                     auth                guest_allowed       invite_only         email_auth
guest                      guests_not_allowed  enters              guests_not_allowed  guests_not_allowed
without_email              joins               joins               email_not_verified  email_not_verified
not_on_the_list            joins               joins               not_invited         not_invited
on_the_list                joins               joins               joins               joins
on_the_list_unverified     joins               joins               email_not_verified  email_not_verified
registered                 enters              enters              enters              not_invited
registered_and_on_the_list enters              enters              enters              enters
speaker                    enters              enters              enters              enters
moderator                  enters              enters              enters              enters
host                       enters              enters              enters              enters
admin                      joins               joins               joins               joins
registered_admin           enters              enters              enters              enters
ejected                    ejected             ejected             ejected             ejected
ejected_and_on_the_list    ejected             ejected             ejected             ejected
"""

ENTER_REGISTERED_ONLY = """
caller                     auth                guest_allowed       invite_only         email_auth
guest                      guests_not_allowed  not_registered      guests_not_allowed  guests_not_allowed
without_email              not_registered      not_registered      not_registered      not_registered
not_on_the_list            not_registered      not_registered      not_registered      not_registered
on_the_list                not_registered      not_registered      not_registered      not_registered
on_the_list_unverified     not_registered      not_registered      not_registered      not_registered
registered                 enters              enters              enters              not_invited
registered_and_on_the_list enters              enters              enters              enters
speaker                    enters              enters              enters              enters
moderator                  enters              enters              enters              enters
host                       enters              enters              enters              enters
admin                      joins               joins               joins               joins
registered_admin           enters              enters              enters              enters
ejected                    ejected             ejected             ejected             ejected
ejected_and_on_the_list    ejected             ejected             ejected             ejected
"""

# Registering is the caller's own wish, so the entry policy has no say in it. Guests have no account to register.
REGISTER = """
caller                     auth                guest_allowed       invite_only         email_auth
without_email              registers           registers           email_not_verified  email_not_verified
not_on_the_list            registers           registers           not_invited         not_invited
on_the_list                registers           registers           registers           registers
on_the_list_unverified     registers           registers           email_not_verified  email_not_verified
registered                 repeats             repeats             repeats             repeats
registered_and_on_the_list repeats             repeats             repeats             repeats
speaker                    repeats             repeats             repeats             repeats
moderator                  repeats             repeats             repeats             repeats
host                       repeats             repeats             repeats             repeats
admin                      registers           registers           registers           registers
registered_admin           repeats             repeats             repeats             repeats
ejected                    ejected             ejected             ejected             ejected
ejected_and_on_the_list    ejected             ejected             ejected             ejected
"""

# Here a column is the status of a webinar that is open to everybody.
ENTER_BY_STATUS = """
caller                     draft               scheduled           live                ended
guest                      webinar_not_found   enters              enters              webinar_ended
without_email              webinar_not_found   joins               joins               webinar_ended
registered                 webinar_not_found   enters              enters              webinar_ended
speaker                    enters              enters              enters              webinar_ended
moderator                  enters              enters              enters              webinar_ended
host                       enters              enters              enters              webinar_ended
admin                      joins               joins               joins               webinar_ended
ejected                    ejected             ejected             ejected             webinar_ended
"""

REGISTER_BY_STATUS = """
caller                     draft               scheduled           live                ended
without_email              webinar_not_found   registers           registers           webinar_ended
registered                 repeats             repeats             repeats             repeats
host                       repeats             repeats             repeats             repeats
admin                      registers           registers           registers           webinar_ended
ejected                    ejected             ejected             ejected             ejected
"""


@pytest.mark.parametrize("access_policy", ["auth", "guest_allowed", "invite_only", "email_auth"])
@pytest.mark.parametrize(
    ("act", "entry_policy", "table"),
    [
        pytest.param("enter", "auto_register", ENTER_AUTO_REGISTER, id="enter-auto_register"),
        pytest.param("enter", "registered_only", ENTER_REGISTERED_ONLY, id="enter-registered_only"),
        pytest.param("register", "auto_register", REGISTER, id="register-auto_register"),
        pytest.param("register", "registered_only", REGISTER, id="register-registered_only"),
    ],
)
def test_every_caller_meets_what_the_policies_promise(
    db: EventliveDatabase, act: str, entry_policy: str, table: str, access_policy: str
) -> None:
    promised = by_column(table)[access_policy]
    assert observed(db, act, promised, access_policy=access_policy, entry_policy=entry_policy) == promised


@pytest.mark.parametrize("status", ["draft", "scheduled", "live", "ended"])
@pytest.mark.parametrize(
    ("act", "table"),
    [pytest.param("enter", ENTER_BY_STATUS), pytest.param("register", REGISTER_BY_STATUS)],
    ids=["enter", "register"],
)
def test_every_caller_meets_what_the_status_promises(db: EventliveDatabase, act: str, table: str, status: str) -> None:
    promised = by_column(table)[status]
    assert observed(db, act, promised, access_policy="guest_allowed", status=status) == promised


@pytest.mark.parametrize("claim", [None, "false", "true", 1, False, "absent"], ids=str)
def test_only_the_boolean_true_verifies_an_email(db: EventliveDatabase, claim: object) -> None:
    webinar_id = the_webinar(db, access_policy="email_auth")
    claims: dict[str, Any] = {"email": "ana@example.com"}
    if claim != "absent":
        claims["email_verified"] = claim
    assert enter(db, db.user(**claims), webinar_id) == "email_not_verified"
    assert enter(db, db.user(**{**claims, "email_verified": True}), webinar_id) == "joins"


def test_where_verification_is_switched_off_an_unverified_email_is_enough(db: EventliveDatabase) -> None:
    webinar_id = db.webinar(access_policy="email_auth", settings={"email_verified_claim_required": False})
    db.allow_email(webinar_id, "ana@example.com")
    assert enter(db, db.user(**UNVERIFIED), webinar_id) == "joins"


def test_an_address_taken_off_the_list_ends_entry_under_email_auth(db: EventliveDatabase) -> None:
    webinar_id = the_webinar(db, access_policy="email_auth")
    user = db.user(**LISTED)
    user.call("webinar_register", webinar_id=webinar_id)
    db.admin.execute("delete from eventlive.webinar_allowed_emails")
    assert enter(db, user, webinar_id) == "not_invited"


def test_an_address_on_the_list_of_another_webinar_counts_for_nothing(db: EventliveDatabase) -> None:
    db.allow_email(db.webinar(access_policy="email_auth"), "eve@example.com")
    assert enter(db, db.user(**UNLISTED), the_webinar(db, access_policy="email_auth")) == "not_invited"


@dataclass(frozen=True)
class Fault:
    """A rule taken out of a function, and the cell of the tables that must tell."""

    function: str
    old: str
    new: str
    act: str
    caller: str
    promised: str
    properties: dict[str, str] = field(default_factory=dict)


FAULTS = {
    "the list is not read": Fault(
        "check_email_is_listed", "elsif not exists", "elsif false and not exists",
        "enter", "not_on_the_list", "not_invited", {"access_policy": "email_auth"},
    ),
    "an unverified email is believed": Fault(
        "current_email", "if _verified_required and", "if false and",
        "enter", "on_the_list_unverified", "email_not_verified", {"access_policy": "invite_only"},
    ),
    "entry registers in spite of registered_only": Fault(
        "check_admission", "_entry_policy = 'registered_only'", "false",
        "enter", "without_email", "not_registered", {"entry_policy": "registered_only"},
    ),
    "the list is asked once only": Fault(
        "registration_for_entry", "_access_policy <> 'email_auth'", "true",
        "enter", "registered", "not_invited", {"access_policy": "email_auth"},
    ),
    "enter forgets an ejection": Fault(
        "registration_for_entry", "v_registration.ejected_at is not null", "false", "enter", "ejected", "ejected"
    ),
    "register forgets an ejection": Fault(
        "webinar_register", "v_registration.ejected_at is not null", "false", "register", "ejected", "ejected"
    ),
    "guests come in everywhere": Fault(
        "webinar_enter", "elsif v_webinar.access_policy <> 'guest_allowed'", "elsif false",
        "enter", "guest", "guests_not_allowed",
    ),
    "drafts are open": Fault(
        "check_admission", "_status is null or _status = 'draft'", "_status is null",
        "register", "without_email", "webinar_not_found", {"status": "draft"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_the_tables_see_a_rule_that_is_not_kept(db: EventliveDatabase, fault: Fault) -> None:
    promised = {fault.caller: fault.promised}
    assert observed(db, fault.act, promised, **fault.properties) == promised
    break_function(db, fault.function, fault.old, fault.new)
    assert observed(db, fault.act, promised, **fault.properties) != promised


def test_the_outcome_of_a_refusal_that_writes_is_no_clean_refusal(db: EventliveDatabase) -> None:
    def attempt() -> str:
        db.make_admin(new_id())
        raise RpcError(403, "not_allowed", {}, "", "")

    assert outcome(db, attempt) == "not_allowed, but wrote"
