"""What stands around the steps in a script that a DBA reads, and runs with psql."""

from __future__ import annotations

from textwrap import indent

from eventlive_db import __version__
from eventlive_db.migrate.render import Names, render
from eventlive_db.migrate.session import LOCK_KEY
from eventlive_db.migrate.trust import HINT, SAFE_SEARCH_PATH, STRANGE_OBJECTS, STRANGE_TABLES

_HEAD = f"""\
-- eventlive-db {__version__}: migrations as a script. Read it, then run it with
--     psql --set ON_ERROR_STOP=1 --file ...
-- as a role that may create schemas here and is, or may create, the owner role. Each step is one transaction:
-- a step that fails is rolled back, and those before it stay.

select pg_catalog.pg_advisory_lock({LOCK_KEY});

-- Nothing in the schema eventlive is read unless it is ours.
begin;

set local search_path = {SAFE_SEARCH_PATH};"""


def _refusal(query: str) -> str:
    """A statement that fails if the query, one of those in ``trust``, finds something."""
    return f"""\
do $$
declare
    v_object text;
    v_owner text;
    v_problem text;
begin
    select f.object, f.owner, f.problem into v_object, v_owner, v_problem
      from (
{indent(query, " " * 8)}
      ) as f
     limit 1;
    if found then
        raise exception using
            errcode = 'object_not_in_prerequisite_state',
            message = pg_catalog.format('%s, owned by %s, was not made by eventlive-db: %s',
                v_object, v_owner, v_problem),
            hint = '{HINT}';
    end if;
end
$$;"""  # noqa: S608  # of constants of this package


_FROM_BASE = """\
do $$
begin
    if pg_catalog.to_regclass('eventlive.alembic_version') is not null then
        raise exception using
            errcode = 'object_not_in_prerequisite_state',
            message = 'eventlive is installed in this database already',
            hint = 'This script installs it. Write one that begins where the database is: migrate sql --from.';
    end if;
end
$$;"""

_FROM_REVISION = """\
do $$
declare
    v_revision text;
    v_names text;
begin
    if pg_catalog.to_regclass('eventlive.alembic_version') is not null then
        select v.version_num into v_revision from eventlive.alembic_version v;
        select pg_catalog.concat_ws(', ', i.api_schema, i.owner) into v_names from eventlive.installation i;
    end if;
    if v_revision is distinct from '@revision@' then
        raise exception using
            errcode = 'object_not_in_prerequisite_state',
            message = pg_catalog.format('this script begins at @revision@, the database is at %s',
                coalesce(v_revision, 'base')),
            hint = 'Write one that begins where the database is: migrate sql --from.';
    elsif v_names is distinct from 'eventlive_api, eventlive_owner' then
        raise exception using
            errcode = 'object_not_in_prerequisite_state',
            message = pg_catalog.format('exposed schema and owner are eventlive_api, eventlive_owner in this script, '
                'and %s in the database', v_names),
            hint = 'Write it with the names of the database: migrate sql --api-schema --owner.';
    end if;
end
$$;"""

_DISCARD = "set eventlive.discard_data = 'on';"

AFTERWARDS = f"""\
reset eventlive.discard_data;
select pg_catalog.pg_advisory_unlock({LOCK_KEY});"""
"""Ends a script."""


def beforehand(names: Names, start: str | None, *, discard_data: bool) -> str:
    """Begins a script: waits for other installers and refuses a database that is at another revision.

    Args:
        names: The names in the script.
        start: The revision that it begins at; None or ``base`` for a database without the schema.
        discard_data: Whether its steps back may drop tables that hold data.
    """
    elsewhere = render(_FROM_REVISION.replace("@revision@", str(start)), names)
    checks = [_refusal(STRANGE_TABLES)]
    checks += [_FROM_BASE, _refusal(STRANGE_OBJECTS)] if start in {None, "base"} else [elsewhere]
    return "\n\n".join([_HEAD, *checks, "commit;", *([_DISCARD] if discard_data else [])])
