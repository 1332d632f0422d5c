"""Who may do what with each object, as Postgres itself answers, and as a file says that a DBA can read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

EXPECTED = Path(__file__).with_name("privileges.txt")

SCHEMAS = ("eventlive", "eventlive_api")
ROLES = ("public", "nobody", "anon", "authenticated", "service_role", "eventlive_owner")
"""``public`` is everybody; ``nobody`` a role that owns nothing and was granted nothing."""

LETTERS = {
    "select": "r",
    "insert": "a",
    "update": "w",
    "delete": "d",
    "truncate": "D",
    "references": "x",
    "trigger": "t",
    "maintain": "m",
    "usage": "U",
    "create": "C",
    "execute": "X",
}
"""Those of ``\\dp`` in psql and of ``aclitem``."""

NOTHING, ALL = "-", "all"

LEGEND = f"""\
# Who may do what, as has_*_privilege answers; every object of both schemas, each a line.
#
# {", ".join(f"{letter} {name}" for name, letter in LETTERS.items())}.
# all is whatever there is for a table (maintain from Postgres 17 on). A line with columns in parentheses holds for
# these columns alone, beside what the line of the table says. A row type has the name of its table or view.
# nobody is a role that owns nothing and was granted nothing.
#
# Written by pytest tests/security --privileges-update; the diff is what has to be reviewed.
"""

# Section, object (with columns or without), role, privileges, whether these are all there are.
_EFFECTIVE = """
with roles (label, name) as (
    select * from unnest(%(labels)s::text[], %(names)s::text[])
),
relations as (
    select c.oid, c.oid::regclass::text as name, c.relkind, c.relnamespace::regnamespace::text as schema
      from pg_class c
     where c.relnamespace = any (%(schemas)s::text[]::regnamespace[]) and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
),
table_privileges (privilege) as (
    select unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']
        || case when current_setting('server_version_num')::int >= 170000 then array['maintain'] else '{}' end)
)
select 'schemas', n.nspname::text, r.label,
       array(select p from unnest(array['usage', 'create']) as p where has_schema_privilege(r.name, n.oid, p)), false
  from pg_namespace n, roles r
 where n.oid = any (%(schemas)s::text[]::regnamespace[])
union all
select case c.relkind when 'v' then 'views' when 'm' then 'materialized views' when 'f' then 'foreign tables'
           else 'tables' end || ' of ' || c.schema,
       c.name, r.label, held.privileges,
       cardinality(held.privileges) = (select count(*) from table_privileges)
  from relations c
 cross join roles r
 cross join lateral (
        select array(select p.privilege from table_privileges p where has_table_privilege(r.name, c.oid, p.privilege))
       ) as held (privileges)
 where c.relkind <> 'S'
union all
select case c.relkind when 'v' then 'views' when 'm' then 'materialized views' when 'f' then 'foreign tables'
           else 'tables' end || ' of ' || c.schema,
       format('%%s (%%s)', c.name, string_agg(a.attname, ', ' order by a.attnum)), r.label, array[p.privilege], false
  from relations c
 cross join roles r
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
 cross join unnest(array['select', 'insert', 'update', 'references']) as p (privilege)
 where c.relkind <> 'S'
   and has_column_privilege(r.name, c.oid, a.attnum, p.privilege)
   and not has_table_privilege(r.name, c.oid, p.privilege)
 group by c.relkind, c.schema, c.name, r.label, p.privilege
union all
select 'sequences of ' || c.schema, c.name, r.label,
       array(
           select p from unnest(array['usage', 'select', 'update']) as p
            where case when c.relkind = 'S' then has_sequence_privilege(r.name, c.oid, p) end
       ), false
  from relations c, roles r
 where c.relkind = 'S'
union all
select 'functions of ' || f.pronamespace::regnamespace::text, f.oid::regprocedure::text, r.label,
       array(select p from unnest(array['execute']) as p where has_function_privilege(r.name, f.oid, p)), false
  from pg_proc f, roles r
 where f.pronamespace = any (%(schemas)s::text[]::regnamespace[])
union all
select 'types of ' || t.typnamespace::regnamespace::text, t.oid::regtype::text, r.label,
       array(select p from unnest(array['usage']) as p where has_type_privilege(r.name, t.oid, p)), false
  from pg_type t, roles r
 where t.typnamespace = any (%(schemas)s::text[]::regnamespace[])
   and not exists (select from pg_type e where e.typarray = t.oid)
"""


Cells = dict[str, str]
"""Role to letters."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Section and object to cells."""

    lines: dict[tuple[str, str], Cells]

    def may(self, role: str, privilege: str, name: str) -> bool:
        """Whether a role holds a privilege on an object as a whole."""
        return self._holds(role, privilege, name)

    def columns(self, role: str, privilege: str, name: str) -> set[str] | None:
        """The columns on which a role holds a privilege; None for all of them."""
        if self._holds(role, privilege, name):
            return None
        found: set[str] = set()
        for _, line in self.lines:
            table, bracket, columns = line.partition(" (")
            if bracket and table == name and self._holds(role, privilege, line):
                found |= set(columns.removesuffix(")").split(", "))
        return found

    def objects(self, kind: str) -> list[str]:
        """The names of all objects of a kind, such as ``tables``."""
        return [name for section, name in self.lines if section.partition(" of ")[0] == kind and " (" not in name]

    def _holds(self, role: str, privilege: str, line: str) -> bool:
        letters = [
            cells[role] for (section, name), cells in self.lines.items() if name == line and "types" not in section
        ]
        assert letters, f"{line} is not in the matrix"
        return any(found == ALL or LETTERS[privilege] in found for found in letters)


def read_matrix(connection: psycopg.Connection[Any], nobody: str) -> Matrix:
    """What a database answers; ``nobody`` is the name of such a role."""
    lines: dict[tuple[str, str], Cells] = {}
    names = [nobody if role == "nobody" else role for role in ROLES]
    with connection.transaction():
        connection.execute("set local search_path = pg_catalog, pg_temp")
        rows = connection.execute(_EFFECTIVE, {"labels": list(ROLES), "names": names, "schemas": list(SCHEMAS)})
        for section, name, role, privileges, everything in rows.fetchall():
            cells = lines.setdefault((section, name), dict.fromkeys(ROLES, NOTHING))
            letters = "".join(letter for privilege, letter in LETTERS.items() if privilege in privileges)
            cells[role] = ALL if everything else (cells[role] + letters).lstrip(NOTHING) or NOTHING
    return Matrix(dict(sorted(lines.items(), key=lambda line: _order(*line[0]))))


def _order(section: str, name: str) -> tuple[Any, ...]:
    kinds = ["schemas", "tables", "views", "materialized views", "foreign tables", "sequences", "functions", "types"]
    kind, _, schema = section.partition(" of ")
    return SCHEMAS.index(schema) if schema else -1, kinds.index(kind), name


def render(matrix: Matrix) -> str:
    """The file's text."""
    parts, last = [LEGEND], ""
    for (section, name), cells in matrix.lines.items():
        if section != last:
            parts.append(f"\n[{section}]\n{''.join(f'{role:<{len(role) + 2}}' for role in ROLES)}object\n")
            last = section
        parts.append(f"{''.join(f'{cells[role]:<{len(role) + 2}}' for role in ROLES)}{name}\n")
    return "".join(parts)


def parse(text: str) -> Matrix:
    """Read what ``render`` wrote, or somebody by hand."""
    lines: dict[tuple[str, str], Cells] = {}
    section = ""
    header: list[str] = []
    for line in text.splitlines():
        if line.startswith("["):
            section, header = line.strip("[]"), []
        elif line.strip() and not line.startswith("#"):
            if not header:
                *header, _ = line.split()
                assert tuple(header) == ROLES, line
                continue
            *cells, name = line.split(maxsplit=len(ROLES))
            assert (section, name) not in lines, f"{name} stands there twice"
            lines[section, name] = dict(zip(header, cells, strict=True))
    return Matrix(lines)


def differences(expected: Matrix, found: Matrix) -> list[str]:
    """What a reviewer has to know, a sentence each."""
    told = []
    for section, name in expected.lines.keys() - found.lines.keys():
        told.append(f"[{section}] {name} is expected and does not exist")
    for section, name in found.lines.keys() - expected.lines.keys():
        told.append(f"[{section}] {name} has no expectation: {_words(found.lines[section, name])}")
    for line in expected.lines.keys() & found.lines.keys():
        for role in ROLES:
            wanted, held = expected.lines[line][role], found.lines[line][role]
            if wanted != held:
                told.append(f"[{line[0]}] {line[1]}: {role} has {held}, expected is {wanted}")
    return sorted(told)


def _words(cells: Cells) -> str:
    return ", ".join(f"{role} {letters}" for role, letters in cells.items() if letters != NOTHING) or "nobody may"
