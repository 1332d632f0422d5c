-- The records of the migrations themselves. Any member of the owner role may migrate, so the owner has them too.

comment on table eventlive.alembic_version is 'The migration this database is at. Written by migrations alone.';
comment on column eventlive.alembic_version.version_num is 'Its number.';
comment on table eventlive.installation is 'One row: the names chosen at installation, and what stepping back to base takes away again.';
comment on column eventlive.installation.only_row is 'Always true: keeps it one row.';
comment on column eventlive.installation.api_schema is 'The exposed schema.';
comment on column eventlive.installation.owner is 'The role that owns everything.';
comment on column eventlive.installation.api_schema_existed is 'Whether the exposed schema was there before; then it stays.';
comment on column eventlive.installation.granted is 'Privileges on the exposed schema that were granted and not there before.';

alter table eventlive.alembic_version enable row level security;
alter table eventlive.installation enable row level security;
revoke all on eventlive.alembic_version from public, anon, authenticated, service_role;
revoke all on eventlive.installation from public, anon, authenticated, service_role;
alter table eventlive.alembic_version owner to eventlive_owner;
alter table eventlive.installation owner to eventlive_owner;
