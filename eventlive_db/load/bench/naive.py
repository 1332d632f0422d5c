"""The design that this package replaces against this one: the same visit, through the same transport."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from eventlive_db.load import incumbent
from eventlive_db.load.bench.compare import Comparison, compare
from eventlive_db.load.bench.footprint import Footprint, footprint, without_page_images
from eventlive_db.load.bench.pgbench import Script
from eventlive_db.load.bench.results import Results
from eventlive_db.load.bench.shapes import (
    FIRST_USER,
    SESSION_ID,
    USER_ID,
    Durability,
    Statement,
    call,
    next_user,
    random_user,
    requested,
)
from eventlive_db.load.bench.stage import Database, Place
from eventlive_db.load.bench.turns import Ration, contender
from eventlive_db.load.results_parts import Mark

OURS, GUARDED, THEIRS = "this design", "this design, with db-pre-request", "the design replaced"
TARGET = 5.0
PING, ENTRY, HEARTBEAT = "a ping", "an entry", "a heartbeat"
_PRE_REQUEST = "select eventlive_api.pre_request();\n"
_TABLES = (
    "eventlive.webinar_live_presence",
    "eventlive.webinar_user_sessions",
    "incumbent.webinar_live_presence",
    "incumbent.webinar_user_sessions",
    "incumbent.event_access_logs",
)
_AGED = (
    b"update incumbent.webinar_live_presence set last_seen_at = now() - interval '1 hour'",
    b"update incumbent.webinar_user_sessions set last_heartbeat_at = now() - interval '1 hour'",
    b"vacuum (full, analyze) incumbent.webinar_live_presence",
    b"vacuum (full, analyze) incumbent.webinar_user_sessions",
)
_LEFT = (
    b"delete from eventlive.webinar_user_sessions where webinar_id = %s",
    b"delete from eventlive.webinar_live_presence where webinar_id = %s",
)
_REGISTERED = b"""
    insert into incumbent.registrations (webinar_id, user_id)
    select r.webinar_id, r.user_id from eventlive.registrations r where r.webinar_id = %s
     order by hashtext(r.user_id::text)
"""
_PRESENT = b"""
    insert into incumbent.webinar_live_presence (webinar_id, user_id, joined_at, last_seen_at)
    select r.webinar_id, r.user_id, now() - interval '1 hour', now() - interval '1 hour'
      from incumbent.registrations r order by hashtext(r.user_id::text)
"""
_WATCHING = b"""
    insert into incumbent.webinar_user_sessions (webinar_id, session_id, user_id, entered_at, last_heartbeat_at)
    select %(webinar)s, '00000000-0000-4000-9000-' || n, ('00000000-0000-4000-8000-' || n)::uuid,
           now() - interval '1 hour', now() - interval '1 hour'
      from generate_series(%(first)s, %(first)s + %(users)s - 1) n order by hashint8(n)
"""


@dataclass(frozen=True, slots=True)
class NaivePlan:
    """How large it is.

    Attributes:
        users: Users, any of whom may be next.
        rounds: Turns that each contender has.
        slice_s: How long a turn is, in seconds.
        clients: Connections.
        counted: Visits that are counted, not timed.
    """

    users: int = 100_000
    rounds: int = 7
    slice_s: float = 2.0
    clients: int = 4
    counted: int = 100


@dataclass(frozen=True, slots=True)
class Flow:
    """One thing that a viewer's page does, in both designs.

    Attributes:
        name: What it is.
        ours: Our requests.
        theirs: Theirs.
        once: Whether ours can be done once only by each user.
    """

    name: str
    ours: Sequence[Statement]
    theirs: Sequence[Statement]
    once: bool = False

    def script(self, name: str, users: int) -> Script:
        """What a client of one of the contenders does. Theirs writes once a minute for each user, so none twice."""
        once = self.once or name == THEIRS
        before = _PRE_REQUEST if name == GUARDED else ""
        requests = self.theirs if name == THEIRS else self.ours
        text = "".join(requested(one, before) for one in requests)
        choose = next_user(users) if once else random_user(users)
        return Script(choose + text, 1, Durability.SHIPPED.options())


@dataclass(frozen=True, slots=True)
class Both:
    """Both designs in one database.

    Attributes:
        database: The database.
        watched: The webinar where everybody is present and has a session.
        entered: The one where everybody is registered and nobody has entered; ours alone.
        flows: What the viewers do.
    """

    database: Database
    watched: UUID
    entered: UUID
    flows: Sequence[Flow]

    def age(self) -> None:
        """Let an hour have gone by since anybody of theirs was seen; the tables are as new after it."""
        for statement in _AGED:
            self.database.connection.execute(statement)

    def leave(self) -> None:
        """Forget all who have entered."""
        for statement in _LEFT:
            self.database.connection.execute(statement, [self.entered])
        self.database.tidy(*_TABLES[:2])


def flows(watched: UUID, entered: UUID) -> list[Flow]:
    """All of them. Arguments as in :class:`Both`."""
    track, chain = ([_theirs(one, watched) for one in requests] for requests in (incumbent.TRACK, incumbent.PING))
    heartbeat = call("webinar_session_heartbeat", f"'{watched}'", SESSION_ID)
    enter = call("webinar_enter", f"'{entered}'", SESSION_ID)
    ping = call("webinar_presence_ping", f"'{watched}'")
    return [
        Flow(PING, [ping], chain),
        Flow(HEARTBEAT, [heartbeat], track),
        Flow(ENTRY, [enter], [*track, *chain], once=True),
    ]


def _theirs(wanted: incumbent.Request, webinar_id: UUID) -> Statement:
    values = {
        "webinar": f"'{webinar_id}'::uuid",
        "slug": "'bench'",
        "user": USER_ID,
        "session": "('00000000-0000-4000-9000-' || :n)",
    }
    return Statement(wanted.statement % values, "", path="/rpc/naive")


@contextmanager
def furnished(place: Place, users: int) -> Iterator[Both]:
    """A database with both designs in it, and the same viewers."""
    with place.database() as database:
        place.progress(f"{users:,} users, in both designs")
        watched, entered = database.webinar(throttle_factor=0), database.webinar()
        for webinar_id in (watched, entered):
            database.register(webinar_id, users)
        database.present(watched, users, throttle_s=0)
        database.watch(watched, users)
        connection = database.connection
        incumbent.install(connection)
        connection.execute("insert into incumbent.webinars (id, slug) values (%s, 'bench')", [watched])
        connection.execute(_REGISTERED, [watched])
        connection.execute(_PRESENT)
        connection.execute(_WATCHING, {"webinar": watched, "first": FIRST_USER, "users": users})
        database.settle()
        yield Both(database, watched, entered, flows(watched, entered))


def measure_naive(place: Place, plan: NaivePlan) -> Results:
    """Both designs, flow by flow.

    Args:
        place: Where.
        plan: How large.

    Raises:
        BenchError: A call failed.
    """
    comparisons: list[Comparison] = []
    figures: dict[str, tuple[float, str]] = {}
    marks: list[Mark] = []
    with furnished(place, plan.users) as both:
        theirs = Ration(plan.users, both.age)
        for flow in both.flows:
            rations = {THEIRS: theirs}
            if flow.once:
                ours = Ration(plan.users, both.leave)
                rations |= {OURS: ours, GUARDED: ours}
            comparisons.append(_timed(place, plan, both, flow, rations))
        with without_page_images(place.server, both.database.connection):
            for flow in both.flows:
                place.progress(f"what {flow.name} writes")
                found = footprints(both, flow, plan)
                comparisons += _counted(flow, *found)
                marks += judge(flow, *found)
                for name, did in zip((OURS, THEIRS), found, strict=True):
                    figures[f"{flow.name}, {name}: pages touched"] = (round(did.blocks, 1), "pages")
    return Results(comparisons, figures, marks=marks, notes=[_NOTE])


def _timed(place: Place, plan: NaivePlan, both: Both, flow: Flow, rations: Mapping[str, Ration]) -> Comparison:
    return compare(
        f"{flow.name.capitalize()} in both designs, {plan.clients} clients: rate",
        [
            contender(
                name,
                both.database.pgbench,
                flow.script(name, plan.users),
                clients=plan.clients,
                reset=lambda: both.database.tidy(*_TABLES),
                ration=rations.get(name),
            )
            for name in (OURS, GUARDED, THEIRS)
        ],
        unit="visits/s",
        base=THEIRS,
        rounds=plan.rounds,
        slice_s=plan.slice_s,
        targets={OURS: TARGET},
        progress=place.progress,
    )


def footprints(both: Both, flow: Flow, plan: NaivePlan) -> tuple[Footprint, Footprint]:
    """What one visit writes, ours and theirs, counted."""
    both.age()
    if flow.once:
        both.leave()
    ours, theirs = (
        footprint(
            both.database.connection,
            both.database.pgbench,
            flow.script(name, plan.users),
            runs=min(plan.counted, plan.users),
        )
        for name in (OURS, THEIRS)
    )
    return ours, theirs


def _counted(flow: Flow, ours: Footprint, theirs: Footprint) -> list[Comparison]:
    """How often theirs takes as much as ours, of what can be counted."""
    sent, sent_theirs = (
        float(sum(requested(one).count(";\n") for one in requests)) for requests in (flow.ours, flow.theirs)
    )
    title = f"{flow.name.capitalize()} in both designs"
    return [
        Comparison(f"{title}: statements sent", "statements", OURS, {OURS: [sent], THEIRS: [sent_theirs]}),
        Comparison(f"{title}: log", "bytes", OURS, {OURS: [ours.wal_bytes], THEIRS: [theirs.wal_bytes]}),
    ]


def judge(flow: Flow, ours: Footprint, theirs: Footprint) -> list[Mark]:
    """Whether both wrote what the flow is about; if not the rates are of something else."""
    rows = {PING: ((1, 0), (2, 0)), HEARTBEAT: ((2, 0), (1, 1)), ENTRY: ((0, 3), (3, 1))}[flow.name]
    marks = []
    for name, did, (updated, inserted) in ((OURS, ours, rows[0]), (THEIRS, theirs, rows[1])):
        found = f"{did.updates:.2f} updated and {did.inserts:.2f} inserted, {did.hot_ratio:.0%} HOT"
        kept = did.updates == updated and did.inserts == inserted
        wanted = f"{updated} updated and {inserted} inserted"
        marks.append(Mark(f"Rows that {flow.name} writes in {name}", wanted, found, kept))
    return marks


_NOTE = (
    "The design replaced is measured without its calls to the auth service and without its web function's own work;"
    " Its entry is access/track and the ping that follows; both find their rows, which it would have to insert."
)
