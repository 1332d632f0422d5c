"""The canary webinars: made through the functions, recognised by their names, and removed whatever happens."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn
from uuid import UUID

import psycopg

from eventlive_db.client import rpc
from eventlive_db.verify.canary.doors import Door
from eventlive_db.verify.canary.outcome import Outcome, UnableError, attempt
from eventlive_db.verify.database import Database
from eventlive_db.verify.interruptions import Interruptions

PREFIX = "verify-canary-"
TITLE = "Canary of eventlive-db verify; it is removed by itself"
LEFTOVER_AGE = "1 hour"
"""What is younger may be another run's that is under way."""

PAUSES_S = (0.1, 1.0, 3.0)
"""Between tries to remove what was made, where trying again may help."""

_PASSING = ("08", "40", "57P")


@dataclass(frozen=True, slots=True)
class Policy:
    """The policies of one canary webinar."""

    entry: str
    access: str

    def __str__(self) -> str:
        return f"{self.entry}, {self.access}"


@dataclass(slots=True)
class Stage:
    """What one run has made.

    Attributes:
        run: Begins the slug of every webinar of this run, and is the display name of its administrator.
    """

    door: Door
    interruptions: Interruptions
    run: str = field(default_factory=lambda: PREFIX + secrets.token_hex(8))
    has_admin: bool = False

    def make(self, policy: Policy) -> tuple[UUID | None, Outcome]:
        """Make a webinar and open it.

        Returns:
            Its id, and how it went; no id where the service was refused.

        Raises:
            UnableError: Nobody answered.
        """
        service = self.door.caller("service")
        slug = f"{self.run}-{policy.entry}-{policy.access}".replace("_", "-")
        request = rpc.webinar_create(slug, title=TITLE, access_policy=policy.access, entry_policy=policy.entry)
        # Behind a shield: whoever removes has to see what was made.
        with self.interruptions.shield():
            created = attempt(service, request)
        if not created.succeeded:
            return None, created
        webinar_id: UUID = created.reply.webinar_id
        opened = attempt(service, rpc.webinar_set_status(webinar_id, "live"))
        return (webinar_id if opened.succeeded else None), opened

    def make_admin(self, database: Database) -> bool:
        """Make the canary's administrator one; an existing user is never made one, only found to be."""
        admin = self.door.ids["admin"]
        if not self.door.made_up:
            found = database.owned("select p.is_admin from eventlive.profiles p where p.user_id = %s", admin)
            return found == [(True,)]
        with self.interruptions.shield():
            database.owned(
                "insert into eventlive.profiles (user_id, display_name, is_admin) values (%s, %s, true) returning 1",
                admin,
                self.run,
            )
        self.has_admin = True
        return True

    def remove(self, dsn: str) -> int:
        """Remove everything of this run, on a connection of its own: the one in use may be what broke.

        What that connection does not live to remove another one does.

        Returns:
            How many events of it the visit log keeps.

        Raises:
            UnableError: Something is left; it says what, and how to remove it.
        """
        remains = _Remains(profile=self.door.made_up, webinars={f"{self.run}-%": "every one"})
        pauses = iter(PAUSES_S)
        while (problem := self._remove(dsn, remains)) is not None:
            pause_s = next(pauses, None)
            if pause_s is None or not _passes(problem):
                self._give_up(problem, remains.webinars, remains.profile)
            time.sleep(pause_s)
        return remains.events

    def _remove(self, dsn: str, remains: _Remains) -> psycopg.Error | None:
        """Remove what remains, and return why something still does."""
        try:
            with Database(dsn) as database:
                return self._remove_on(database, remains)
        except psycopg.Error as error:
            return error

    def _remove_on(self, database: Database, remains: _Remains) -> psycopg.Error | None:
        # First, and whatever becomes of the rest: nobody stays an administrator.
        if remains.profile:
            _delete_admins(database, [self.door.ids["admin"]])
            remains.profile = False
        found = database.owned(
            "select w.id, w.slug from eventlive.webinars w where starts_with(w.slug, %s)", f"{self.run}-"
        )
        remains.webinars = {slug: str(webinar_id) for webinar_id, slug in found}
        remains.seen |= {webinar_id for webinar_id, _ in found}
        problem: psycopg.Error | None = None
        for webinar_id, slug in found:
            try:
                _delete(database, [webinar_id])
                del remains.webinars[slug]
            except psycopg.Error as error:
                if _passes(error):
                    raise
                problem = error
        remains.events = _events(database, list(remains.seen))
        return problem

    def _give_up(self, problem: psycopg.Error, left: Mapping[str, str], profile_left: bool) -> NoReturn:
        """Say what is left, and how to remove it."""
        why = (problem.diag.message_primary or str(problem)).strip().splitlines()[0]
        what = [f"webinar {slug} ({webinar_id})" for slug, webinar_id in left.items()]
        like = f"where slug like '{self.run}-%'"
        by_hand = [f"select eventlive.delete_webinar(id) from eventlive.webinars {like};"] if left else []  # noqa: S608
        if profile_left:
            admin = self.door.ids["admin"]
            what.append(f"the profile of user {admin}, an administrator")
            by_hand.append(f"delete from eventlive.profiles where user_id = '{admin}';")  # noqa: S608  # to be read
        says = f"still there, because of: {why}: {', '.join(what) or 'nothing'}"
        raise UnableError(says, f"As the owner of the schema: {' '.join(by_hand)}") from problem


@dataclass(slots=True)
class _Remains:
    """What is still there of a run, as far as is known.

    Attributes:
        profile: Whether its administrator is still one.
        webinars: Ids by slug.
        seen: Ids of all its webinars that were found.
        events: How many events of them the visit log keeps.
    """

    profile: bool
    webinars: dict[str, str]
    seen: set[UUID] = field(default_factory=set)
    events: int = 0


def sweep(database: Database) -> tuple[int, int]:
    """Remove what killed runs left: by slug and title, once it is old enough to be nobody's.

    Returns:
        How many webinars, and how many profiles.
    """
    webinars = database.owned(
        "select w.id from eventlive.webinars w where w.slug ~ %s and w.title = %s"
        " and w.created_at < now() - %s::interval",
        f"^{PREFIX}[0-9a-f]{{16}}-",
        TITLE,
        LEFTOVER_AGE,
    )
    _delete(database, [row[0] for row in webinars])
    profiles = database.owned(
        "select p.user_id from eventlive.profiles p where p.display_name ~ %s and p.is_admin"
        " and p.created_at < now() - %s::interval",
        f"^{PREFIX}[0-9a-f]{{16}}$",
        LEFTOVER_AGE,
    )
    _delete_admins(database, [row[0] for row in profiles])
    return len(webinars), len(profiles)


def _passes(problem: psycopg.Error) -> bool:
    """Whether another connection may do better: this one was lost, or the transaction was another's victim."""
    return problem.sqlstate is None or problem.sqlstate.startswith(_PASSING)


def _events(database: Database, webinar_ids: Sequence[UUID]) -> int:
    """How many events of these webinars are in the visit log."""
    [(number,)] = database.owned(
        "select count(*) from eventlive.event_access_logs e where e.webinar_id = any (%s)", list(webinar_ids)
    )
    return int(number)


def _delete(database: Database, webinar_ids: Sequence[UUID]) -> None:
    for webinar_id in webinar_ids:
        database.owned("select eventlive.delete_webinar(%s)", webinar_id)


def _delete_admins(database: Database, user_ids: Sequence[UUID]) -> None:
    """Only rows that say of themselves that they are a canary's."""
    database.owned(
        "delete from eventlive.profiles p where p.user_id = any (%s) and p.display_name ~ %s returning 1",
        list(user_ids),
        f"^{PREFIX}[0-9a-f]{{16}}$",
    )
