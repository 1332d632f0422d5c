"""``lint.toml``: what is linted, which rules hold, and the contracts of this project."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eventlive_db.lint.sql.errors import ConfigError, UnreadableError
from eventlive_db.lint.sql.rules import RULES

CONFIG_NAME = "lint.toml"
OPERATIONS = frozenset({"select", "insert", "update", "delete", "truncate"})
COMMENT_KINDS = frozenset({"schema", "table", "column", "view", "function", "type", "policy", "trigger", "index"})


@dataclass(frozen=True, slots=True)
class Contract:
    """What a function touches, with all that it calls.

    Attributes:
        function: Its qualified name.
        touches: Operations by qualified table.
        line: Of the file.
    """

    function: str
    touches: Mapping[str, frozenset[str]]
    line: int = 1


@dataclass(frozen=True, slots=True)
class Only:
    """Which functions alone do something to a table.

    Attributes:
        table: Its qualified name.
        operation: One of :data:`OPERATIONS`.
        functions: Qualified names.
        line: Of the file.
    """

    table: str
    operation: str
    functions: frozenset[str]
    line: int = 1


@dataclass(frozen=True, slots=True)
class Allow:
    """An exception from a rule, where the file itself cannot carry it.

    Attributes:
        rule: Token.
        where: Pattern of an object's name, such as ``app.take_job``; empty for any.
        file: Pattern of a file's path; empty for any.
        because: Why.
        line: Of the file.
    """

    rule: str
    where: str
    file: str
    because: str
    line: int = 1


@dataclass(frozen=True, slots=True)
class Config:
    """All of it; what is left out has a default.

    Attributes:
        name: The file, relative to the root; empty where there is none.
        sql: Folders and files of the declared schema.
        migrations: Folders of migrations.
        python: Folders and files with SQL in strings.
        schemas: Schemas of which everything is known; those that the files create are among them without being named.
        search_path: Where unqualified names are looked up.
        external: Patterns of qualified names that exist though no file creates them.
        rules: Whether a rule holds, by token; the others have their default.
        hot_path: Patterns of functions that may have no exception block.
        dynamic_sql: Patterns of functions, or of files with DO blocks, that may EXECUTE a text.
        select_star: ``everywhere``, or ``interface`` for views, results of functions and programs.
        comment_kinds: Kinds of objects that must have a comment.
        definer_path: What search_path must be, as it is written; empty for anything.
        definer_path_for: ``definer``, and ``plpgsql`` for all functions in that language.
        exposed: Schemas that clients reach.
        row_security_except: Patterns of tables that need none.
        header: What each migration's SQL begins with; empty for anything.
    """

    name: str = ""
    sql: tuple[str, ...] = ("sql",)
    migrations: tuple[str, ...] = ("migrations/versions",)
    python: tuple[str, ...] = ()
    schemas: tuple[str, ...] = ()
    search_path: tuple[str, ...] = ("public",)
    external: tuple[str, ...] = ()
    rules: Mapping[str, bool] = field(default_factory=dict)
    hot_path: tuple[str, ...] = ()
    dynamic_sql: tuple[str, ...] = ()
    select_star: str = "everywhere"
    comment_kinds: frozenset[str] = frozenset({"schema", "table", "view", "function", "type"})
    definer_path: str = ""
    definer_path_for: frozenset[str] = frozenset({"definer"})
    exposed: tuple[str, ...] = ()
    row_security_except: tuple[str, ...] = ()
    header: str = ""
    contracts: tuple[Contract, ...] = ()
    only: tuple[Only, ...] = ()
    allow: tuple[Allow, ...] = ()

    def holds(self, token: str) -> bool:
        """Whether a rule is on: by its token, else by its group, else by its default."""
        group = token.partition(".")[0]
        return self.rules.get(token, self.rules.get(group, RULES[token].default))


_LISTS = ("sql", "migrations", "python", "schemas", "search_path", "external")
_OPTION_LISTS = ("hot_path", "dynamic_sql", "exposed", "row_security_except")
_OPTION_SETS = {"comment_kinds": COMMENT_KINDS, "definer_path_for": frozenset({"definer", "plpgsql"})}
_OPTION_WORDS = {"select_star": frozenset({"everywhere", "interface"}), "definer_path": None, "header": None}


def load_config(path: Path, root: Path) -> Config:
    """Read a ``lint.toml``.

    Args:
        path: The file.
        root: The folder that is linted; its paths are relative to it.

    Raises:
        UnreadableError: It cannot be read.
        ConfigError: It says what is not known here.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = f"{path} cannot be read: {error}"
        raise UnreadableError(problem) from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem = f"{path} is not TOML: {error}"
        raise ConfigError(problem) from None
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    return _Reader(name, text, data).config()


class _Reader:
    def __init__(self, name: str, text: str, data: dict[str, Any]) -> None:
        self._name = name
        self._data = data
        self._lines = text.splitlines()

    def config(self) -> Config:
        data = self._data
        self._known(data, {*_LISTS, "rules", "options", "contract", "only", "allow"}, "the file")
        options = data.get("options", {})
        self._known(options, {*_OPTION_LISTS, *_OPTION_SETS, *_OPTION_WORDS}, "[options]")
        values: dict[str, Any] = {key: self._list(data, key) for key in _LISTS if key in data}
        values |= {key: self._list(options, key) for key in _OPTION_LISTS if key in options}
        for key, allowed in _OPTION_SETS.items():
            if key in options:
                values[key] = frozenset(self._list(options, key))
                self._among(values[key], allowed, key)
        for key, words in _OPTION_WORDS.items():
            if key in options:
                values[key] = self._text(options, key)
                if words is not None:
                    self._among({values[key]}, words, key)
        return Config(
            name=self._name,
            rules=self._rules(),
            contracts=tuple(self._contract(*entry) for entry in self._tables("contract")),
            only=tuple(self._only(*entry) for entry in self._tables("only")),
            allow=tuple(self._allow(*entry) for entry in self._tables("allow")),
            **values,
        )

    def _fail(self, problem: str, advice: str = "") -> ConfigError:
        return ConfigError(f"{self._name}: {problem}", advice)

    def _known(self, table: object, keys: set[str], where: str) -> None:
        if not isinstance(table, dict):
            raise self._fail(f"{where} must be a table")
        unknown = sorted(set(table) - keys)
        if unknown:
            raise self._fail(f"{where} does not know {', '.join(unknown)}", f"It knows {', '.join(sorted(keys))}")

    def _among(self, values: frozenset[str] | set[str], allowed: frozenset[str], key: str) -> None:
        if not values <= allowed:
            unknown = ", ".join(sorted(values - allowed))
            raise self._fail(f"{key} does not know {unknown}", f"It knows {', '.join(sorted(allowed))}")

    def _list(self, table: dict[str, Any], key: str) -> tuple[str, ...]:
        value = table[key]
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise self._fail(f"{key} must be a list of strings")
        return tuple(value)

    def _text(self, table: dict[str, Any], key: str) -> str:
        value = table.get(key, "")
        if not isinstance(value, str):
            raise self._fail(f"{key} must be a string")
        return value

    def _rules(self) -> dict[str, bool]:
        rules = self._data.get("rules", {})
        groups = {token.partition(".")[0] for token in RULES}
        self._known(rules, {*RULES, *groups}, "[rules]")
        if not all(isinstance(value, bool) for value in rules.values()):
            raise self._fail('[rules] must be true or false for each token, such as "body.when_others" = true')
        return dict(rules)

    def _tables(self, key: str) -> list[tuple[dict[str, Any], int]]:
        tables = self._data.get(key, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise self._fail(f"{key} must be written as [[{key}]]")
        heads = [number for number, line in enumerate(self._lines, 1) if line.strip().startswith(f"[[{key}]]")]
        return list(zip(tables, heads + [1] * len(tables), strict=False))

    def _contract(self, table: dict[str, Any], line: int) -> Contract:
        self._known(table, {"function", "touches"}, "[[contract]]")
        touches = table.get("touches")
        if not self._text(table, "function") or not isinstance(touches, dict):
            raise self._fail(f"the contract in line {line} must have a function, and touches as a table of lists")
        found = {name: frozenset(self._list(touches, name)) for name in touches}
        for operations in found.values():
            self._among(operations, OPERATIONS, "touches")
        return Contract(table["function"], found, line)

    def _only(self, table: dict[str, Any], line: int) -> Only:
        self._known(table, {"table", "operation", "functions"}, "[[only]]")
        if not self._text(table, "table") or "functions" not in table:
            raise self._fail(f"[[only]] in line {line} must have table, operation and functions")
        self._among({self._text(table, "operation")}, OPERATIONS, "operation")
        return Only(table["table"], table["operation"], frozenset(self._list(table, "functions")), line)

    def _allow(self, table: dict[str, Any], line: int) -> Allow:
        self._known(table, {"rule", "where", "file", "because"}, "[[allow]]")
        rule = self._text(table, "rule")
        if rule not in RULES:
            raise self._fail(f"[[allow]] in line {line} does not know the rule {rule!r}")
        if not self._text(table, "where") and not self._text(table, "file"):
            raise self._fail(f"[[allow]] in line {line} must say where or in which file")
        return Allow(rule, self._text(table, "where"), self._text(table, "file"), self._text(table, "because"), line)
