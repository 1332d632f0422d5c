"""Pure work on libpq connection strings."""

from __future__ import annotations

import shlex
from urllib.parse import parse_qs, quote, urlsplit

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
}


def with_database(dsn: str, dbname: str) -> str:
    """The same connection to another database; a URI stays a URI."""
    if dsn.startswith(("postgresql://", "postgres://")):
        parts = urlsplit(dsn)
        # Without an authority urllib would drop the two slashes.
        if parts.netloc and "dbname" not in parse_qs(parts.query):
            return parts._replace(path=f"/{quote(dbname, safe='')}").geturl()
    return make_conninfo(dsn, dbname=dbname)


def psql_command(dsn: str, psql: str = "psql") -> str:
    """What a person types to connect. The password goes by the environment, which ps does not show."""
    parameters = conninfo_to_dict(dsn)
    password = parameters.pop("password", None)
    command = f"{shlex.quote(psql)} {shlex.quote(make_conninfo('', **parameters))}"
    return f"PGPASSWORD={shlex.quote(str(password))} {command}" if password else command


def environment(dsn: str) -> dict[str, str]:
    """The libpq variables (Postgres manual, "Environment Variables") that lead to the same place."""
    parameters = conninfo_to_dict(dsn)
    return {_VARIABLES[name]: str(value) for name, value in parameters.items() if name in _VARIABLES}
