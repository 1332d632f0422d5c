"""Both designs through a real PostgREST: what a visit costs when every request of it is one over HTTP."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import itertools
import json
import os
import secrets
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from uuid import UUID

from eventlive_db.load.bench.compare import Comparison, Contender, compare
from eventlive_db.load.bench.errors import BenchError, MissingToolError
from eventlive_db.load.bench.naive import HEARTBEAT, OURS, PING, TARGET, THEIRS, NaivePlan, furnished
from eventlive_db.load.bench.results import Results
from eventlive_db.load.bench.shapes import FIRST_USER
from eventlive_db.load.bench.stage import Place
from eventlive_db.server.process import wrap

_START_TIMEOUT_S = 30.0
_CONFIG = """\
db-uri = "{dsn}"
db-schemas = "eventlive_api, incumbent"
db-anon-role = "anon"
db-channel-enabled = false
db-pool = {pool}
jwt-secret = "{secret}"
log-level = "crit"
server-host = "127.0.0.1"
server-port = {port}
"""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A PostgREST that runs.

    Attributes:
        port: Of 127.0.0.1.
        secret: What tokens are signed with.
    """

    port: int
    secret: str = field(repr=False)

    def token(self, user_id: str) -> str:
        """A token of a user (RFC 7515, HS256)."""
        claims = {"role": "authenticated", "sub": user_id, "exp": 4_102_444_800}
        parts = [_encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
        signed = hmac.new(self.secret.encode(), ".".join(parts).encode(), hashlib.sha256).digest()
        return ".".join([*parts, _encoded(signed)])


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


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextmanager
def postgrest(program: Path, dsn: str, clients: int) -> Iterator[Gateway]:
    """A PostgREST on a port of its own for as long as the block goes, with both designs behind it.

    Args:
        program: Where it is.
        dsn: The database.
        clients: Connections that it may make.

    Raises:
        MissingToolError: It is not there.
        BenchError: It did not start.
    """
    if not os.access(program, os.X_OK):
        msg = f"{program} cannot be run"
        raise MissingToolError(msg, "Give the path of a PostgREST 12 or newer")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        gateway = Gateway(probe.getsockname()[1], secrets.token_urlsafe(32))
    with tempfile.TemporaryDirectory(prefix="eventlive-postgrest-") as place:
        config = Path(place) / "postgrest.conf"
        config.touch(mode=0o600)
        config.write_text(_CONFIG.format(dsn=dsn, pool=clients, secret=gateway.secret, port=gateway.port))
        # It ends with this process, however that ends.
        process = subprocess.Popen(
            wrap([str(program), str(config)], None),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait(gateway, process)
            yield gateway
        finally:
            process.terminate()
            process.wait()


def _wait(gateway: Gateway, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not _answers(gateway):
        if process.poll() is not None or time.monotonic() > deadline:
            msg = "PostgREST did not start"
            raise BenchError(msg, "Start it by hand to see why", token="postgrest_failed")
        time.sleep(0.02)


def _answers(gateway: Gateway) -> bool:
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)) as connection:
            connection.request("GET", "/webinars?limit=0", headers={"Accept-Profile": "incumbent"})
            return connection.getresponse().status in {200, 401, 403}
    except OSError:
        return False


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
        gateway: Where they make them.
        requests: Which.
        clients: How many browsers.
        user: The number of the user who is next.
    """

    def __init__(self, gateway: Gateway, requests: Sequence[Wanted], clients: int, user: Callable[[], int]) -> None:
        self._gateway, self._requests, self._clients, self._user = gateway, requests, clients, user

    def work(self, until: float) -> int:
        """As a contender.

        Raises:
            BenchError: A request was refused.
        """
        done, failed = [0] * self._clients, list[BaseException]()

        def browse(number: int) -> None:
            try:
                with closing(http.client.HTTPConnection("127.0.0.1", self._gateway.port, timeout=60)) as connection:
                    while time.perf_counter() < until or not done[number]:
                        self._visit(connection, FIRST_USER + self._user())
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
        user, session = f"00000000-0000-4000-8000-{number}", f"00000000-0000-4000-9000-{number}"
        token = self._gateway.token(user)
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
        MissingToolError: PostgREST is not there.
        BenchError: It did not start, or a request was refused.
    """
    comparisons: list[Comparison] = []
    with (
        furnished(place, plan.users) as both,
        postgrest(program, both.database.dsn, plan.clients) as gateway,
    ):
        for name, (ours, theirs) in visits(both.watched).items():
            chance, turn = Random(1), itertools.count()  # noqa: S311  # whose turn it is
            # Theirs writes once a minute for each user, so they take turns.
            contenders = [
                Contender(
                    OURS,
                    Browsers(gateway, ours, plan.clients, lambda: chance.randrange(plan.users)).work,  # noqa: B023
                ),
                Contender(
                    THEIRS,
                    Browsers(gateway, theirs, plan.clients, lambda: next(turn) % plan.users).work,  # noqa: B023
                    both.age,
                ),
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
