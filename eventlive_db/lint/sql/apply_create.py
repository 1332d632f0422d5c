"""What ``create ...`` puts into a catalog."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from eventlive_db.lint.sql.catalog import Attached, Catalog, Columns, Function, Origin, Parameter, Relation
from eventlive_db.lint.sql.names import find_type, parameter_type, qualify, relations_in
from eventlive_db.lint.sql.text import Snippet
from eventlive_db.lint.sql.tree import Node, items, location, option, range_name, strings, type_name, unwrap

Path = tuple[str, ...]

_MODES = {
    "FUNC_PARAM_DEFAULT": "in",
    "FUNC_PARAM_IN": "in",
    "FUNC_PARAM_OUT": "out",
    "FUNC_PARAM_INOUT": "inout",
    "FUNC_PARAM_VARIADIC": "variadic",
    "FUNC_PARAM_TABLE": "table",
}
_EVENTS = {4: "insert", 8: "delete", 16: "update", 32: "truncate"}
_SERIAL = frozenset({"serial", "bigserial", "smallserial", "serial4", "serial8", "serial2"})


def name_index(statement: Snippet, name: str, start: int = 0) -> int:
    """The first character of a name in a statement; where it is not found, the first of the statement."""
    word = name.rpartition(".")[2]
    found = re.compile(rf'(?<![\w$"])"?{re.escape(word)}(?![\w$])', re.IGNORECASE).search(statement.text, start)
    return found.start() if found else start


def located(origin: Origin, body: Node) -> Origin:
    """An origin at the name of a RangeVar."""
    place = location(body)
    return replace(origin, index=origin.statement.char_index(place)) if place is not None else origin


def note_schema(catalog: Catalog, name: str, origin: Origin) -> None:
    """Count the schema of a new object among those that are known."""
    catalog.schemas.setdefault(name.partition(".")[0], replace(origin, index=-1))


def _schema(catalog: Catalog, path: Path, origin: Origin, body: Node) -> None:
    name = body.get("schemaname") or body.get("authrole", {}).get("rolename", "")
    if name not in catalog.schemas or catalog.schemas[name].index < 0:
        catalog.schemas[name] = replace(origin, index=name_index(origin.statement, name))
    for kind, element in items(body.get("schemaElts")):
        if kind in CREATORS:
            CREATORS[kind](catalog, (name, *path), origin, element)


def _add_relation(catalog: Catalog, relation: Relation) -> None:
    note_schema(catalog, relation.name, relation.origin)
    catalog.relations[relation.name] = relation


def _table(catalog: Catalog, path: Path, origin: Origin, body: Node) -> None:
    target = body.get("relation", {})
    if target.get("relpersistence") == "t":
        path = ("pg_temp",)
    name = qualify(range_name(target), path)
    if body.get("if_not_exists") and name in catalog.relations:
        return
    columns: dict[str, str] | None = {}
    constraints: dict[str, str] = {}
    parents = [catalog.relation(range_name(b), path) for _, b in items(body.get("inhRelations"))]
    sources = [*parents]
    sequences: list[str] = []
    for kind, element in items(body.get("tableElts")):
        if kind == "TableLikeClause":
            sources.append(catalog.relation(range_name(element.get("relation", {})), path))
    for source in sources:
        columns = None if source is None or source.columns is None or columns is None else {**columns, **source.columns}
    for kind, element in items(body.get("tableElts")):
        if kind == "ColumnDef" and columns is not None:
            columns[element.get("colname", "")] = column_type(catalog, path, element)
            for _, constraint in items(element.get("constraints")):
                add_constraint(constraints, constraint)
        if kind == "ColumnDef" and makes_sequence(element):
            sequences.append(f"{name}_{element.get('colname')}_seq")
        elif kind == "Constraint":
            add_constraint(constraints, element)
    origin = located(origin, target)
    is_partition = bool(body.get("partbound"))
    parent = parents[0].name if is_partition and parents and parents[0] else ""
    if body.get("ofTypename"):
        of = catalog.composite(find_type(catalog, type_name(body["ofTypename"]), path))
        columns = dict(of.columns) if of and of.columns is not None else None
    _add_relation(catalog, Relation(name, "table", columns, origin, parent, constraints=constraints))
    for sequence in sequences:
        catalog.relations[sequence] = Relation(sequence, "sequence", None, origin, name)


def makes_sequence(element: Node) -> bool:
    """Whether a column brings a sequence with it."""
    if strings(element.get("typeName", {}).get("names"))[-1:] and type_name(element["typeName"]) in _SERIAL:
        return True
    return any(c.get("contype") == "CONSTR_IDENTITY" for _, c in items(element.get("constraints")))


def column_type(catalog: Catalog, path: Path, element: Node) -> str:
    """The type of a ColumnDef."""
    return find_type(catalog, type_name(element.get("typeName", {})), path)


def add_constraint(constraints: dict[str, str], body: Node) -> None:
    """Count a constraint that has a name; one that says that a column is not null as such."""
    if not body.get("conname"):
        return
    kind, test = unwrap(body.get("raw_expr"))
    column = strings(unwrap(test.get("arg"))[1].get("fields")) if kind == "NullTest" else []
    if len(column) == 1 and test.get("nulltesttype") == "IS_NOT_NULL":
        constraints[body["conname"]] = f"not_null {column[0]}" + (" not valid" if body.get("skip_validation") else "")
    else:
        constraints[body["conname"]] = body.get("contype", "")


def _view(catalog: Catalog, path: Path, origin: Origin, body: Node) -> None:
    target = body.get("view", {})
    if target.get("relpersistence") == "t":
        path = ("pg_temp", *path)
    names = strings(body.get("aliases"))
    _relation_of_query(catalog, path, located(origin, target), target, body.get("query", {}), names, "view")


def _table_as(catalog: Catalog, path: Path, origin: Origin, body: Node) -> None:
    into = body.get("into", {})
    target = into.get("rel", {})
    if target.get("relpersistence") == "t":
        path = ("pg_temp", *path)
    kind = "view" if body.get("objtype") == "OBJECT_MATVIEW" else "table"
    names = strings(into.get("colNames"))
    _relation_of_query(catalog, path, located(origin, target), target, body.get("query", {}), names, kind)


def _relation_of_query(
    catalog: Catalog, path: Path, origin: Origin, target: Node, query: Node, names: list[str], kind: str
) -> None:
    from eventlive_db.lint.sql.resolve import query_columns  # it reads catalogs, as this makes them

    output = query_columns(catalog, path, query)
    columns: Columns | None = None
    if output is not None:
        renamed = [*names, *(name for name, _ in output[len(names) :])]
        columns = {name: type_of for name, (_, type_of) in zip(renamed, output, strict=False)}
    reads = tuple(sorted(relations_in(catalog, path, query)))
    _add_relation(catalog, Relation(qualify(range_name(target), path), kind, columns, origin, reads=reads))


def _foreign_table(catalog: Catalog, path: Path, origin: Origin, body: Node) -> None:
    _table(catalog, path, origin, body.get("base") or body.get("baseStmt") or {})


def _sequence(catalog: Catalog, path: Path, origin: Origin, body: Node) -> None:
    target = body.get("sequence", {})
    _add_relation(catalog, Relation(qualify(range_name(target), path), "sequence", None, located(origin, target)))


def _composite(catalog: Catalog, path: Path, origin: Origin, body: Node) -> None:
    target = body.get("typevar", {})
    columns = {e.get("colname", ""): column_type(catalog, path, e) for _, e in items(body.get("coldeflist"))}
    _add_relation(catalog, Relation(qualify(range_name(target), path), "type", columns, located(origin, target)))


def _type(key: str) -> Callable[[Catalog, Path, Origin, Node], None]:
    def add(catalog: Catalog, path: Path, origin: Origin, body: Node) -> None:
        if key == "defnames" and body.get("kind") not in {"OBJECT_TYPE", "OBJECT_AGGREGATE"}:
            return
        name = qualify(strings(body.get(key)), path)
        origin = replace(origin, index=name_index(origin.statement, name))
        note_schema(catalog, name, origin)
        if body.get("kind") == "OBJECT_AGGREGATE":
            _aggregate(catalog, path, origin, body, name)
        else:
            catalog.types[name] = origin

    return add


def _aggregate(catalog: Catalog, path: Path, origin: Origin, body: Node, name: str) -> None:
    _, arguments = unwrap((body.get("args") or [{}])[0])
    parameters = _parameters(catalog, path, arguments.get("items"))
    _add_function(
        catalog, Function(name, "aggregate", parameters, "", False, "internal", False, {}, origin, {}), replaces=True
    )


def _parameters(catalog: Catalog, path: Path, nodes: list[Node] | None) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(
            body.get("name", ""),
            parameter_type(catalog, path, body.get("argType", {})),
            _MODES.get(body.get("mode", ""), "in"),
            "defexpr" in body,
        )
        for kind, body in items(nodes)
        if kind == "FunctionParameter"
    )


def _function(catalog: Catalog, path: Path, origin: Origin, body: Node) -> None:
    name = qualify(strings(body.get("funcname")), path)
    parameters = _parameters(catalog, path, body.get("parameters"))
    returned = body.get("returnType")
    language = option(body, "language")
    security = option(body, "security")
    returns = parameter_type(catalog, path, returned) if returned else "record"
    if not returned:
        outs = [p for p in parameters if p.mode in {"out", "inout"}]
        returns = outs[0].type if len(outs) == 1 else "record" if outs else "void"
    function = Function(
        name,
        "procedure" if body.get("is_procedure") else "function",
        parameters,
        returns,
        bool((returned or {}).get("setof")),
        (language or {}).get("arg", {}).get("String", {}).get("sval", "sql").lower(),
        bool((security or {}).get("arg", {}).get("Boolean", {}).get("boolval", False)),
        _settings(body),
        replace(origin, index=name_index(origin.statement, name)),
        body,
    )
    _add_function(catalog, function, replaces=bool(body.get("replace")))


def _settings(body: Node) -> Mapping[str, tuple[str, ...]]:
    from eventlive_db.lint.sql.apply import setting_values

    found: dict[str, tuple[str, ...]] = {}
    for _, element in items(body.get("options")):
        if element.get("defname") == "set":
            setting = element.get("arg", {}).get("VariableSetStmt", {})
            found[setting.get("name", "")] = tuple(setting_values(setting))
    return found


def _add_function(catalog: Catalog, function: Function, *, replaces: bool) -> None:
    note_schema(catalog, function.name, function.origin)
    others = tuple(f for f in catalog.functions.get(function.name, ()) if f.signature != function.signature)
    if not replaces:
        catalog.closed.pop(function.title, None)
    catalog.functions[function.name] = (*others, function)


def _trigger(catalog: Catalog, path: Path, origin: Origin, body: Node) -> None:
    target = body.get("relation", {})
    table = _table_name(catalog, path, target)
    name = tuple(strings(body.get("funcname")))
    functions = catalog.overloads(name, path)
    events = frozenset(event for bit, event in _EVENTS.items() if body.get("events", 0) & bit)
    catalog.triggers[table, body.get("trigname", "")] = Attached(
        body.get("trigname", ""),
        table,
        replace(origin, index=name_index(origin.statement, body.get("trigname", ""))),
        functions[0].name if functions else ".".join(name),
        events,
        tuple(strings(body.get("columns"))),
    )


def _policy(catalog: Catalog, path: Path, origin: Origin, body: Node) -> None:
    table = _table_name(catalog, path, body.get("table", {}))
    name = body.get("policy_name", "")
    origin = replace(origin, index=name_index(origin.statement, name))
    catalog.policies[table, name] = Attached(name, table, origin)


def _index(catalog: Catalog, path: Path, origin: Origin, body: Node) -> None:
    table = _table_name(catalog, path, body.get("relation", {}))
    name = body.get("idxname") or _index_name(catalog, table, body)
    full = f"{table.rpartition('.')[0]}.{name}"
    catalog.indexes[full] = Attached(full, table, replace(origin, index=name_index(origin.statement, name)))


def _index_name(catalog: Catalog, table: str, body: Node) -> str:
    """The name that Postgres gives to an index without one (ChooseIndexName in indexcmds.c)."""
    from eventlive_db.lint.sql.resolve_query import output_name  # it reads catalogs, as this makes them

    schema, _, bare = table.rpartition(".")
    parts = [
        element.get("name") or output_name(element.get("expr", {})) for _, element in items(body.get("indexParams"))
    ]
    parts = ["expr" if part == "?column?" else part for part in parts]
    first = "_".join([bare, *parts, "idx"])[:63]
    return next(n for n in (first, *(f"{first}{i}" for i in range(1, 99))) if f"{schema}.{n}" not in catalog.indexes)


def _table_name(catalog: Catalog, path: Path, target: Node) -> str:
    relation = catalog.relation(range_name(target), path)
    return relation.name if relation else qualify(range_name(target), path)


CREATORS: dict[str, Callable[[Catalog, Path, Origin, Node], None]] = {
    "CreateSchemaStmt": _schema,
    "CreateStmt": _table,
    "CreateForeignTableStmt": _foreign_table,
    "ViewStmt": _view,
    "CreateTableAsStmt": _table_as,
    "CreateSeqStmt": _sequence,
    "CompositeTypeStmt": _composite,
    "CreateEnumStmt": _type("typeName"),
    "CreateRangeStmt": _type("typeName"),
    "CreateDomainStmt": _type("domainname"),
    "DefineStmt": _type("defnames"),
    "CreateFunctionStmt": _function,
    "CreateTrigStmt": _trigger,
    "CreatePolicyStmt": _policy,
    "IndexStmt": _index,
}
