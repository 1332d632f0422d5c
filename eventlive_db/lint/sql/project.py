"""The files of a project, and the catalogs that follow from them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from eventlive_db.lint.sql.apply import Session, apply
from eventlive_db.lint.sql.catalog import Catalog, Function
from eventlive_db.lint.sql.chain import Chain, is_migrations, read_chain
from eventlive_db.lint.sql.config import Config
from eventlive_db.lint.sql.errors import UnreadableError
from eventlive_db.lint.sql.functions import parse_do, parse_function
from eventlive_db.lint.sql.parsed_body import ParsedBody
from eventlive_db.lint.sql.python_strings import read_python
from eventlive_db.lint.sql.scripts import ParsedStatement, Script, read_script
from eventlive_db.lint.sql.text import SourceFile
from eventlive_db.lint.sql.tree import strings

_PASSED_OVER = frozenset({"node_modules", "__pycache__", "build", "dist", "site-packages", "venv"})


@dataclass(slots=True)
class Project:
    """All that was read.

    Attributes:
        root: Paths in messages are relative to it.
        config: Its ``lint.toml``.
        declared: The files of the declared schema, in the order of their paths.
        chains: The migrations, one for each folder of them.
        python: Python files with their SQL.
        sources: Every file by its name.
        scalars: Names of types that are no rows.
        temporary: Names of temporary tables that bodies and programs make for themselves.
    """

    root: Path
    config: Config
    declared: list[Script] = field(default_factory=list)
    chains: list[Chain] = field(default_factory=list)
    python: list[Script] = field(default_factory=list)
    sources: dict[str, SourceFile] = field(default_factory=dict)
    scalars: frozenset[str] = frozenset()
    temporary: frozenset[str] = frozenset()
    _bodies: dict[tuple[str, int], ParsedBody] = field(default_factory=dict)

    def new_catalog(self) -> Catalog:
        """An empty catalog that knows what the configuration says exists."""
        temporary = [f"{schema}.{name}" for name in self.temporary for schema in ("", "pg_temp")]
        return Catalog(external=(*self.config.external, *temporary), declared=frozenset(self.config.schemas))

    def new_session(self, step: int = 0) -> Session:
        """What holds at the beginning of a file."""
        return Session(self.config.search_path, self.config.search_path, step)

    def body(self, function: Function) -> ParsedBody:
        """A function's body, parsed once."""
        key = (function.origin.statement.source.name, function.origin.statement.offset(0))
        if key not in self._bodies:
            self._bodies[key] = parse_function(function, self.scalars)
        return self._bodies[key]

    def do_body(self, statement: ParsedStatement) -> ParsedBody:
        """The body of a DO block, parsed once."""
        key = (statement.snippet.source.name, statement.snippet.offset(0))
        if key not in self._bodies:
            self._bodies[key] = parse_do(statement.snippet, statement.body, self.scalars)
        return self._bodies[key]

    def read(self, path: Path) -> SourceFile:
        """Read a file, once.

        Raises:
            UnreadableError: It is no text.
        """
        name = path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.as_posix()
        if name not in self.sources:
            try:
                self.sources[name] = SourceFile(name, path.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError) as error:
                problem = f"{path} cannot be read: {error}"
                raise UnreadableError(problem) from None
        return self.sources[name]


def read_project(root: Path, config: Config, paths: Iterable[Path] = ()) -> Project:
    """Read what the configuration names, and what was named beside it.

    Args:
        root: The folder that is linted.
        config: Its configuration.
        paths: More folders and files; those that lie in a folder of the configuration are read with it.

    Raises:
        UnreadableError: There is no such path.
    """
    project = Project(root, config)
    sql = [root / name for name in config.sql]
    migrations = [root / name for name in config.migrations]
    python = [root / name for name in config.python]
    known = [path for path in (*sql, *migrations, *python) if path.exists()]
    for path in paths:
        if not path.exists():
            problem = f"{path} does not exist"
            raise UnreadableError(problem, "Name folders or files that are there")
        if any(path == other or path.is_relative_to(other) for other in known):
            continue
        _classify(path, sql, migrations, python)
    for folder in _folders_of_migrations(migrations):
        project.chains.append(read_chain(folder, project.read))
    taken = {path.resolve() for folder in _folders_of_migrations(migrations) for path in folder.glob("*.sql")}
    for path in _files(sql, ".sql"):
        if path.resolve() not in taken:
            project.declared.append(read_script(project.read(path)))
    project.scalars = frozenset(_scalars(project))
    project.python = [read_python(project.read(path)) for path in _files(python, ".py")]
    texts = [source.text for source in project.sources.values()]
    project.temporary = frozenset(found[1].lower() for text in texts for found in _TEMPORARY.finditer(text))
    return project


_TEMPORARY = re.compile(
    r"\bcreate\s+(?:or\s+replace\s+)?(?:local\s+|global\s+)?temp(?:orary)?\s+(?:table|view)\s+"
    r'(?:if\s+not\s+exists\s+)?(?:pg_temp\.)?"?(\w+)',
    re.IGNORECASE,
)
_SCALARS = {"CreateEnumStmt": "typeName", "CreateRangeStmt": "typeName", "CreateDomainStmt": "domainname"}


def _scalars(project: Project) -> Iterator[str]:
    scripts = [*project.declared, *(step.up for chain in project.chains for step in chain.steps if step.up)]
    for script in scripts:
        for statement in script.statements:
            if statement.kind in _SCALARS:
                yield from strings(statement.body.get(_SCALARS[statement.kind]))[-1:]


def _classify(path: Path, sql: list[Path], migrations: list[Path], python: list[Path]) -> None:
    """A path that no folder of the configuration holds: find out what it is."""
    if path.is_file():
        (python if path.suffix == ".py" else sql).append(path)
        return
    found = [folder for folder in (path, *_below(path)) if is_migrations(folder)]
    migrations.extend(found)
    if found != [path]:
        sql.append(path)
        python.append(path)


def _below(path: Path) -> list[Path]:
    return [p for p in sorted(path.rglob("*")) if p.is_dir() and not _is_passed_over(p.relative_to(path))]


def _is_passed_over(path: Path) -> bool:
    return any(part in _PASSED_OVER or part.startswith(".") for part in path.parts)


def _folders_of_migrations(migrations: list[Path]) -> list[Path]:
    found = []
    for path in migrations:
        if path.is_dir():
            found.append(path / "versions" if not is_migrations(path) and (path / "versions").is_dir() else path)
    return list(dict.fromkeys(found))


def _files(paths: list[Path], suffix: str) -> Iterator[Path]:
    seen: set[Path] = set()
    for path in paths:
        inside = sorted(path.rglob(f"*{suffix}")) if path.is_dir() else [path] if path.is_file() else []
        for file in inside:
            below = file.relative_to(path)
            if file not in seen and not _is_passed_over(below):
                seen.add(file)
                yield file


def build_declared(project: Project) -> Catalog:
    """The catalog of the declared schema.

    Applied twice, for the files may stand in any order: the second time, every type and view that a statement needs is
    there.
    """
    catalog = project.new_catalog()
    for _ in range(2):
        session = project.new_session()
        for script in project.declared:
            for statement in script.statements:
                statement.path = session.path
                apply(catalog, session, statement.snippet, statement.kind, statement.body)
    return catalog


def function_of(catalog: Catalog, statement: ParsedStatement) -> Function | None:
    """The function that a statement has made; None where another statement has replaced it."""
    for overloads in catalog.functions.values():
        for function in overloads:
            if function.origin.statement is statement.snippet:
                return function
    return None
