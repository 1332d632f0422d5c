"""Both designs through a real PostgREST: every request is answered, and a refused one ends the run."""

from __future__ import annotations

import itertools
import re
import sys
import time
from pathlib import Path

import jwt
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from eventlive_db.load.bench.errors import BenchError, MissingToolError
from eventlive_db.load.bench.gateway import Audience, Browsers, Wanted, config_of, measure_gateway, user_id, visits
from eventlive_db.load.bench.naive import HEARTBEAT, OURS, PING, THEIRS, NaivePlan, furnished
from eventlive_db.load.bench.parts import PARTS, Sizes
from eventlive_db.load.bench.pgbench import Pgbench
from eventlive_db.load.bench.stage import Database, Place
from eventlive_db.server import Server
from eventlive_db.server.postgrest import config_for, running_postgrest
from tests.load.bench_place import place_on
from tests.support import http_parts

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


def uri_in(config: str) -> str:
    """The one that leads to the database."""
    found = re.search(r'^db-uri = "([^"\\$\s]*)"$', config, re.MULTILINE)
    assert found
    return found[1]


@pytest.fixture
def program() -> Path:
    try:
        return http_parts.postgrest()
    except http_parts.MissingPartError as error:
        pytest.skip(str(error))


def never(_dsn: str) -> None:
    pytest.fail("a database was made for nothing")


def test_without_postgrest_it_is_said_before_anything_is_measured(pg_server: Server, tmp_path: Path) -> None:
    place = Place(pg_server, never, None)
    program = tmp_path / "postgrest"
    with pytest.raises(MissingToolError, match="there is no program"):
        measure_gateway(place, NaivePlan(), program)
    with pytest.raises(MissingToolError, match="there is no program"):
        PARTS["incumbent"](place, Sizes(postgrest=program))


def test_without_what_signs_it_is_said_before_anything_is_measured(
    pg_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "postgrest").touch(mode=0o755)
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(MissingToolError, match=r"PyJWT.*eventlive-db\[http\]") as caught:
        measure_gateway(Place(pg_server, never, None), NaivePlan(), tmp_path / "postgrest")
    assert caught.value.token == "missing_extra"


def test_everybody_has_a_token_of_their_own_and_none_is_shown() -> None:
    audience = Audience.of(3)
    claims = [jwt.decode(token, audience.secret, algorithms=["HS256"]) for token in audience.tokens]
    assert [one["sub"] for one in claims] == [user_id(number) for number in range(3)]
    assert not any(text in repr(audience) for text in (audience.secret, *audience.tokens))


PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "user": TEXT,
        "password": TEXT,
        "host": st.one_of(TEXT, st.sampled_from(["localhost", "10.0.0.1", "/run/a b", "one,two", "::1"])),
        "port": st.sampled_from(["5432", "1,2"]),
        "dbname": TEXT,
        "options": TEXT,
    },
)


@given(PARAMETERS)
def test_a_connection_string_of_any_kind_is_the_same_as_the_uri_in_the_config(parameters: dict[str, str]) -> None:
    assert conninfo_to_dict(uri_in(config_for(make_conninfo(**parameters), "s" * 32))) == parameters


def test_it_goes_where_the_connection_went_and_is_plain(pg_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    place = "select current_user, inet_server_port(), current_database()"
    with monkeypatch.context() as environment:
        for name, value in pg_server.environment().items():
            environment.setenv(name, value)
        with psycopg.connect() as connection:
            went = connection.execute(place).fetchone()
            config = config_of(Database("", Pgbench(Path("pgbench"), ""), connection), "s" * 32, 3)
    with psycopg.connect(uri_in(config)) as connection:
        assert connection.execute(place).fetchone() == went
    lines = config.splitlines()
    assert {'db-schemas = "eventlive_api, incumbent"', "db-pool = 3", "db-channel-enabled = false"} < set(lines)
    assert 'log-level = "crit"' in lines
    assert not re.search("db-pre-request|db-max-rows|db-extra-search-path", config)


@pytest.mark.heavy
def test_both_designs_do_their_visits_and_a_refusal_is_told(pg_server: Server, program: Path) -> None:
    place = place_on(pg_server)
    audience = Audience.of(50)
    with (
        furnished(place, 50) as both,
        running_postgrest(config_of(both.database, audience.secret, 2), program) as gateway,
    ):
        before = both.database.number("select count(*) from incumbent.event_access_logs")
        for ours, theirs in visits(both.watched).values():
            for requests in (ours, theirs):
                user = itertools.count()
                browsers = Browsers(gateway.url, audience, requests, 2, lambda: next(user))  # noqa: B023
                assert browsers.work(time.perf_counter()) == 2
        assert both.database.number("select count(*) from incumbent.event_access_logs") == before + 2
        refused = Wanted("eventlive_api", "/rpc/webinar_presence_ping", '{"_webinar_id": "nonsense"}')
        with pytest.raises(BenchError, match="PostgREST answered 400 to /rpc/webinar_presence_ping"):
            Browsers(gateway.url, audience, [refused], 1, lambda: 0).work(time.perf_counter())


@pytest.mark.heavy
def test_they_take_turns(pg_server: Server, program: Path) -> None:
    plan = NaivePlan(users=50, rounds=1, slice_s=0.05, clients=2)
    found = measure_gateway(place_on(pg_server), plan, program).comparisons
    assert [one.title.partition(" in both")[0] for one in found] == [PING.capitalize(), HEARTBEAT.capitalize()]
    for one in found:
        assert (one.base, set(one.rates), one.targets) == (THEIRS, {OURS, THEIRS}, {OURS: 5})
