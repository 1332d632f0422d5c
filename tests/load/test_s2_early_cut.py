"""S2 where Realtime goes as the door closes: few have beaten, and those who came in were told of an empty hall."""

from __future__ import annotations

import pytest

from eventlive_db.load.scenarios import run_s2
from eventlive_db.load.scenarios.faults import UNBOUNDED_POLLER
from eventlive_db.server import Server
from tests.load.scenario_runs import failed, install, plan

EARLY = "where Realtime is cut as the door closes, in the worst minute"


@pytest.mark.heavy
def test_the_ceiling_holds_before_everybody_has_beaten(pg_server: Server) -> None:
    crowd = plan(pg_server.kind, speed=40, settings={"fallback_target_rps": 3}, viewers=300)
    [outcome] = run_s2(crowd, install, sizes=(300,))
    assert failed(outcome) == []
    assert f"polls a second of 300 viewers, {EARLY}" in {mark.name for mark in outcome.marks}


@pytest.mark.heavy
def test_it_does_not_where_clients_poll_as_they_like(pg_server: Server) -> None:
    settings = {"fallback_target_rps": 1}
    few = plan(pg_server.kind, speed=60, settings=settings, viewers=20, history=0, faults=(UNBOUNDED_POLLER,))
    [outcome] = run_s2(few, install, sizes=(20,))
    assert f"polls a second of 20 viewers, {EARLY}" in failed(outcome)
