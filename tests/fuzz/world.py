"""Webinars with people, sessions and secrets in them, and who may see which of these."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tests.fuzz import catalog
from tests.fuzz.claims import Caller
from tests.fuzz.effects import Change, Facts
from tests.fuzz.values import Pool
from tests.support.cast import ELSEWHERE, USERS, WEBINAR, assemble
from tests.support.database import EventliveDatabase

DRAFT, ENDED = UUID(int=0x3000), UUID(int=0x4000)
INVITED = "invited@example.com"

LEFT, THROTTLED = "speaker", "moderator"
"""Whose session is over, and who beat and pinged a moment ago; all others are due."""

WATCHING = (
    (WEBINAR, "host"), (WEBINAR, "moderator"), (WEBINAR, "attendee"), (WEBINAR, "guest"), (WEBINAR, LEFT),
    (ELSEWHERE, "host_elsewhere"), (ELSEWHERE, "viewer_elsewhere"),
)  # fmt: skip
NEW_SESSION = UUID(int=0x5FFF)
STAFF = {WEBINAR: ("host", "moderator"), ELSEWHERE: ("host_elsewhere",), DRAFT: ("host",), ENDED: ("host",)}
ADMIN = USERS["admin"]


def session_of(name: str) -> str:
    """The session of somebody who watches."""
    return str(UUID(int=0x5000 + [who for _, who in WATCHING].index(name)))


def token_of(name: str) -> str:
    """The leave token of that session; far off its number, so that neither is found in the other."""
    return str(UUID(int=0x6000 + [who for _, who in WATCHING].index(name)))


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
        functions: What there is to call.
        keys: Table to the columns of its key.
        facts: What was stored in the beginning.
        callers: The people, by name.
        pool: What arguments are made of.
    """

    def __init__(self, db: EventliveDatabase) -> None:
        self.db = db
        self._restored = 0
        assemble(db, access_policy="guest_allowed")
        self.marks = [*self._people(), *self._webinars(), *self._sessions(), *self._messages()]
        self.functions = catalog.functions(db)
        self.keys = catalog.keys(db)
        self._save()
        self.callers = {name: self._person(name) for name in (*USERS, "guest", "service")}
        names = [name for _, name in WATCHING]
        self.pool = Pool(
            ids={
                "webinar": [str(i) for i in (WEBINAR, ELSEWHERE, DRAFT, ENDED)],
                "user": [str(i) for i in USERS.values()],
                "host": [str(i) for i in USERS.values()],
                "session": [*map(session_of, names), str(NEW_SESSION)],
                "token": [*map(token_of, names)],
                "client_message": [str(i) for i in self.client_message_ids],
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
                {"_webinar_id": str(webinar_id), "_session_id": session_of(name), "_leave_token": token_of(name)},
            )
            for webinar_id, name in WATCHING
        ]

    @property
    def client_message_ids(self) -> list[UUID]:
        """Of the messages: the first of each webinar can be read, the second is hidden."""
        return [UUID(int=0x8000 + n) for n in range(2 * len(STAFF))]

    def contents(self) -> dict[str, set[str]]:
        """Every row of every table, as JSON."""
        found: dict[str, set[str]] = {table: set() for table in self.keys}
        for table, row in self.db.rows(self._everything):
            found[table].add(row)
        return found

    def changes(self) -> list[Change]:
        """What is not as it was in the beginning; it is put back."""
        before, after = self.beginning, self.contents()
        changed = {table: (before[table] - after[table], after[table] - before[table]) for table in before}
        found = []
        for table, (went, came) in changed.items():
            old, new = self._by_key(table, went), self._by_key(table, came)
            found += [Change(table, old.get(key), new.get(key)) for key in sorted({*old, *new})]
        if found:
            self.restore(change.table for change in found)
        return found

    def _by_key(self, table: str, rows: Iterable[str]) -> dict[tuple[str, ...], dict[str, Any]]:
        read = [json.loads(row) for row in rows]
        return {tuple(str(row[column]) for column in self.keys[table]): row for row in read}

    def restore(self, changed: Iterable[str]) -> None:
        """Put tables back to what they held in the beginning."""
        steps = ["begin; set local session_replication_role = replica"]
        for name in sorted(set(changed)):
            steps.append(f"delete from eventlive.{name}")
            steps.append(f"insert into eventlive.{name} overriding system value select * from saved.{name}")
        self.db.admin.execute("; ".join([*steps, "commit"]).encode())
        self._restored += 1
        if self._restored % 100 == 0:
            # No autovacuum in the tests' Postgres: every look would read what is gone, too.
            for table in self.keys:
                self.db.admin.execute(f"vacuum eventlive.{table}".encode())

    def _save(self) -> None:
        self.db.admin.execute("create schema saved")
        for table in self.keys:
            self.db.admin.execute(f"create table saved.{table} as table eventlive.{table}".encode())
        self._everything = " union all ".join(
            f"select '{table}', to_jsonb(t)::text from eventlive.{table} t" for table in self.keys
        )
        self.beginning = self.contents()
        self.facts = Facts({table: [json.loads(row) for row in rows] for table, rows in self.beginning.items()})

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
        # Settings of its own: their version, which a client is told, is a mark too.
        admin.execute(
            """update eventlive.webinars set settings = '{"admin_poll_interval_s": 3571}' where id = %s""", [DRAFT]
        )
        version = self.db.value("select settings_version from eventlive.webinar_live where webinar_id = %s", DRAFT)
        joined = frozenset({USERS["viewer_elsewhere"], USERS["stranger"]})
        speaker = frozenset({USERS["speaker"]})
        return [
            Mark("secret@example.com", _readers(None, ELSEWHERE)),
            Mark("title-draft", _readers(None, DRAFT) | speaker),
            Mark(version, _readers(None, DRAFT) | speaker),
            Mark("title-ended", _readers(None, ENDED) | speaker),
            Mark("title-elsewhere", _readers(None, ELSEWHERE) | joined),
        ]

    def _sessions(self) -> list[Mark]:
        marks = []
        for webinar_id, name in WATCHING:
            session_id, token = UUID(session_of(name)), UUID(token_of(name))
            actor = self.db.guest() if name == "guest" else self.db.user(USERS[name])
            client = {"agent": f"agent-{session_id.int}.", "referrer": f"referrer-{session_id.int}."}
            actor.call("webinar_enter", webinar_id=webinar_id, session_id=session_id, client=client)
            actor.connection.close()
            self.db.admin.execute(
                "update eventlive.webinar_user_sessions set leave_token = %s where session_id = %s",
                [token, session_id],
            )
            marks += [
                Mark(str(session_id), _readers(name, webinar_id)),
                Mark(str(token), frozenset({USERS.get(name)}), secret=True),
                Mark(f"agent-{session_id.int}.", frozenset(), secret=True),
                Mark(f"referrer-{session_id.int}.", _readers(None, webinar_id)),
            ]
        self._let_time_pass()
        return marks

    def _messages(self) -> list[Mark]:
        """By people who are nobody else here, since who reads a message sees who wrote it."""
        marks = []
        inside: dict[UUID, frozenset[UUID | None]] = {
            ELSEWHERE: frozenset({USERS["viewer_elsewhere"]}),
            DRAFT: frozenset({USERS["speaker"]}),
        }
        for number, client_message_id in enumerate(self.client_message_ids):
            webinar_id, message_id = list(STAFF)[number // 2], 1 + number % 2
            hidden, text = message_id == 2, f"said-{number}."
            self.db.admin.execute(
                "insert into eventlive.webinar_messages"
                " (webinar_id, message_id, user_id, client_message_id, body, hidden, change_id)"
                " values (%s, %s, %s, %s, %s, %s, %s)",
                [webinar_id, message_id, UUID(int=0x7000 + number), client_message_id, text, hidden, message_id],
            )
            marks.append(Mark(str(client_message_id), frozenset(), secret=True))
            if hidden:
                marks.append(Mark(text, _readers(None, webinar_id)))
            elif webinar_id != WEBINAR:  # which is open to guests
                marks.append(Mark(text, _readers(None, webinar_id) | inside.get(webinar_id, frozenset())))
        self.db.admin.execute(
            "insert into eventlive.webinar_message_feeds"
            " select m.webinar_id, max(m.change_id) from eventlive.webinar_messages m group by m.webinar_id"
        )
        return marks

    def _let_time_pass(self) -> None:
        """Until everybody is due, but for one; and one session is over."""
        admin = self.db.admin
        self.db.shift_time("10 minutes")
        admin.execute("update eventlive.webinar_user_sessions set expires_at = now() + interval '1 day'")
        admin.execute("update eventlive.webinar_live_presence set expires_at = now() + interval '1 day'")
        admin.execute(
            "update eventlive.webinar_user_sessions set interval_s = 200000 where session_id = %s",
            [session_of(THROTTLED)],
        )
        admin.execute(
            "update eventlive.webinar_live_presence set throttle_s = 100000 where user_id = %s", [USERS[THROTTLED]]
        )
        admin.execute("delete from eventlive.webinar_live_presence where user_id = %s", [USERS[LEFT]])
        admin.execute(
            "update eventlive.webinar_user_sessions set exited_at = now(), exit_reason = 'left' where session_id = %s",
            [session_of(LEFT)],
        )
