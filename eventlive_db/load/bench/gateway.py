"""Both designs through a real PostgREST: what a visit costs when every request of it is one over HTTP."""

from __future__ import annotations

import http.client
import itertools
import json
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from uuid import UUID

from psycopg.conninfo import make_conninfo

from eventlive_db.load.bench.compare import Comparison, Contender, compare
from eventlive_db.load.bench.errors import BenchError, MissingToolError
from eventlive_db.load.bench.naive import HEARTBEAT, OURS, PING, TARGET, THEIRS, NaivePlan, furnished
from eventlive_db.load.bench.results import Results
from eventlive_db.load.bench.shapes import FIRST_USER
from eventlive_db.load.bench.stage import Database, Place
from eventlive_db.load.tokens import signer
from eventlive_db.server.errors import NoPostgRESTError
from eventlive_db.server.postgrest import config_for, find_postgrest, running_postgrest


@dataclass(frozen=True, slots=True)
class Audience:
    """Users with a token each, signed before anything is timed: who signs them is neither of the designs.

    Attributes:
        secret: What the tokens are signed with.
        tokens: By the number of the user, from 0 on.
    """

    secret: str = field(repr=False)
    tokens: Sequence[str] = field(repr=False)

    @classmethod
    def of(cls, users: int) -> Audience:
        """So many.

        Raises:
            MissingToolError: The extra ``http`` is missing, which signs.
        """
        secret = secrets.token_urlsafe(48)
        try:
            sign = signer(secret)
        except ModuleNotFoundError as error:
            raise MissingToolError(str(error), token="missing_extra") from error
        return cls(secret, [sign(UUID(user_id(number))) for number in range(users)])


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request over HTTP; ``<user>`` and ``<session>`` are put in.

    Attributes:
        schema: Which of the two designs is asked.
        path: Path and query.
        body: Of a POST; None for a GET.
    """

    schema: str
    path: str
    body: str | None = None


def user_id(number: int) -> str:
    """The id of a user, the first of whom is number 0."""
    return f"00000000-0000-4000-8000-{FIRST_USER + number}"


def session_id(number: int) -> str:
    """The id of that user's session."""
    return f"00000000-0000-4000-9000-{FIRST_USER + number}"


def required(program: Path) -> Path:
    """PostgREST, which is to be there before anything is measured.

    Raises:
        MissingToolError: It is not.
    """
    try:
        return find_postgrest(program)
    except NoPostgRESTError as error:
        raise MissingToolError(str(error)) from error


def config_of(database: Database, secret: str, clients: int) -> str:
    """The config file of a PostgREST with both designs behind it.

    It is as plain as the design replaced needs it: no ``db-pre-request``, no limit of rows, no channel by which it
    hears of a new schema, and no log but of what breaks it.

    Args:
        database: Where both designs are.
        secret: What tokens are signed with.
        clients: Connections that it may make.
    """
    # What libpq took from the environment has to be in it, which PostgREST does not get.
    went = database.connection.info
    dsn = make_conninfo(
        database.dsn,
        host=went.host,
        port=went.port,
        user=went.user,
        password=went.password or None,
        dbname=went.dbname,
    )
    return config_for(
        dsn,
        secret,
        "eventlive_api, incumbent",
        db_extra_search_path=None,
        db_pre_request=None,
        db_max_rows=None,
        db_channel_enabled=False,
        db_pool=clients,
        log_level="crit",
    )


def visits(webinar_id: UUID) -> dict[str, tuple[Sequence[Wanted], Sequence[Wanted]]]:
    """By name, our requests and theirs. An entry is left out: it is one for each user."""

    def rpc(function: str, **arguments: str) -> Wanted:
        schema = "eventlive_api" if function in {"webinar_presence_ping", "webinar_session_heartbeat"} else "incumbent"
        return Wanted(schema, f"/rpc/{function}", json.dumps({f"_{name}": value for name, value in arguments.items()}))

    webinar = Wanted("incumbent", "/webinars?select=id,slug,access_policy&slug=eq.bench")
    registration = Wanted("incumbent", f"/registrations?select=role&webinar_id=eq.{webinar_id}&user_id=eq.<user>")
    ping = rpc("webinar_presence_ping", webinar_id=str(webinar_id))
    beat = rpc("update_session_heartbeat", session_id="<session>", at="now")
    logged = {"webinar_id": str(webinar_id), "user_id": "<user>", "session_id": "<session>"}
    return {
        PING: (
            [ping],
            [
                webinar,
                registration,
                Wanted("incumbent", ping.path, ping.body),
                rpc("check_heartbeat_throttle", session_id="<session>"),
                beat,
            ],
        ),
        HEARTBEAT: (
            [rpc("webinar_session_heartbeat", webinar_id=str(webinar_id), session_id="<session>")],
            [webinar, registration, Wanted("incumbent", "/event_access_logs", json.dumps(logged)), beat],
        ),
    }


class Browsers:
    """Browsers that make the requests of a visit, one after the other, each on a connection of its own.

    Args:
        url: Where they make them.
        audience: Who sits before them.
        requests: Which.
        clients: How many browsers.
        user: The number of the user who is next.
    """

    def __init__(
        self, url: str, audience: Audience, requests: Sequence[Wanted], clients: int, user: Callable[[], int]
    ) -> None:
        self._address = url.removeprefix("http://")
        self._audience = audience
        self._requests, self._clients, self._user = requests, clients, user

    def work(self, until: float) -> int:
        """As a contender.

        Raises:
            BenchError: A request was refused.
        """
        done, failed = [0] * self._clients, list[BaseException]()

        def browse(number: int) -> None:
            try:
                with closing(http.client.HTTPConnection(self._address, timeout=60)) as connection:
                    while time.perf_counter() < until or not done[number]:
                        self._visit(connection, self._user())
                        done[number] += 1
            except BaseException as error:  # raised below, in the thread that waits
                failed.append(error)

        threads = [threading.Thread(target=browse, args=(number,)) for number in range(self._clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]
        return sum(done)

    def _visit(self, connection: http.client.HTTPConnection, number: int) -> None:
        user, session, token = user_id(number), session_id(number), self._audience.tokens[number]
        for one in self._requests:
            headers = {"Authorization": f"Bearer {token}", "Accept-Profile": one.schema}
            if one.body is not None:
                headers |= {"Content-Profile": one.schema, "Content-Type": "application/json"}
            connection.request(
                "GET" if one.body is None else "POST",
                one.path.replace("<user>", user),
                one.body and one.body.replace("<user>", user).replace("<session>", session),
                headers,
            )
            answer = connection.getresponse()
            said = answer.read()
            if answer.status >= 300:
                msg = f"PostgREST answered {answer.status} to {one.path.partition('?')[0]}: {said.decode()[:200]}"
                raise BenchError(msg, token="postgrest_failed")


def measure_gateway(place: Place, plan: NaivePlan, program: Path) -> Results:
    """A ping and a heartbeat, both designs.

    Args:
        place: Where.
        plan: How large.
        program: PostgREST.

    Raises:
        MissingToolError: PostgREST is not there, or the extra ``http``, whose PyJWT signs.
        ServerStartError: It did not start.
        BenchError: A request was refused.
    """
    program = required(program)
    place.progress(f"{plan.users:,} tokens")
    audience = Audience.of(plan.users)
    comparisons: list[Comparison] = []
    with (
        furnished(place, plan.users) as both,
        running_postgrest(config_of(both.database, audience.secret, plan.clients), program) as server,
    ):

        def browsers(requests: Sequence[Wanted], user: Callable[[], int]) -> Callable[[float], int]:
            return Browsers(server.url, audience, requests, plan.clients, user).work

        for name, (ours, theirs) in visits(both.watched).items():
            chance, turn = Random(1), itertools.count()  # noqa: S311  # whose turn it is
            # Theirs writes once a minute for each user, so they take turns.
            contenders = [
                Contender(OURS, browsers(ours, lambda: chance.randrange(plan.users))),  # noqa: B023
                Contender(THEIRS, browsers(theirs, lambda: next(turn) % plan.users), both.age),  # noqa: B023
            ]
            comparisons.append(
                compare(
                    f"{name.capitalize()} in both designs through PostgREST, {plan.clients} browsers: rate",
                    contenders,
                    unit="visits/s",
                    base=THEIRS,
                    rounds=plan.rounds,
                    slice_s=plan.slice_s,
                    targets={OURS: TARGET},
                    progress=place.progress,
                )
            )
    return Results(comparisons)
