"""Creating, configuring, opening and ending a webinar, and who is let in or thrown out (R5, R13)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from eventlive_db.client import RpcError
from tests.support.actors import new_id
from tests.support.cast import ELSEWHERE, EVERYBODY, USERS, WEBINAR, Cast, assemble
from tests.support.database import EventliveDatabase, Furnish
from tests.support.faults import break_function
from tests.support.tables import by_column, cells

GUEST_SESSION = UUID(int=0x601)
ATTENDEE, STRANGER = USERS["attendee"], USERS["stranger"]

ACTS: dict[str, tuple[str, dict[str, object]]] = {
    "create": ("webinar_create", {"slug": "new"}),
    "create_for_another": ("webinar_create", {"slug": "new", "host_id": UUID(int=0x99)}),
    "configure": ("webinar_configure", {"webinar_id": WEBINAR, "changes": {"title": "Changed"}}),
    "set_status": ("webinar_set_status", {"webinar_id": WEBINAR, "status": "ended"}),
    "grant_role": ("webinar_grant_role", {"webinar_id": WEBINAR, "user_id": STRANGER, "role": "speaker"}),
    "allow_emails": ("webinar_allow_emails", {"webinar_id": WEBINAR, "emails": ["ana@example.com"]}),
    "eject_user": ("webinar_eject", {"webinar_id": WEBINAR, "user_id": ATTENDEE}),
    "eject_guest": ("webinar_eject", {"webinar_id": WEBINAR, "session_id": GUEST_SESSION}),
}

# Who may do what: yes, no, and "set" where it depends on the setting anyone_may_create. A guest is not even a caller.
MAY = """
caller            create  create_for_another  configure  set_status  grant_role  allow_emails  eject_user  eject_guest
guest             never   never               never      never       never       never         never       never
stranger          set     no                  no         no          no          no            no          no
attendee          set     no                  no         no          no          no            no          no
speaker           set     no                  no         no          no          no            no          no
moderator         set     no                  no         no          no          no            yes         yes
host              set     no                  yes        yes         yes         yes           yes         yes
host_elsewhere    set     no                  no         no          no          no            no          no
viewer_elsewhere  set     no                  no         no          no          no            no          no
ejected           set     no                  no         no          no          no            no          no
admin             yes     yes                 yes        yes         yes         yes           yes         yes
service           yes     yes                 yes        yes         yes         yes           yes         yes
"""


def with_a_guest(db: EventliveDatabase) -> None:
    """Everybody, in a webinar that guests may enter, and in which one guest is watching."""
    cast = assemble(db, access_policy="guest_allowed")
    cast.actor("guest").call("webinar_enter", webinar_id=WEBINAR, session_id=GUEST_SESSION)


@pytest.fixture(scope="module")
def assembled(furnish: Furnish) -> str:
    """The database of ``cast``, to be copied."""
    return furnish(with_a_guest)


@pytest.fixture
def cast(open_copy: Callable[[str], EventliveDatabase], assembled: str) -> Cast:
    """Everybody, and one guest who is watching."""
    return Cast(open_copy(assembled))


def met(cast: Cast, caller: str, act: str) -> str:
    """What the caller meets, in the words of the table."""
    function, arguments = ACTS[act]
    before = cast.db.contents()
    if caller == "guest":
        refused = cast.actor(caller).broken(function, **arguments).sqlstate == "42501"
        word = "never" if refused else "?"
    else:
        try:
            cast.actor(caller).call(function, **arguments)
        except RpcError as error:
            word = {"not_allowed": "no"}.get(error.token, error.token)
        else:
            return "yes" if cast.db.contents() != before else "nothing"
    assert cast.db.contents() == before
    return word


@pytest.mark.parametrize("act", ACTS)
def test_who_may_do_it(cast: Cast, act: str) -> None:
    table = by_column(MAY)[act]
    assert set(table) == set(EVERYBODY)
    refused = {caller: word for caller, word in table.items() if word != "yes"}
    assert {caller: met(cast, caller, act) for caller in refused} == {
        caller: "no" if word == "set" else word for caller, word in refused.items()
    }


@pytest.mark.parametrize(("caller", "act"), [(caller, act) for caller, act, word in cells(MAY) if word == "yes"])
def test_those_who_may_do_it_do_it(cast: Cast, caller: str, act: str) -> None:
    assert met(cast, caller, act) == "yes"


@pytest.mark.parametrize("caller", [caller for caller, act, word in cells(MAY) if word == "set"])
def test_everybody_signed_in_may_create_where_the_setting_says_so(cast: Cast, caller: str) -> None:
    cast.db.value("select eventlive.set_setting('anyone_may_create', 'true')")
    assert met(cast, caller, "create_for_another") == "no"
    assert met(cast, caller, "create") == "yes"
    assert cast.db.rows("select user_id, role from eventlive.registrations r join eventlive.webinars w"
                        " on w.id = r.webinar_id where slug = 'new'") == [(USERS[caller], "host")]  # fmt: skip


def test_a_check_of_staff_that_lets_everybody_pass_is_seen(cast: Cast) -> None:
    break_function(cast.db, "require_staff", "perform eventlive.raise_error('not_allowed');", "null;")
    assert met(cast, "stranger", "configure") == "yes"
    break_function(cast.db, "webinar_create", "not v_service", "false")
    assert met(cast, "stranger", "create") == "yes"


def host_of(db: EventliveDatabase, webinar_id: object) -> list[Any]:
    """The hosts of a webinar."""
    query = "select user_id from eventlive.registrations where webinar_id = %s and role = 'host' order by user_id"
    return [user_id for (user_id,) in db.rows(query, webinar_id)]


@pytest.mark.parametrize(
    ("caller", "named", "hosts"),
    [
        pytest.param("admin", None, [USERS["admin"]], id="administrator-becomes-host"),
        pytest.param("admin", STRANGER, [STRANGER], id="administrator-names-a-host"),
        pytest.param("service", STRANGER, [STRANGER], id="service-names-a-host"),
        pytest.param("service", None, [], id="service-names-none"),
    ],
)
def test_a_new_webinar_is_a_draft_with_the_host_that_was_asked_for(
    cast: Cast, caller: str, named: UUID | None, hosts: list[UUID]
) -> None:
    reply = cast.actor(caller).call("webinar_create", slug="new", host_id=named)
    assert (reply["status"], reply["created"]) == ("draft", True)
    assert host_of(cast.db, reply["webinar_id"]) == hosts


def test_creating_again_is_the_same_webinar_and_changes_nothing(cast: Cast) -> None:
    wanted: dict[str, object] = {
        "slug": "new",
        "title": "New",
        "starts_at": "2030-01-01",
        "settings": {"pacing_jitter": 0.2},
    }
    first = cast.actor("admin").call("webinar_create", **wanted)
    before = cast.db.contents()
    assert cast.actor("admin").call("webinar_create", **wanted) == {**first, "created": False}
    assert cast.db.contents() == before


@pytest.mark.parametrize(
    "other",
    [
        {"title": "Other"}, {"access_policy": "email_auth"}, {"entry_policy": "registered_only"},
        {"duplicate_login_policy": "reject"}, {"starts_at": "2031-01-01"}, {"ends_at": "2031-01-01"},
        {"settings": {"pacing_jitter": 0.2}}, {"host_id": STRANGER},
    ],
    ids=lambda other: next(iter(other)),
)  # fmt: skip
def test_a_slug_taken_by_a_webinar_with_other_properties_is_refused(cast: Cast, other: dict[str, object]) -> None:
    cast.actor("admin").call("webinar_create", slug="new")
    before = cast.db.contents()
    error = cast.actor("admin").refused("webinar_create", slug="new", **other)
    assert (error.token, error.payload) == ("webinar_exists", {"slug": "new"})
    assert cast.db.contents() == before


def test_configure_changes_what_is_named_and_leaves_the_rest(cast: Cast) -> None:
    host = cast.actor("host")
    first = host.call("webinar_configure", webinar_id=WEBINAR, changes={"title": "Ours", "starts_at": "2030-01-01"})
    changes = {"access_policy": "email_auth", "ends_at": "2030-01-02", "title": None}
    reply = host.call("webinar_configure", webinar_id=WEBINAR, changes=changes)
    assert reply == {**first, **changes, "ends_at": "2030-01-02T00:00:00+00:00"}
    assert host.call("webinar_configure", webinar_id=WEBINAR, changes={}) == reply
    assert cast.db.rows("select access_policy, title from eventlive.webinars where id = %s", ELSEWHERE) == [
        ("guest_allowed", None)
    ]


@pytest.mark.parametrize("key", ["slug", "status", "id", "created_at", "nonsense"])
def test_configure_refuses_what_is_not_its_to_change(cast: Cast, key: str) -> None:
    error = cast.actor("host").refused("webinar_configure", webinar_id=WEBINAR, changes={key: "x"})
    assert (error.token, error.payload["unknown_key"]) == ("invalid_argument", key)


def test_a_stricter_policy_holds_from_the_next_entry(cast: Cast) -> None:
    cast.actor("host").call("webinar_configure", webinar_id=WEBINAR, changes={"access_policy": "auth"})
    error = cast.actor("guest").refused("webinar_enter", webinar_id=WEBINAR, session_id=new_id())
    assert error.token == "guests_not_allowed"


def test_granting_a_role_registers_a_stranger_by_invitation_and_logs_it(cast: Cast) -> None:
    reply = cast.actor("host").call("webinar_grant_role", webinar_id=WEBINAR, user_id=STRANGER, role="speaker")
    assert (reply["role"], reply["registered_via"]) == ("speaker", "invite")
    assert cast.db.rows(
        "select event, detail from eventlive.event_access_logs where user_id = %s", STRANGER
    ) == [("registered", {"registered_via": "invite", "role": "speaker"})]  # fmt: skip


def test_granting_a_role_to_the_registered_changes_the_role_alone(cast: Cast) -> None:
    query = "select role, registered_via, registered_at from eventlive.registrations where user_id = %s"
    [(_, *origin)] = cast.db.rows(query, ATTENDEE)
    log = cast.db.count("event_access_logs")
    for role in ("moderator", "moderator", "attendee"):
        reply = cast.actor("host").call("webinar_grant_role", webinar_id=WEBINAR, user_id=ATTENDEE, role=role)
        assert reply["role"] == role
        assert cast.db.rows(query, ATTENDEE) == [(role, *origin)]
    assert cast.db.count("event_access_logs") == log


@pytest.mark.parametrize("caller", ["host", "admin", "service"])
@pytest.mark.parametrize("role", ["attendee", "speaker", "moderator"])
def test_the_last_host_stays_host(cast: Cast, caller: str, role: str) -> None:
    before = cast.db.contents()
    error = cast.actor(caller).refused("webinar_grant_role", webinar_id=WEBINAR, user_id=USERS["host"], role=role)
    assert error.token == "last_host"
    assert cast.db.contents() == before


def test_a_host_may_step_down_once_there_is_another(cast: Cast) -> None:
    host = cast.actor("host")
    host.call("webinar_grant_role", webinar_id=WEBINAR, user_id=STRANGER, role="host")
    host.call("webinar_grant_role", webinar_id=WEBINAR, user_id=USERS["host"], role="attendee")
    assert host_of(cast.db, WEBINAR) == [STRANGER]
    assert host.refused("webinar_configure", webinar_id=WEBINAR, changes={}).token == "not_allowed"


def test_granting_a_role_lets_the_ejected_in_again(cast: Cast) -> None:
    ejected = cast.actor("ejected")
    assert ejected.refused("webinar_enter", webinar_id=WEBINAR, session_id=new_id()).token == "ejected"
    cast.actor("host").call("webinar_grant_role", webinar_id=WEBINAR, user_id=USERS["ejected"], role="attendee")
    assert ejected.call("webinar_enter", webinar_id=WEBINAR, session_id=new_id())["registration"]["role"] == "attendee"


def allowed(db: EventliveDatabase) -> list[str]:
    """The list of the webinar."""
    query = "select email from eventlive.webinar_allowed_emails where webinar_id = %s order by email"
    return [email for (email,) in db.rows(query, WEBINAR)]


def test_addresses_are_kept_in_one_form_and_once(cast: Cast) -> None:
    def change(emails: list[str], remove: bool = False) -> tuple[int, int]:
        reply = cast.actor("host").call("webinar_allow_emails", webinar_id=WEBINAR, emails=emails, remove=remove)
        return reply["added"], reply["removed"]

    assert change([" Ana@Example.com ", "ana@example.COM", "bob@example.com"]) == (2, 0)
    assert allowed(cast.db) == ["ana@example.com", "bob@example.com"]
    before = cast.db.contents()
    assert change(["ANA@example.com"]) == (0, 0)
    assert change([]) == (0, 0)
    assert change(["eve@example.com"], remove=True) == (0, 0)
    assert cast.db.contents() == before
    assert change([" ANA@example.com"], remove=True) == (0, 1)
    assert allowed(cast.db) == ["bob@example.com"]


@pytest.mark.parametrize("remove", [False, True])
@pytest.mark.parametrize(
    "wrong",
    ["secret", "secret@", "@secret", "secret@a@b", "secret @b", "se\x01cret@b", "", " ", None, "secret@" + "b" * 400],
)  # fmt: skip
def test_one_wrong_address_stops_all_and_is_named_by_its_place_alone(
    cast: Cast, wrong: str | None, remove: bool
) -> None:
    cast.db.allow_email(WEBINAR, "ana@example.com")
    error = cast.actor("host").refused(
        "webinar_allow_emails", webinar_id=WEBINAR, emails=["ana@example.com", "new@b", wrong, "x"], remove=remove
    )
    assert (error.token, error.payload["position"]) == ("invalid_argument", 3)
    assert "secret" not in str(error.payload) + error.message + error.hint
    assert allowed(cast.db) == ["ana@example.com"]


def test_an_error_that_repeats_the_address_is_seen(cast: Cast) -> None:
    break_function(cast.db, "webinar_allow_emails", "'e-mail addresses',", "'not ' || _emails[v_position],")
    error = cast.actor("host").refused("webinar_allow_emails", webinar_id=WEBINAR, emails=["secret"])
    assert "secret" in str(error.payload)
