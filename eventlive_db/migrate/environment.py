"""What ``migrations/env.py`` does, so that plain ``alembic`` and ``eventlive-db migrate`` behave alike.

Each step is one transaction. The version table is made within the first one and dropped within the last one back, so
a step that fails leaves nothing at all behind.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from logging.config import fileConfig
from typing import Any

import psycopg
from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import Script
from sqlalchemy import Connection, Table, create_engine, event
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateSchema

from eventlive_db.migrate import session
from eventlive_db.migrate.errors import StatementError
from eventlive_db.migrate.execute import execute_script
from eventlive_db.migrate.offline import AFTERWARDS, beforehand
from eventlive_db.migrate.options import Options, Step
from eventlive_db.migrate.trust import check_own_tables

OPTIONS_KEY = "eventlive_options"
"""Where in ``Config.attributes`` our runner puts its ``Options``."""

NAMES_KEY = "eventlive_names"
"""Where in ``Config.attributes`` the frozen migrations find the names."""

# The schema stays where it holds what is not ours.
_TEARDOWN = """
drop table eventlive.alembic_version;
do $$
begin
    if not exists (
        select
          from pg_catalog.pg_depend d
         where d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
           and d.refobjid = 'eventlive'::pg_catalog.regnamespace
    ) then
        drop schema eventlive;
    end if;
end
$$;
"""


# The step was rolled back whole, and what it wanted to make is there now.
_ATTEMPTS = 3

_CREATE_SCHEMA = CreateSchema(session.PRIVATE_SCHEMA, if_not_exists=True)


def run() -> None:
    """Run what alembic was asked to do, or write it out. Called by ``env.py``.

    Raises:
        MigrateError: It cannot be done; the message says why and what to do.
    """
    config = context.config
    if config.config_file_name is not None and config.file_config.has_section("loggers"):
        fileConfig(config.config_file_name, disable_existing_loggers=False)
    options = config.attributes.get(OPTIONS_KEY)
    if not isinstance(options, Options):
        options = Options.from_alembic(context.get_x_argument(as_dictionary=True))
    with _schema_before_version_table():
        if context.is_offline_mode():
            _write(options)
        else:
            _migrate(options)


def _migrate(options: Options) -> None:
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: session.connect_to_install(options.dsn), poolclass=NullPool
    )
    with engine.connect() as connection:
        raw = _driver_connection(connection)
        with session.installer_lock(raw):
            context.config.attributes[NAMES_KEY] = options.names(session.recorded_names(raw))
            if options.discard_data:
                raw.execute("select set_config('eventlive.discard_data', 'on', false)")
                raw.commit()
            _configure(options, connection=connection)
            _run_steps(connection)


def _run_steps(connection: Connection) -> None:
    for attempts_left in reversed(range(_ATTEMPTS)):
        try:
            # Open before alembic looks for its version table: so the table is made inside the first step.
            with connection.begin() as transaction:
                check_own_tables(_driver_connection(connection), "read")
                context.run_migrations()
                if transaction.is_active:
                    transaction.rollback()
        except StatementError as error:
            if not (attempts_left and _lost_a_race(error)):
                raise
        else:
            return


def _lost_a_race(error: StatementError) -> bool:
    """Whether an installer of another database made the same role or membership in this very moment."""
    cause = error.__cause__
    return isinstance(cause, psycopg.errors.UniqueViolation) and cause.diag.schema_name == "pg_catalog"


def _write(options: Options) -> None:
    names = options.names()
    context.config.attributes[NAMES_KEY] = names
    _configure(options, dialect_name="postgresql")
    ctx = context.get_context()
    start = context.get_starting_revision_argument()
    if isinstance(start, tuple):
        start = start[0] if start else None
    ctx.impl.static_output(beforehand(names, start, discard_data=options.discard_data))
    context.run_migrations()
    ctx.impl.static_output(AFTERWARDS)


def _configure(options: Options, **where: Any) -> None:
    def applied(
        ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Mapping[str, Any]
    ) -> None:
        del run_args
        if step.is_stamp:
            return
        if not step.is_upgrade and not heads:
            if ctx.as_sql:
                ctx.impl.static_output(_TEARDOWN.strip())
            else:
                assert ctx.connection is not None  # noqa: S101  # we are online
                execute_script(_driver_connection(ctx.connection), _TEARDOWN, "teardown")
        if options.on_step is not None and isinstance(step.up_revision, Script):
            direction = "up" if step.is_upgrade else "down"
            options.on_step(Step(step.up_revision.revision, step.up_revision.doc.rstrip("."), direction))

    context.configure(
        version_table=session.VERSION_TABLE,
        version_table_schema=session.PRIVATE_SCHEMA,
        transaction_per_migration=True,
        on_version_apply=applied,
        **where,
    )


def _driver_connection(connection: Connection) -> Any:
    return connection.connection.driver_connection


@contextmanager
def _schema_before_version_table() -> Iterator[None]:
    """Have the private schema made in front of alembic's version table, in the same transaction or script."""

    def before_create(target: Table, connection: Connection, **_: Any) -> None:
        if (target.schema, target.name) == (session.PRIVATE_SCHEMA, session.VERSION_TABLE):
            connection.execute(_CREATE_SCHEMA)

    event.listen(Table, "before_create", before_create)
    try:
        yield
    finally:
        event.remove(Table, "before_create", before_create)
