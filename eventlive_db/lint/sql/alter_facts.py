"""What each form of ALTER TABLE locks, and whether it reads or rewrites the table: Postgres 15 to 18."""

from __future__ import annotations

from eventlive_db.lint.sql.apply_create import makes_sequence
from eventlive_db.lint.sql.catalog import Catalog
from eventlive_db.lint.sql.tree import Node, items, option, strings, walk

Alteration = tuple[str, str, str]
"""Lock, effect, and what brings the effect."""

DEFAULT_ALTERATION: Alteration = ("AccessExclusive", "", "")

_UPDATE = "ShareUpdateExclusive"

ALTERATIONS: dict[str, Alteration] = {
    "AT_SetStatistics": (_UPDATE, "", ""),
    "AT_SetOptions": (_UPDATE, "", ""),
    "AT_ResetOptions": (_UPDATE, "", ""),
    "AT_SetRelOptions": (_UPDATE, "", ""),
    "AT_ResetRelOptions": (_UPDATE, "", ""),
    "AT_ClusterOn": (_UPDATE, "", ""),
    "AT_DropCluster": (_UPDATE, "", ""),
    "AT_ValidateConstraint": (_UPDATE, "scans", "validates the constraint"),
    "AT_AttachPartition": (_UPDATE, "", ""),
    "AT_EnableTrig": ("ShareRowExclusive", "", ""),
    "AT_EnableTrigAll": ("ShareRowExclusive", "", ""),
    "AT_EnableTrigUser": ("ShareRowExclusive", "", ""),
    "AT_EnableAlwaysTrig": ("ShareRowExclusive", "", ""),
    "AT_EnableReplicaTrig": ("ShareRowExclusive", "", ""),
    "AT_DisableTrig": ("ShareRowExclusive", "", ""),
    "AT_DisableTrigAll": ("ShareRowExclusive", "", ""),
    "AT_DisableTrigUser": ("ShareRowExclusive", "", ""),
    "AT_SetNotNull": ("AccessExclusive", "scans", "every row must have a value"),
    "AT_AlterColumnType": ("AccessExclusive", "rewrites", "the type changes"),
    "AT_SetExpression": ("AccessExclusive", "rewrites", "the generated values change"),
    "AT_SetLogged": ("AccessExclusive", "rewrites", "becomes logged"),
    "AT_SetUnLogged": ("AccessExclusive", "rewrites", "becomes unlogged"),
    "AT_SetTableSpace": ("AccessExclusive", "rewrites", "moves"),
    "AT_SetAccessMethod": ("AccessExclusive", "rewrites", "gets another access method"),
}
"""Those that differ from :data:`DEFAULT_ALTERATION`."""

# pg_proc.provolatile = 'v', of what anybody would give as a default.
_VOLATILE = frozenset(
    {"random", "random_normal", "gen_random_uuid", "uuidv4", "uuidv7", "uuid_generate_v1", "uuid_generate_v1mc"}
    | {
        "uuid_generate_v4",
        "clock_timestamp",
        "timeofday",
        "nextval",
        "currval",
        "lastval",
        "pg_sleep",
        "gen_random_bytes",
    }
)


def constraint_effect(body: Node) -> Alteration:
    """What adding a constraint to a table does to it."""
    kind = body.get("contype", "")
    validated = not body.get("skip_validation")
    if kind == "CONSTR_FOREIGN":
        return "ShareRowExclusive", "scans" if validated else "", "validates the foreign key" if validated else ""
    if kind in {"CONSTR_CHECK", "CONSTR_NOTNULL"}:
        return "AccessExclusive", "scans" if validated else "", "validates the check" if validated else ""
    if kind in {"CONSTR_PRIMARY", "CONSTR_UNIQUE"} and body.get("indexname"):
        return "AccessExclusive", "", "takes an index that is there"
    return "AccessExclusive", "scans", "builds an index"


def column_effects(catalog: Catalog, path: tuple[str, ...], body: Node) -> tuple[str, str]:
    """Effect, and what brings it, of adding a column."""
    effect = ("", "")
    if makes_sequence(body):
        return "rewrites", "every row gets a number"
    for _, constraint in items(body.get("constraints")):
        kind = constraint.get("contype", "")
        if kind == "CONSTR_DEFAULT" and (name := volatile_function(catalog, path, constraint.get("raw_expr"))):
            return "rewrites", f"volatile default {name}()"
        if kind == "CONSTR_GENERATED" and constraint.get("generated_kind", "s") != "v":
            return "rewrites", "a stored generated column"
        if kind in {"CONSTR_CHECK", "CONSTR_FOREIGN"}:
            effect = ("scans", "validates the constraint")
        elif kind in {"CONSTR_UNIQUE", "CONSTR_PRIMARY"}:
            effect = ("scans", "builds an index")
    return effect


def volatile_function(catalog: Catalog, path: tuple[str, ...], node: Node | None) -> str:
    """The name of a volatile function that an expression calls; empty where it calls none."""
    for kind, body in walk(node):
        name = tuple(strings(body.get("funcname"))) if kind == "FuncCall" else ()
        if not name:
            continue
        for function in catalog.overloads(name, path):
            declared = option(function.node, "volatility")
            if declared is None or declared.get("arg", {}).get("String", {}).get("sval") == "volatile":
                return name[-1]
        if name[-1] in _VOLATILE and (len(name) == 1 or name[0] == "pg_catalog"):
            return name[-1]
    return ""
