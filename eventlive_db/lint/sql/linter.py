"""Runs every rule over a project."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from eventlive_db.lint.finding import Finding
from eventlive_db.lint.sql.allow import Exceptions
from eventlive_db.lint.sql.apply_create import name_index
from eventlive_db.lint.sql.catalog import Catalog
from eventlive_db.lint.sql.check_names import Walk, check_declared, check_python, walk_chain
from eventlive_db.lint.sql.config import CONFIG_NAME, Config, load_config
from eventlive_db.lint.sql.context import Fault
from eventlive_db.lint.sql.contracts import check_contracts
from eventlive_db.lint.sql.errors import UnreadableError
from eventlive_db.lint.sql.parser import require_parser
from eventlive_db.lint.sql.project import Project, build_declared, function_of, read_project
from eventlive_db.lint.sql.resolve import QUERY_KINDS
from eventlive_db.lint.sql.rules_body import Unit, check_body
from eventlive_db.lint.sql.rules_migration import LockLine, check_migrations, lock_table
from eventlive_db.lint.sql.rules_object import check_objects
from eventlive_db.lint.sql.rules_query import Query, check_query, queries_of
from eventlive_db.lint.sql.scripts import Script
from eventlive_db.lint.sql.text import SourceFile
from eventlive_db.lint.sql.touches import CallGraph
from eventlive_db.lint.sql.tree import Node

_READ_ONLY_PARTS = {"ViewStmt": "query", "CreateTableAsStmt": "query"}


@dataclass(frozen=True, slots=True)
class Report:
    """What was found.

    Attributes:
        findings: By file and line.
        files: How many files were read.
        statements: How many statements of SQL.
        locks: What each statement of each migration locks.
    """

    findings: list[Finding]
    files: int
    statements: int
    locks: list[LockLine] = field(default_factory=list)


def find_config(root: Path, path: Path | None = None) -> Config:
    """The configuration that is named, else the ``lint.toml`` of the folder, else the defaults.

    Raises:
        UnreadableError: It cannot be read.
        ConfigError: It says what is not known.
    """
    if path is None and (root / CONFIG_NAME).is_file():
        path = root / CONFIG_NAME
    return load_config(path.resolve(), root) if path else Config()


def lint(root: Path, config: Config | None = None, paths: Iterable[Path] = (), *, locks: bool = False) -> Report:
    """Lint a project.

    Args:
        root: The folder of the project; the configuration's paths are relative to it.
        config: Default: :func:`find_config`.
        paths: Report only what is found below these. All that the configuration names is read all the same, for
            what a file says is right or wrong by what the others say.
        locks: Also say what each statement of each migration locks.

    Raises:
        ParserMissingError: The extra ``lint`` is not installed.
        ConfigError: The configuration says what is not known.
        UnreadableError: There is no such path, or nothing to lint.
    """
    require_parser()
    root = root.resolve()
    config = config if config is not None else find_config(root)
    chosen = [path if path.is_absolute() else Path.cwd() / path for path in paths]
    chosen = [path.resolve() for path in chosen]
    project = read_project(root, config, chosen)
    if not project.sources:
        problem = (
            f"there is no SQL here: {root} has none of {', '.join((*config.sql, *config.migrations, *config.python))}"
        )
        raise UnreadableError(problem, f"Name a folder, or write a {CONFIG_NAME}", token="nothing_to_lint")
    run = _Run(project)
    findings = run.findings(is_complete=not chosen)
    if chosen:
        findings = [f for f in findings if any(_is_below(root, f.file, path) for path in chosen)]
    scripts = list(_scripts(project))
    return Report(
        sorted(set(findings)),
        len(project.sources),
        sum(len(s.statements) for s in scripts),
        run.locks() if locks else [],
    )


def _is_below(root: Path, file: str, path: Path) -> bool:
    full = root / file
    return full == path or full.is_relative_to(path)


def _scripts(project: Project) -> Iterator[Script]:
    yield from project.declared
    for chain in project.chains:
        for step in chain.steps:
            yield from (script for script in (step.up, step.down) if script)
    yield from project.python


class _Run:
    def __init__(self, project: Project) -> None:
        self._project = project
        self._config = project.config
        self._walks: list[Walk] = []

    def findings(self, *, is_complete: bool) -> list[Finding]:
        exceptions = Exceptions(self._config)
        exceptions.read(self._project.sources.values())
        found = []
        for fault in self._faults():
            if self._config.holds(fault.rule):
                finding = _finding(fault)
                if not exceptions.allows(finding):
                    found.append(finding)
        found += [f for f in exceptions.findings(is_complete=is_complete) if self._config.holds(f.rule)]
        return found

    def locks(self) -> list[LockLine]:
        chains = zip(self._project.chains, self._walks, strict=True)
        return [line for chain, walk in chains for line in lock_table(self._project, chain, walk)]

    def _faults(self) -> Iterator[Fault]:
        project = self._project
        declared = build_declared(project) if project.declared else None
        if declared is not None:
            yield from check_declared(project, declared)
        for chain in project.chains:
            walk = walk_chain(project, chain)
            self._walks.append(walk)
            yield from walk.faults
            yield from check_migrations(project, chain, walk)
        catalog = declared or (self._walks[-1].states[-1] if self._walks else project.new_catalog())
        yield from check_python(project, catalog, [walk.states[-1] for walk in self._walks])
        yield from check_objects(catalog, self._config)
        yield from self._bodies(catalog)
        yield from self._queries()
        yield from self._contracts(catalog)

    def _bodies(self, catalog: Catalog) -> Iterator[Fault]:
        """The functions of the schema as it is today: what migrations have replaced cannot be changed any more."""
        for unit in self._units(catalog):
            yield from check_body(unit, self._config)
            for query in queries_of(unit):
                for fault in check_query(query, self._config):
                    yield replace(fault, object=unit.title)

    def _units(self, catalog: Catalog) -> Iterator[Unit]:
        project = self._project
        scripts = project.declared or [step.up for chain in project.chains for step in chain.steps if step.up]
        for script in scripts:
            for statement in script.statements:
                if statement.kind == "DoStmt":
                    yield Unit(statement, project.do_body(statement))
                elif statement.kind == "CreateFunctionStmt" and (function := function_of(catalog, statement)):
                    yield Unit(statement, project.body(function), function)

    def _queries(self) -> Iterator[Fault]:
        for script in _scripts(self._project):
            for statement in script.statements:
                node: Node = statement.node
                if statement.kind in _READ_ONLY_PARTS:
                    node = statement.body.get(_READ_ONLY_PARTS[statement.kind], {})
                elif statement.kind == "CreatePolicyStmt":
                    node = {"Policy": statement.body}
                elif statement.kind not in QUERY_KINDS:
                    continue
                yield from check_query(Query(statement.snippet, node, leaves=True), self._config)

    def _contracts(self, catalog: Catalog) -> Iterator[Fault]:
        if not (self._config.contracts or self._config.only):
            return
        path = self._project.root / self._config.name
        source = self._project.read(path) if path.is_file() else SourceFile(self._config.name, "")
        graph = CallGraph(catalog, self._project.body, self._config.search_path)
        yield from check_contracts(catalog, graph, self._config, source)


def _finding(fault: Fault) -> Finding:
    text, index = fault.snippet.text, fault.index
    if fault.word and not text[index:].lower().startswith(fault.word.lower()):
        index = name_index(fault.snippet, fault.word, index)
    line, column = fault.snippet.position(index)
    end = column + len(fault.word) if fault.word else 0
    name = fault.snippet.source.name
    return Finding(name, line, column, fault.rule, fault.message, fault.advice, end, fault.object)
