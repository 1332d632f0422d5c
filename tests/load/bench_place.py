"""Where the tests of the benchmark measure: databases of their own on the server of the tests."""

from __future__ import annotations

import psycopg

from eventlive_db.load.bench.pgbench import find_pgbench, pgbench_places
from eventlive_db.load.bench.stage import Place
from eventlive_db.resources import sql_dir
from eventlive_db.server import Server


def install(dsn: str) -> None:
    """The declared schema."""
    with psycopg.connect(dsn) as connection:
        for path in sorted(sql_dir().glob("*/*.sql")):
            connection.execute(path.read_bytes())


def place_on(server: Server) -> Place:
    """A place with the server's own pgbench, or another one."""
    return Place(server, install, find_pgbench(pgbench_places(server)))
