"""Webinars with people, sessions and secrets in them, and who may see which of these."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from tests.fuzz import catalog
from tests.fuzz.claims import Caller
from tests.fuzz.values import Pool
from tests.support.cast import ELSEWHERE, USERS, WEBINAR, assemble
from tests.support.database import EventliveDatabase

DRAFT, ENDED = UUID(int=0x3000), UUID(int=0x4000)
INVITED = "invited@example.com"

WATCHING = (
    (WEBINAR, "host"), (WEBINAR, "moderator"), (WEBINAR, "attendee"), (WEBINAR, "guest"),
    (ELSEWHERE, "host_elsewhere"), (ELSEWHERE, "viewer_elsewhere"),
)  # fmt: skip
STAFF = {WEBINAR: ("host", "moderator"), ELSEWHERE: ("host_elsewhere",), DRAFT: ("host",), ENDED: ("host",)}
ADMIN = USERS["admin"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A piece of text that is in one place of the database alone, and who may read it there.

    Attributes:
        secret: Not even the service may read it back.
    """

    text: str
    readers: frozenset[UUID | None]
    secret: bool = False

    def may_be_read_by(self, caller: Caller) -> bool:
        """Whether that caller may meet it in a reply or a view."""
        if self.text == "title-elsewhere" and INVITED in caller.claims:
            return True
        return caller.user_id in self.readers or (caller.role == "service_role" and not self.secret)


def _readers(user: str | None, *webinars: UUID, administrators: bool = True) -> frozenset[UUID | None]:
    """A user, the staff of the webinars, and administrators."""
    staff = {USERS[name] for webinar in webinars for name in STAFF[webinar]}
    own: set[UUID | None] = set() if user is None else {USERS.get(user)}
    return frozenset(own | staff | ({ADMIN} if administrators else set()))


class World:
    """The database, what was in it to begin with, and what is to be found nowhere else.

    Attributes:
        marks: What tells a leak.
        callers: The people, by name.
        pool: What arguments are made of.
    """

    def __init__(self, db: EventliveDatabase) -> None:
        self.db = db
        self._restored = 0
        assemble(db, access_policy="guest_allowed")
        self.marks = [*self._people(), *self._webinars(), *self._sessions()]
        self.tables = [
            name
            for (name,) in db.rows(
                "select c.relname from pg_class c where c.relnamespace = 'eventlive'::regnamespace"
                " and c.relkind in ('r', 'p') and not c.relispartition order by 1"
            )
        ]
        self._save()
        self.callers = {name: self._person(name) for name in (*USERS, "guest", "service")}
        self.pool = Pool(
            ids={
                "webinar": [str(i) for i in (WEBINAR, ELSEWHERE, DRAFT, ENDED)],
                "user": [str(i) for i in USERS.values()],
                "host": [str(i) for i in USERS.values()],
                "session": [str(i) for i in self.session_ids],
                "token": [str(i) for i in self.tokens],
            },
            words=catalog.words(db),
            addresses=[
                "new@example.com",
                "a@b.example",
                INVITED,
                "listed@example.com",
                "nobody",
                "x@",
                "ours",
                "elsewhere",
            ],
        )

    @property
    def belonging(self) -> list[tuple[Caller, dict[str, str]]]:
        """Each of those who watch, with what belongs to them: values by the names of parameters."""
        return [
            (
                self.callers[name],
                {"_webinar_id": str(webinar_id), "_session_id": str(session_id), "_leave_token": str(token)},
            )
            for (webinar_id, name), session_id, token in zip(WATCHING, self.session_ids, self.tokens, strict=True)
        ]

    @property
    def session_ids(self) -> list[UUID]:
        """Of those who watch."""
        return [UUID(int=0x5000 + n) for n in range(len(WATCHING))]

    @property
    def tokens(self) -> list[UUID]:
        """The leave tokens of those sessions."""
        return [UUID(int=0x6000 + n) for n in range(len(WATCHING))]

    def contents(self) -> dict[str, list[str]]:
        """Every row of every table."""
        found: dict[str, list[str]] = {table: [] for table in self.tables}
        for table, row in self.db.rows(self._everything):
            found[table].append(row)
        return found

    def restore(self, changed: Iterable[str]) -> None:
        """Put tables back to what they held in the beginning."""
        steps = ["begin; set local session_replication_role = replica"]
        for name in sorted(changed):
            steps.append(f"delete from eventlive.{name}")
            steps.append(f"insert into eventlive.{name} overriding system value select * from saved.{name}")
        self.db.admin.execute("; ".join([*steps, "commit"]).encode())
        self._restored += 1
        if self._restored % 100 == 0:
            # No autovacuum in the tests' Postgres: every look would read what is gone, too.
            for table in self.tables:
                self.db.admin.execute(f"vacuum eventlive.{table}".encode())

    def _save(self) -> None:
        self.db.admin.execute("create schema saved")
        for table in self.tables:
            self.db.admin.execute(f"create table saved.{table} as table eventlive.{table}".encode())
        self._everything = (
            " union all ".join(f"select '{table}', t::text from eventlive.{table} t" for table in self.tables)
            + " order by 1, 2"
        )
        self.beginning = self.contents()

    def _person(self, name: str) -> Caller:
        if name == "guest":
            return Caller("anon", '{"role":"anon"}')
        if name == "service":
            return Caller("service_role", '{"role":"service_role"}')
        claims = {"sub": str(USERS[name]), "role": "authenticated", "exp": 4_102_444_800, "aud": "fuzz"}
        if name == "stranger":
            claims |= {"email": INVITED, "email_verified": True}
        return Caller("authenticated", json.dumps(claims), USERS[name])

    def _people(self) -> list[Mark]:
        marks = []
        for number, name in enumerate(USERS):
            user_id = USERS[name]
            self.db.admin.execute(
                "insert into eventlive.profiles (user_id, display_name, is_admin) values (%(id)s, %(name)s, %(admin)s)"
                " on conflict (user_id) do update set display_name = excluded.display_name",
                {"id": user_id, "name": f"profile-{number}.", "admin": name == "admin"},
            )
            self.db.admin.execute(
                "update eventlive.registrations set nickname = %s where user_id = %s", [f"nickname-{number}.", user_id]
            )
            webinar = ELSEWHERE if name.endswith("elsewhere") else WEBINAR
            marks += [
                Mark(f"profile-{number}.", _readers(name, administrators=name == "admin")),
                Mark(f"nickname-{number}.", _readers(name, webinar)),
                Mark(str(user_id), _readers(name, webinar, *((ENDED, DRAFT) if name in {"host", "speaker"} else ()))),
            ]
        self.db.admin.execute("select eventlive.set_setting('jwt_audience', '\"fuzz\"')")
        return marks

    def _webinars(self) -> list[Mark]:
        admin = self.db.admin
        for webinar_id, status in ((DRAFT, "draft"), (ENDED, "ended")):
            admin.execute(
                "insert into eventlive.webinars (id, slug, status, access_policy) values (%s, %s, %s, 'invite_only')",
                [webinar_id, status, status],
            )
            self.db.register(webinar_id, USERS["host"], role="host")
            self.db.register(webinar_id, USERS["speaker"], role="speaker")
        admin.execute("update eventlive.webinars set title = 'title-' || slug where id <> %s", [WEBINAR])
        admin.execute("update eventlive.webinars set access_policy = 'invite_only' where id = %s", [ELSEWHERE])
        self.db.allow_email(ELSEWHERE, INVITED)
        self.db.allow_email(ELSEWHERE, "secret@example.com")
        joined = frozenset({USERS["viewer_elsewhere"], USERS["stranger"]})
        speaker = frozenset({USERS["speaker"]})
        return [
            Mark("secret@example.com", _readers(None, ELSEWHERE)),
            Mark("title-draft", _readers(None, DRAFT) | speaker),
            Mark("title-ended", _readers(None, ENDED) | speaker),
            Mark("title-elsewhere", _readers(None, ELSEWHERE) | joined),
        ]

    def _sessions(self) -> list[Mark]:
        marks = []
        for (webinar_id, name), session_id, token in zip(WATCHING, self.session_ids, self.tokens, strict=True):
            actor = self.db.guest() if name == "guest" else self.db.user(USERS[name])
            client = {"agent": f"agent-{session_id.int}.", "referrer": f"referrer-{session_id.int}."}
            actor.call("webinar_enter", webinar_id=webinar_id, session_id=session_id, client=client)
            actor.connection.close()
            # The token far off its session's number, so that neither is found in the other.
            self.db.admin.execute(
                "update eventlive.webinar_user_sessions set leave_token = %s, expires_at = now() + interval '1 day'"
                " where session_id = %s",
                [token, session_id],
            )
            marks += [
                Mark(str(session_id), _readers(name, webinar_id)),
                Mark(str(token), frozenset({USERS.get(name)}), secret=True),
                Mark(f"agent-{session_id.int}.", frozenset(), secret=True),
                Mark(f"referrer-{session_id.int}.", _readers(None, webinar_id)),
            ]
            if name != "guest":
                self.db.admin.execute(
                    "insert into eventlive.webinar_messages (webinar_id, user_id, client_message_id, body)"
                    " values (%s, %s, %s, 'said')",
                    [webinar_id, USERS[name], session_id],
                )
        self.db.admin.execute("update eventlive.webinar_live_presence set expires_at = now() + interval '1 day'")
        return marks
