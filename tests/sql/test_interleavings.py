"""Two calls that overlap, step by step: what the second is told, and what is stored when both are through."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from fnmatch import fnmatchcase
from uuid import UUID

import psycopg
import pytest

from eventlive_db.server import Server
from tests.support.actors import new_id
from tests.support.database import EventliveDatabase
from tests.support.faults import break_function
from tests.support.invariants import violations
from tests.support.races import Step, overlap
from tests.support.scene import Scene, said

# The second call is made while the first one's transaction is open. Does it wait? And what is it told, and what holds
# afterwards, when the first commits, and when it rolls back? State: role, presence, tabs that watch; * is either: a
# transaction gives up its locks one by one, and a heartbeat that meets one still held leaves presence to the next.
RACES = """
given                      first        second       waits  if it commits                             if it rolls back
stranger                   register     register     yes    known              attendee:-:-           created            attendee:-:-
stranger                   register     grant        yes    speaker            speaker:-:-            speaker            speaker:-:-
stranger                   grant        register     yes    known              speaker:-:-            created            attendee:-:-
registered                 grant        register     no     known              speaker:-:-            known              attendee:-:-
stranger                   register     enter:1      yes    created            attendee:present:1     created            attendee:present:1
stranger                   enter:1      register     yes    known              attendee:present:1     created            attendee:-:-
stranger                   grant        enter:1      yes    created            speaker:present:1      created            attendee:present:1
stranger                   enter:1      grant        yes    speaker            speaker:present:1      speaker            speaker:-:-
registered                 grant        enter:1      yes    created            speaker:present:1      created            attendee:present:1

stranger@allow             enter:1      enter:2      yes    created            attendee:present:12    created            attendee:present:2
stranger@ask               enter:1      enter:2      yes    duplicate_session  attendee:present:1     created            attendee:present:2
stranger@ask               enter:1      take_over:2  yes    created            attendee:present:2     created            attendee:present:2
stranger@replace_oldest    enter:1      enter:2      yes    created            attendee:present:2     created            attendee:present:2
stranger@reject            enter:1      enter:2      yes    duplicate_session  attendee:present:1     created            attendee:present:2
registered@allow           enter:1      enter:2      yes    created            attendee:present:12    created            attendee:present:2
registered@allow           enter:1      take_over:2  yes    created            attendee:present:2     created            attendee:present:2
registered@ask             enter:1      enter:2      yes    duplicate_session  attendee:present:1     created            attendee:present:2
registered@ask             enter:1      take_over:2  yes    created            attendee:present:2     created            attendee:present:2
registered@ask             take_over:1  take_over:2  yes    created            attendee:present:2     created            attendee:present:2
registered@ask             enter:1      enter:1      yes    known              attendee:present:1     created            attendee:present:1
registered@replace_oldest  enter:1      enter:2      yes    created            attendee:present:2     created            attendee:present:2
registered@reject          enter:1      enter:2      yes    duplicate_session  attendee:present:1     created            attendee:present:2
registered@reject          enter:1      take_over:2  yes    duplicate_session  attendee:present:1     created            attendee:present:2
registered                 guest_enter:1 guest_enter:1 yes  known              attendee:-:1           created            attendee:-:1
registered                 guest_enter:1 enter:1     yes    session_not_yours  attendee:-:1           created            attendee:present:1
one@ask                    take_over:2  enter:3      yes    duplicate_session  attendee:present:2     duplicate_session  attendee:present:1
one@ask                    take_over:2  take_over:3  yes    created            attendee:present:3     created            attendee:present:3
one@ask                    take_over:2  enter:1      yes    session_replaced   attendee:present:2     known              attendee:present:1
one@ask                    take_over:2  take_over:1  yes    session_replaced   attendee:present:2     known              attendee:present:1
one@replace_oldest         enter:2      enter:3      yes    created            attendee:present:3     created            attendee:present:3
one@ask                    take_over:2  heartbeat:1  yes    replaced           attendee:present:2     open               attendee:present:1
one@ask                    heartbeat:1  enter:2      yes    duplicate_session  attendee:present:1     duplicate_session  attendee:present:1
one@ask                    heartbeat:1  take_over:2  yes    created            attendee:present:2     created            attendee:present:2
unseen@ask                 take_over:2  heartbeat:1  yes    replaced           attendee:present:2     open               attendee:present:1
unseen@ask                 heartbeat:1  take_over:2  yes    created            attendee:present:2     created            attendee:present:2
one@ask                    take_over:2  ping         yes    done               attendee:present:2     done               attendee:present:1
one@ask                    ping         take_over:2  yes    created            attendee:present:2     created            attendee:present:2
one@ask                    leave:1      enter:2      yes    created            attendee:present:2     duplicate_session  attendee:present:1
one@ask                    take_over:2  leave:1      yes    done               attendee:present:2     done               attendee:-:-

one                        leave:1      heartbeat:1  yes    left               attendee:-:-           open               attendee:present:1
one                        heartbeat:1  leave:1      yes    done               attendee:-:-           done               attendee:-:-
one                        leave:1      leave:1      yes    done               attendee:-:-           done               attendee:-:-
two@allow                  leave:1      leave:2      yes    done               attendee:-:-           done               attendee:present:1
two@allow                  leave:1      heartbeat:2  no     open               attendee:present:2     open               attendee:present:12
two@allow                  heartbeat:2  leave:1      no     done               attendee:present:2     done               attendee:present:2
two@allow                  heartbeat:1  heartbeat:2  yes    open               attendee:present:12    open               attendee:present:12
one                        leave:1      ping         yes    done               attendee:present:-     done               attendee:present:1
one                        ping         leave:1      yes    done               attendee:-:-           done               attendee:-:-

registered                 end          ping         yes    webinar_ended      attendee:-:-           done               attendee:present:-
registered                 ping         end          yes    closed-0           attendee:-:-           closed-0           attendee:-:-
present                    end          ping         yes    webinar_ended      attendee:-:-           done               attendee:present:-
present                    ping         end          yes    closed-0           attendee:-:-           closed-0           attendee:-:-
registered                 end          ping_many    yes    webinar_ended      attendee:-:-           refreshed-1        attendee:present:-
registered                 ping_many    end          yes    closed-0           attendee:-:-           closed-0           attendee:-:-
present                    end          ping_many    yes    webinar_ended      attendee:-:-           refreshed-1        attendee:present:-
stranger                   end          enter:1      yes    webinar_ended      -:-:-                  created            attendee:present:1
stranger                   enter:1      end          yes    closed-1           attendee:-:-           closed-0           -:-:-
registered                 end          enter:1      yes    webinar_ended      attendee:-:-           created            attendee:present:1
registered                 enter:1      end          yes    closed-1           attendee:-:-           closed-0           attendee:-:-
one                        end          heartbeat:1  yes    webinar_ended      attendee:-:-           open               attendee:present:1
one                        heartbeat:1  end          yes    closed-1           attendee:-:-           closed-1           attendee:-:-
unseen                     end          heartbeat:1  yes    webinar_ended      attendee:-:-           open               attendee:*:1
unseen                     heartbeat:1  end          yes    closed-1           attendee:-:-           closed-1           attendee:-:-
one                        end          leave:1      yes    done               attendee:-:-           done               attendee:-:-
one                        leave:1      end          yes    closed-0           attendee:-:-           closed-1           attendee:-:-
one                        end          eject        yes    closed-0           ejected:-:-            closed-1           ejected:-:-
one                        eject        end          yes    closed-0           ejected:-:-            closed-1           attendee:-:-
one                        end          end          yes    closed-0           attendee:-:-           closed-1           attendee:-:-

registered                 eject        ping         yes    ejected            ejected:-:-            done               attendee:present:-
registered                 ping         eject        yes    closed-0           ejected:-:-            closed-0           ejected:-:-
present                    eject        ping         yes    ejected            ejected:-:-            done               attendee:present:-
present                    ping         eject        yes    closed-0           ejected:-:-            closed-0           ejected:-:-
registered                 eject        ping_many    no     refreshed-0        ejected:-:-            refreshed-0        attendee:-:-
registered                 ping_many    eject        yes    closed-0           ejected:-:-            closed-0           ejected:-:-
present                    eject        ping_many    no     refreshed-0        ejected:-:-            refreshed-0        attendee:present:-
present                    ping_many    eject        yes    closed-0           ejected:-:-            closed-0           ejected:-:-
one                        eject        heartbeat:1  yes    ejected            ejected:-:-            open               attendee:present:1
one                        heartbeat:1  eject        yes    closed-1           ejected:-:-            closed-1           ejected:-:-
unseen                     eject        heartbeat:1  yes    ejected            ejected:-:-            open               attendee:present:1
unseen                     heartbeat:1  eject        yes    closed-1           ejected:-:-            closed-1           ejected:-:-
registered                 eject        enter:1      yes    ejected            ejected:-:-            created            attendee:present:1
registered                 enter:1      eject        yes    closed-1           ejected:-:-            closed-0           ejected:-:-
one                        eject        take_over:2  yes    ejected            ejected:-:-            created            attendee:present:2
one                        take_over:2  eject        yes    closed-1           ejected:-:-            closed-1           ejected:-:-
one                        eject        eject        yes    closed-0           ejected:-:-            closed-1           ejected:-:-
one                        eject        leave:1      yes    done               ejected:-:-            done               attendee:-:-
one                        leave:1      eject        yes    closed-0           ejected:-:-            closed-1           ejected:-:-
one                        eject        grant        yes    speaker            speaker:-:-            speaker            speaker:present:1
one                        grant        eject        yes    closed-1           ejected:-:-            closed-1           ejected:-:-

guest                      eject_guest:1 guest_heartbeat:1 yes ejected          -:-:-                  open               -:-:1
guest                      guest_heartbeat:1 eject_guest:1 yes closed-1         -:-:-                  closed-1           -:-:-
guest                      guest_leave:1 guest_heartbeat:1 yes left             -:-:-                  open               -:-:1
guest                      guest_heartbeat:1 guest_leave:1 yes done             -:-:-                  done               -:-:-
guest                      end          guest_heartbeat:1 yes webinar_ended     -:-:-                  open               -:-:1
guest                      guest_heartbeat:1 end     yes    closed-1           -:-:-                  closed-1           -:-:-

registered                 ping         ping         yes    done               attendee:present:-     done               attendee:present:-
registered                 ping         ping_many    no     refreshed-0        attendee:present:-     refreshed-0        attendee:-:-
registered                 ping_many    ping         yes    done               attendee:present:-     done               attendee:present:-
registered                 enter:1      ping         yes    done               attendee:present:1     done               attendee:present:-
present                    ping         ping_many    no     refreshed-0        attendee:present:-     refreshed-0        attendee:present:-
present                    ping_many    ping         yes    done               attendee:present:-     done               attendee:present:-
one                        ping_many    heartbeat:1  yes    open               attendee:present:1     open               attendee:present:1
one                        heartbeat:1  ping_many    no     refreshed-0        attendee:present:1     refreshed-0        attendee:present:1
unseen                     ping         heartbeat:1  yes    open               attendee:present:1     open               attendee:present:1
unseen                     heartbeat:1  ping         yes    done               attendee:present:1     done               attendee:present:1
"""  # noqa: E501

ROWS = [tuple(line.split()) for line in RACES.split("\n")[2:] if line]


@pytest.fixture(scope="module")
def stage_db(pg_server: Server, schema_template: str) -> Iterator[EventliveDatabase]:
    """One database for all scenes; each removes what it stored."""
    name = f"stage_{secrets.token_hex(8)}"
    database = EventliveDatabase(pg_server.create_database(name, schema_template))
    yield database
    database.close()
    pg_server.drop_database(name)


def play(db: EventliveDatabase, given: str, first: str, second: str, *, commits: bool) -> tuple[str, ...]:
    """Whether the second call waits, what it is told, what is stored then, and what is wrong with that."""
    scene = Scene(db, given)
    try:
        result = overlap(db, scene.step(first, 1), scene.step(second, 2), commits=commits)
        waited = "yes" if result.waited else "no"
        return (waited, said(result.second), scene.state(), *violations(db, *scene.actors))
    finally:
        scene.close()


@pytest.mark.parametrize("commits", [True, False], ids=["commits", "rolls back"])
@pytest.mark.parametrize("row", ROWS, ids=[" ".join(row[:3]) for row in ROWS])
def test_of_two_calls_that_overlap_the_second_knows_the_first(
    stage_db: EventliveDatabase, row: tuple[str, ...], commits: bool
) -> None:
    given, first, second, waits, *promised = row
    told, state = promised[:2] if commits else promised[2:]
    waited, heard, stored, *broken = play(stage_db, given, first, second, commits=commits)
    assert (waited, heard, broken) == (waits, told, [])
    assert fnmatchcase(stored, state)


def demote_each_other(db: EventliveDatabase, *, commits: bool) -> tuple[str, bool, list[UUID], list[UUID]]:
    """What the second host is told, whether they waited, who is host afterwards, and who the two were."""
    hosts = [new_id(), new_id()]
    webinar_id = db.webinar(host=hosts[0])
    db.register(webinar_id, hosts[1], role="host")
    first, second = (
        Step(db.user(me), "webinar_grant_role", {"webinar_id": webinar_id, "user_id": other, "role": "attendee"})
        for me, other in (hosts, hosts[::-1])
    )
    result = overlap(db, first, second, commits=commits)
    left = db.rows("select user_id from eventlive.registrations where role = 'host'")
    return said(result.second), result.waited, [user_id for (user_id,) in left], hosts


@pytest.mark.parametrize(("commits", "told", "stays"), [(True, "last_host", 0), (False, "attendee", 1)])
def test_of_two_hosts_who_demote_each_other_one_remains(
    db: EventliveDatabase, commits: bool, told: str, stays: int
) -> None:
    *found, hosts = demote_each_other(db, commits=commits)
    assert found == [told, True, [hosts[stays]]]


def test_without_the_lock_on_the_hosts_none_would_remain(db: EventliveDatabase) -> None:
    break_function(db, "webinar_grant_role", "for no key update;", ";")
    assert demote_each_other(db, commits=True)[2] == []


# A lock taken out of a function, and the row of the table that must tell.
FAULTS = [
    ("registration_for_entry", "for no key update", "", "registered@ask enter:1 enter:2"),
    ("webinar_leave", "for no key update", "", "two@allow leave:1 leave:2"),
    ("create_presence", "perform pg_advisory_xact_lock_shared", "perform eventlive.webinar_lock_key(_webinar_id); --",
     "registered end ping"),
    ("create_presence", "for share", "", "registered eject ping"),
    ("webinar_presence_ping_many", "perform pg_advisory_xact_lock_shared", "--", "registered end ping_many"),
    ("webinar_presence_ping_many", "for no key update of r skip locked", "", "registered eject ping_many"),
    ("insert_registration", "on conflict (webinar_id, user_id) do nothing", "", "stranger register register"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "old", "new", "row"), FAULTS, ids=[f"{f[0]}: {f[3]}" for f in FAULTS])
def test_the_table_sees_a_lock_that_is_not_taken(
    db: EventliveDatabase, function: str, old: str, new: str, row: str
) -> None:
    [promised] = [tuple(r[3:6]) for r in ROWS if " ".join(r[:3]) == row]
    break_function(db, function, old, new)
    try:
        observed = play(db, *row.split(), commits=True)
    except psycopg.Error as error:
        observed = (str(error.sqlstate),)
    assert observed != promised
