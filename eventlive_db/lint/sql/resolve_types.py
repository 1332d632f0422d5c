"""Names of types: of variables, parameters and columns, and in casts."""

from __future__ import annotations

from eventlive_db.lint.sql.catalog import Catalog
from eventlive_db.lint.sql.context import Context, suggestion
from eventlive_db.lint.sql.errors import SyntaxFaultError
from eventlive_db.lint.sql.parser import parse_statements
from eventlive_db.lint.sql.plpgsql import Declaration
from eventlive_db.lint.sql.tree import Node, items, strings, walk

# Types of Postgres 18 (pg_type), and what stands for one in a column.
_BUILT_IN = (
    "aclitem any anyarray anycompatible anycompatiblearray anycompatiblemultirange anycompatiblenonarray "
    "anycompatiblerange anyelement anyenum anymultirange anynonarray anyrange bit bool boolean box bpchar bytea char "
    "cid cidr circle cstring date datemultirange daterange event_trigger fdw_handler float4 float8 gtsvector "
    "index_am_handler inet int2 int2vector int4 int4multirange int4range int8 int8multirange int8range internal "
    "interval json jsonb jsonpath language_handler line lseg macaddr macaddr8 money name numeric nummultirange "
    "numrange oid oidvector path point polygon record refcursor table_am_handler text tid time timestamp timestamptz "
    "timetz trigger tsm_handler tsmultirange tsquery tsrange tstzmultirange tstzrange tsvector txid_snapshot unknown "
    "uuid varbit varchar void xid xid8 xml serial bigserial smallserial serial2 serial4 serial8"
)
# Extensions are often there without any file that says so.
_OF_EXTENSIONS = (
    "box2d box3d citext cube ean13 earth email geography geometry geometry_dump h3index halfvec hll hstore isbn "
    "isbn13 ismn issn lquery ltree ltxtquery query_int raster roaringbitmap seg semver sparsevec tdigest upc uri "
    "vector"
)
_GIVEN = frozenset([*_BUILT_IN.split(), *_OF_EXTENSIONS.split()])
_BY_POSTGRES = ("_", "pg_", "reg")


def type_named(context: Context, body: Node) -> None:
    """Look up the type that a TypeName names."""
    names = strings(body.get("names"))
    if not names or names[0] in {"pg_catalog", "information_schema"}:
        return
    if body.get("pct_type"):
        _column_named(context, tuple(names[:-1]), names[-1], body)
    elif not _is_known(context, tuple(names)):
        _missing(context, names, body)


def types_of_function(context: Context, body: Node) -> None:
    """Look up the types of what a function takes and returns."""
    for _, parameter in items(body.get("parameters")):
        type_named(context, parameter.get("argType", {}))
    type_named(context, body.get("returnType", {}))


def type_declared(context: Context, declaration: Declaration) -> None:
    """Look up the type of a variable of plpgsql, in the text of its body."""
    place = declaration.place
    written = context.snippet.text[place.start : place.stop]
    suffix = declaration.type.partition("%")[2].strip("[] ")
    byte = context.snippet.byte_index(place.start)
    try:
        if suffix:
            (statement,) = parse_statements(f"select {written.partition('%')[0]}")
        else:
            (statement,) = parse_statements(f"select null::{written}")
    except (SyntaxFaultError, ValueError):
        return
    found = {kind: body for kind, body in walk(statement) if kind in {"ColumnRef", "TypeCast"}}
    if suffix:
        names = strings(found.get("ColumnRef", {}).get("fields"))
        _like(context, names, suffix, {"location": byte})
    elif "TypeCast" in found:
        type_named(context, {**found["TypeCast"].get("typeName", {}), "location": byte})


def _like(context: Context, names: list[str], suffix: str, place: Node) -> None:
    """``table%rowtype``, ``table.column%type`` or ``variable%type``."""
    variables = context.variables
    if not names or names[0] in variables.named or (len(names) > 1 and names[0] in variables.qualifiers):
        return
    if suffix == "rowtype":
        context.find_relation(tuple(names), place)
    elif len(names) > 1:
        _column_named(context, tuple(names[:-1]), names[-1], place)
    else:
        near = suggestion(names[0], variables.named)
        context.fault("resolve.column", place, f"there is no variable {names[0]} here", near, names[0])


def _column_named(context: Context, table: tuple[str, ...], column: str, place: Node) -> None:
    relation = context.find_relation(table, place) if table else None
    if relation and relation.columns is not None and column not in relation.columns:
        context.missing_column(place, column, relation.name, relation.columns)


def _is_known(context: Context, name: tuple[str, ...]) -> bool:
    catalog = context.catalog
    if any(full in catalog.types or full in catalog.relations for full in catalog.candidates(name, context.path)):
        return True
    bare = name[-1]
    # Postgres makes arrays and multiranges itself.
    if bare.startswith("_") or "multirange" in bare:
        return True
    return len(name) == 1 and (bare in _GIVEN or bare.startswith(_BY_POSTGRES))


def _missing(context: Context, names: list[str], body: Node) -> None:
    known = _types(context.catalog)
    word, full = names[-1], ".".join(names[-2:])
    elsewhere = sorted(name for name in known if name.rpartition(".")[2] == word)
    if context.is_surely_missing(tuple(names)):
        schemas = set(names[-2:-1] or context.path)
        bare = [name.rpartition(".")[2] for name in known if name.partition(".")[0] in schemas]
        advice = f"write {elsewhere[0]}" if elsewhere else suggestion(word, bare)
        context.fault("resolve.type", body, f"there is no type {full}", advice, word)
    elif len(names) == 1 and elsewhere and not set(context.path) - {"pg_catalog", "pg_temp"}:
        message = f"the type {word} is not in {', '.join(context.path)}"
        context.fault("resolve.type", body, message, f"write {elsewhere[0]}", word)


def _types(catalog: Catalog) -> list[str]:
    return [*catalog.types, *(name for name, relation in catalog.relations.items() if relation.kind != "sequence")]
