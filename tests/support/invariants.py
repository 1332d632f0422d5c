"""What must be true of the stored rows after any calls, in any order."""

from __future__ import annotations

from tests.support.actors import Actor
from tests.support.database import EventliveDatabase
from tests.support.races import deadlocks

# Name of the invariant, and a query for what breaks it.
INVARIANTS: dict[str, str] = {
    "present are only registered users who were not ejected": """
        select p.user_id from eventlive.webinar_live_presence p
          left join eventlive.registrations r using (webinar_id, user_id)
         where r.user_id is null or r.ejected_at is not null""",
    "an ejected user has no open session": """
        select s.session_id from eventlive.webinar_user_sessions s
          join eventlive.registrations r using (webinar_id, user_id)
         where s.exited_at is null and s.expires_at > clock_timestamp() and r.ejected_at is not null""",
    "a user has one open session, unless several are allowed": """
        select s.user_id from eventlive.webinar_user_sessions s
          join eventlive.webinars w on w.id = s.webinar_id
         where s.exited_at is null and s.expires_at > clock_timestamp() and s.user_id is not null
           and w.duplicate_login_policy <> 'allow'
         group by s.webinar_id, s.user_id having count(*) > 1""",
    "nobody is present and no session open in a webinar that has ended": """
        select w.id from eventlive.webinars w
          left join eventlive.webinar_live_presence p on p.webinar_id = w.id
          left join eventlive.webinar_user_sessions s on s.webinar_id = w.id and s.exited_at is null
         where w.status = 'ended' and (p.user_id is not null or s.session_id is not null)""",
    "an end has a time within the session, a reason, and a successor where it was replaced": """
        select s.session_id from eventlive.webinar_user_sessions s
         where (s.exited_at is null) <> (s.exit_reason is null)
            or (s.replaced_by is not null) <> coalesce(s.exit_reason = 'replaced', false)
            or s.replaced_by = s.session_id
            or s.last_heartbeat_at not between s.entered_at and s.expires_at
            or s.exited_at not between s.last_heartbeat_at and s.expires_at
            or (s.replaced_by is not null and not exists (
                    select from eventlive.webinar_user_sessions o
                     where o.webinar_id = s.webinar_id and o.session_id = s.replaced_by and o.user_id = s.user_id))""",
    "nobody has watched longer than the session lasted": """
        select s.session_id from eventlive.webinar_user_sessions s
         where s.watched_seconds - 0.001
             > extract(epoch from coalesce(s.exited_at, s.last_heartbeat_at) - s.entered_at)""",
    "the log has one entry of each session, and its end once it ended": """
        select s.session_id from eventlive.webinar_user_sessions s
         cross join lateral (
                select count(*) filter (where e.event = 'entered') as entries,
                       count(*) filter (where e.event <> 'entered') as ends,
                       bool_and(e.user_id is not distinct from s.user_id) as same_user,
                       bool_and(
                           e.event = s.exit_reason and (e.detail ->> 'watched_seconds')::numeric = s.watched_seconds
                       ) filter (where e.event <> 'entered') as same_end
                  from eventlive.event_access_logs e
                 where e.webinar_id = s.webinar_id and e.session_id = s.session_id
               ) l
         where l.entries <> 1 or l.ends <> (s.exited_at is not null)::integer or not l.same_user or not l.same_end""",
    "the log knows of no session that does not exist": """
        select e.session_id from eventlive.event_access_logs e
          left join eventlive.webinar_user_sessions s using (webinar_id, session_id)
         where e.session_id is not null and s.session_id is null""",
    "a registration is logged once at most": """
        select e.user_id from eventlive.event_access_logs e
         where e.event = 'registered' group by e.webinar_id, e.user_id having count(*) > 1""",
}  # fmt: skip

NO_DEADLOCK = "no deadlock had to be broken"


def violations(db: EventliveDatabase, *actors: Actor) -> list[str]:
    """The invariants that do not hold. Name the actors who may have met a deadlock on a connection still open."""
    broken = [name for name, query in INVARIANTS.items() if db.rows(query)]
    return broken + ([NO_DEADLOCK] if deadlocks(db, *actors) else [])


def assert_invariants(db: EventliveDatabase, *actors: Actor) -> None:
    """Fail where an invariant does not hold."""
    assert violations(db, *actors) == []
