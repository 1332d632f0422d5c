"""A suite: which calls are judged, in what database, and what they may cost. One TOML file beside the tests."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from eventlive_db.plans.budget import Budget
from eventlive_db.plans.case import Case
from eventlive_db.plans.errors import SuiteError

_SECTIONS = ("suite", "database", "scale", "budget", "identity", "case", "mutation")
_KEYS: dict[str, dict[str, str]] = {
    "suite": {"name": "text", "sources": "files", "snapshots": "text"},
    "database": {"schema": "files", "seed": "files", "hook": "text"},
    "scale": {"sizes": "list", "fill": "text", "real": "number", "raise": "texts"},
    "identity": {"role": "text", "claims": "table", "settings": "table"},
    "case": dict.fromkeys(("name", "call", "as", "before"), "text")
    | {"parameters": "list", "budget": "table"}
    | {"scaled": "flag", "repeat": "number", "warmups": "number", "snapshot": "flag"},
    "mutation": dict.fromkeys(("name", "sql", "function", "replace", "with"), "text") | {"cases": "texts"},
}
_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "text": ("a text", lambda value: isinstance(value, str)),
    "texts": ("a list of texts", lambda value: isinstance(value, list) and all(isinstance(v, str) for v in value)),
    "files": ("a path or a list of paths", lambda v: all(isinstance(p, str) for p in (v if type(v) is list else [v]))),
    "list": ("a list", lambda value: isinstance(value, list)),
    "number": ("a whole number", lambda value: type(value) is int),
    "flag": ("true or false", lambda value: isinstance(value, bool)),
    "table": ("a table", lambda value: isinstance(value, Mapping)),
}


@dataclass(frozen=True, slots=True)
class Scale:
    """At which sizes the tables are filled.

    Attributes:
        sizes: Rows, smallest first; empty for what the seed alone gives.
        fill: SQL file that fills up to ``current_setting('plans.rows')`` rows; ``plans.rows_before`` says how many
            there are. None if there is nothing to fill.
        real: Largest size that is filled; beyond it row counts are only told to the planner. None for all.
        raised: Tables that are never filled beyond the smallest size, and told to the planner.
    """

    sizes: tuple[int, ...] = ()
    fill: Path | None = None
    real: int | None = None
    raised: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NamedMutation:
    """A fault of the project's own: SQL, or a part of a function's body that is replaced.

    Attributes:
        name: What is broken, as a sentence.
        sql: Statements to run; or empty.
        function: ``schema.name`` of a function without overloads; or empty.
        old: Part of its definition, as ``pg_get_functiondef`` gives it.
        new: What takes its place.
        cases: Names of the cases that should see it; empty for all.
    """

    name: str
    sql: str = ""
    function: str = ""
    old: str = ""
    new: str = ""
    cases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Suite:
    """Calls to be judged, and the database they are made in.

    Attributes:
        name: For reports.
        path: The file it was read from.
        schema: SQL files that make the schema, in order.
        seed: SQL files that fill it with what the cases refer to.
        hook: ``module:function`` that is given a DSN and builds the schema, or the function itself; or empty.
        sources: SQL files in which functions are looked up, for file and line.
        snapshots: Folder of the snapshots.
        scale: At which sizes.
        cases: What is judged.
        mutations: Faults of the project's own.
    """

    name: str
    path: Path
    schema: tuple[Path, ...] = ()
    seed: tuple[Path, ...] = ()
    hook: str | Callable[[str], object] = ""
    sources: tuple[Path, ...] = ()
    snapshots: Path = Path("snapshots")
    scale: Scale = field(default_factory=Scale)
    cases: tuple[Case, ...] = ()
    mutations: tuple[NamedMutation, ...] = ()

    def case(self, name: str) -> Case:
        """The case of that name.

        Raises:
            SuiteError: There is none.
        """
        found = next((case for case in self.cases if case.name == name), None)
        return found or _unknown("case", name, [c.name for c in self.cases], str(self.path))

    def select(self, patterns: Iterable[str]) -> tuple[Case, ...]:
        """Cases whose name holds one of the patterns; all where there is no pattern.

        Raises:
            SuiteError: A pattern that no name holds.
        """
        wanted = list(patterns)
        for pattern in wanted:
            if not any(pattern in case.name for case in self.cases):
                _unknown("case", pattern, [c.name for c in self.cases], str(self.path))
        return tuple(c for c in self.cases if not wanted or any(p in c.name for p in wanted))


def load_suite(path: Path) -> Suite:
    """Read a suite.

    Args:
        path: The TOML file; the paths in it are relative to its folder.

    Raises:
        SuiteError: It cannot be read, or says what cannot be meant.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        msg = f"the suite {path} cannot be read: {error}"
        raise SuiteError(msg) from error
    except tomllib.TOMLDecodeError as error:
        msg = f"{path} is not TOML: {error}"
        raise SuiteError(msg) from error
    _check_known("key", document, _SECTIONS, str(path))
    for section in ("suite", "database", "scale"):
        _check_keys(_table(document, section, path), _KEYS[section], f"{path} [{section}]")

    about, database = _table(document, "suite", path), _table(document, "database", path)
    folder = path.parent
    base = _table(document, "budget", path)
    Budget.from_mapping(base, f"{path} [budget]")
    identities = _table(document, "identity", path)
    cases = tuple(_case(entry, base, identities, path) for entry in _entries(document, "case", path))
    repeated = [c.name for i, c in enumerate(cases) if c.name in {d.name for d in cases[:i]}]
    if repeated:
        msg = f"{path}: two cases are called {repeated[0]!r}"
        raise SuiteError(msg, token="invalid_case")
    schema = _files(database, "schema", folder)
    return Suite(
        name=str(about.get("name", path.stem)),
        path=path,
        schema=schema,
        seed=_files(database, "seed", folder),
        hook=str(database.get("hook", "")),
        sources=_files(about, "sources", folder) or schema,
        snapshots=folder / str(about.get("snapshots", "snapshots")),
        scale=_scale(_table(document, "scale", path), folder, path),
        cases=cases,
        mutations=tuple(_mutation(entry, cases, path) for entry in _entries(document, "mutation", path)),
    )


def _case(entry: Mapping[str, Any], base: Mapping[str, Any], identities: Mapping[str, Any], path: Path) -> Case:
    name = str(entry.get("name", ""))
    where = f"{path} case {name!r}"
    _check_keys(entry, _KEYS["case"], where)
    identity: Mapping[str, Any] = {}
    if "as" in entry:
        _check_known("identity", [entry["as"]], identities, where)
        identity = _table(identities, entry["as"], path)
        _check_keys(identity, _KEYS["identity"], f"{path} [identity.{entry['as']}]")
    plain = {key: entry[key] for key in ("before", "scaled", "repeat", "warmups", "snapshot") if key in entry}
    return Case(
        name=name,
        call=str(entry.get("call", "")),
        parameters=tuple(entry.get("parameters", ())),
        role=identity.get("role"),
        claims=identity.get("claims"),
        settings={key: str(value) for key, value in identity.get("settings", {}).items()},
        budget=Budget.from_mapping({**base, **entry.get("budget", {})}, where),
        **plain,
    )


def _scale(entry: Mapping[str, Any], folder: Path, path: Path) -> Scale:
    sizes = entry.get("sizes", [])
    if not all(type(size) is int and size > 0 for size in sizes) or sizes != sorted(set(sizes)):
        msg = f"{path} [scale]: sizes must be whole numbers of rows, smallest first, none twice"
        raise SuiteError(msg)
    fill = folder / entry["fill"] if "fill" in entry else None
    if bool(sizes) != (fill is not None):
        msg = f"{path} [scale]: sizes and fill go together"
        raise SuiteError(msg, "fill names the SQL file that fills the tables up to the setting plans.rows")
    if fill is not None and not fill.is_file():
        msg = f"{path} [scale]: there is no file {entry['fill']}"
        raise SuiteError(msg)
    return Scale(tuple(sizes), fill, entry.get("real"), tuple(entry.get("raise", ())))


def _mutation(entry: Mapping[str, Any], cases: tuple[Case, ...], path: Path) -> NamedMutation:
    where = f"{path} mutation {entry.get('name', '')!r}"
    _check_keys(entry, _KEYS["mutation"], where)
    if not entry.get("name"):
        msg = f"{path}: a mutation needs a name"
        raise SuiteError(msg)
    if ("sql" in entry) == ("function" in entry) or ("function" in entry) != ("replace" in entry):
        msg = f"{where} needs either sql, or function with replace and with"
        raise SuiteError(msg)
    _check_known("case", entry.get("cases", ()), [case.name for case in cases], where)
    return NamedMutation(
        name=entry["name"],
        sql=entry.get("sql", ""),
        function=entry.get("function", ""),
        old=entry.get("replace", ""),
        new=entry.get("with", ""),
        cases=tuple(entry.get("cases", ())),
    )


def _files(table: Mapping[str, Any], key: str, folder: Path) -> tuple[Path, ...]:
    found: list[Path] = []
    patterns = table.get(key, [])
    if isinstance(patterns, str):
        patterns = [patterns]
    for pattern in patterns:
        # A pattern may begin with ../, which glob itself refuses.
        root, rest = folder, pattern
        if Path(pattern).is_absolute():
            root, rest = Path(Path(pattern).anchor), pattern.removeprefix(Path(pattern).anchor)
        while rest.startswith("../"):
            root, rest = root / "..", rest.removeprefix("../")
        files = sorted(p for p in root.glob(rest) if p.is_file()) if rest else []
        if not files:
            msg = f"no file matches {key} = {pattern!r}"
            raise SuiteError(msg, f"It is looked for from the suite's folder, {folder}")
        found += files
    return tuple(found)


def _table(document: Mapping[str, Any], name: str, path: Path) -> Mapping[str, Any]:
    table = document.get(name, {})
    if not isinstance(table, Mapping):
        msg = f"{path}: {name} must be a table, [{name}]"
        raise SuiteError(msg)
    return table


def _entries(document: Mapping[str, Any], name: str, path: Path) -> list[Mapping[str, Any]]:
    entries = document.get(name, [])
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        msg = f"{path}: {name} must be an array of tables, [[{name}]]"
        raise SuiteError(msg)
    return entries


def _check_keys(table: Mapping[str, Any], kinds: Mapping[str, str], where: str) -> None:
    _check_known("key", table, kinds, where)
    for key, value in table.items():
        told, fits = _KINDS[kinds[key]]
        if not fits(value):
            msg = f"{where}: {key} is {value!r} and must be {told}"
            raise SuiteError(msg)


def _check_known(what: str, names: Iterable[str], known: Iterable[str], where: str) -> None:
    for name in names:
        if name not in known:
            _unknown(what, name, list(known), where)


def _unknown(what: str, name: str, known: list[str], where: str) -> NoReturn:
    near = difflib.get_close_matches(name, known, n=1)
    advice = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known) or 'none'}"
    msg = f"{where}: there is no {what} {name!r}"
    raise SuiteError(msg, advice, token=f"unknown_{what}")
