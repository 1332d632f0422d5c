"""Migrations in the order in which they are applied."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from eventlive_db.lint.sql.context import Fault
from eventlive_db.lint.sql.python_strings import read_literal
from eventlive_db.lint.sql.scripts import Script, parse_into, read_script
from eventlive_db.lint.sql.text import SourceFile

_BESIDE = re.compile(r"\.(up|down)\.sql$")
# What does nothing to the schema, or is read here.
_HARMLESS = frozenset({"get_bind", "get_context", "f", "execute", "autocommit_block", "run_async"})

Read = Callable[[Path], SourceFile]


@dataclass(slots=True)
class Migration:
    """One step of the chain.

    Attributes:
        revision: Its number or name.
        file: The one that stands for it in messages.
        up: What it does; None where there is nothing.
        down: The way back; None where there is none.
        is_opaque: Whether it also does what is not read here, such as ``op.create_table``.
    """

    revision: str
    file: SourceFile
    up: Script | None = None
    down: Script | None = None
    is_opaque: bool = False


@dataclass(slots=True)
class Chain:
    """The migrations of one folder.

    Attributes:
        steps: In order.
        faults: What is wrong with the chain itself.
        has_down: Whether the folder's migrations have a way back at all, as those of alembic do.
    """

    steps: list[Migration] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    has_down: bool = False


def is_migrations(folder: Path) -> bool:
    """Whether a folder holds migrations: alembic's, or files such as ``0001_x.up.sql``."""
    if any(folder.glob("*.up.sql")):
        return True
    return any(
        re.search(r"^revision\b", path.read_text(encoding="utf-8"), re.MULTILINE) for path in folder.glob("*.py")
    )


def read_chain(folder: Path, read: Read) -> Chain:
    """Read a folder of migrations.

    Args:
        folder: Such as ``migrations/versions``. With alembic's files the order is theirs; without, that of the names.
        read: Reads a file.
    """
    modules = [(path, read(path)) for path in sorted(folder.glob("*.py"))]
    revisions = [found for path, source in modules if (found := _Module.of(path, source))]
    if not revisions:
        return _plain(folder, read)
    chain = Chain(has_down=True)
    for module in _ordered(revisions, chain):
        step = Migration(module.revision, module.source)
        up, down = module.path.with_suffix(".up.sql"), module.path.with_suffix(".down.sql")
        step.up = read_script(read(up)) if up.is_file() else module.script("upgrade")
        step.down = read_script(read(down)) if down.is_file() else module.script("downgrade")
        step.is_opaque = module.is_opaque
        chain.steps.append(step)
    return chain


def _plain(folder: Path, read: Read) -> Chain:
    chain = Chain(has_down=any(folder.glob("*.down.sql")))
    for path in sorted(folder.glob("*.sql")):
        if path.name.endswith(".down.sql"):
            continue
        source = read(path)
        step = Migration(_BESIDE.sub("", path.name).removesuffix(".sql"), source, read_script(source))
        down = path.with_name(_BESIDE.sub("", path.name) + ".down.sql")
        if path.name.endswith(".up.sql") and down.is_file():
            step.down = read_script(read(down))
        chain.steps.append(step)
    return chain


@dataclass(slots=True)
class _Module:
    path: Path
    source: SourceFile
    tree: ast.Module
    revision: str
    down_revisions: tuple[str, ...]
    is_opaque: bool = False

    @classmethod
    def of(cls, path: Path, source: SourceFile) -> _Module | None:
        """None where a file is no migration."""
        try:
            tree = ast.parse(source.text)
        except SyntaxError:
            return None
        values: dict[str, tuple[object, ...]] = {}
        for node in tree.body:
            targets = (
                node.targets
                if isinstance(node, ast.Assign)
                else [node.target]
                if isinstance(node, ast.AnnAssign)
                else []
            )
            value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
            for target in targets:
                if isinstance(target, ast.Name) and isinstance(value, ast.Constant | ast.Tuple | ast.List):
                    members = value.elts if isinstance(value, ast.Tuple | ast.List) else [value]
                    values[target.id] = tuple(m.value for m in members if isinstance(m, ast.Constant))
        revision = next(iter(values.get("revision", ())), None)
        if not isinstance(revision, str):
            return None
        before = tuple(name for name in values.get("down_revision", ()) if isinstance(name, str))
        return cls(path, source, tree, revision, before)

    def script(self, function: str) -> Script | None:
        """The SQL that a function executes; None where it does nothing."""
        found = next((n for n in self.tree.body if isinstance(n, ast.FunctionDef) and n.name == function), None)
        if found is None or all(isinstance(n, ast.Pass) or _is_docstring(n) for n in found.body):
            return None
        script = Script(self.source)
        self._block(found.body, script, in_transaction=True)
        return script

    def _block(self, body: list[ast.stmt], script: Script, *, in_transaction: bool) -> None:
        for node in body:
            if isinstance(node, ast.With):
                outside = any("autocommit_block" in ast.unparse(item.context_expr) for item in node.items)
                self._block(node.body, script, in_transaction=in_transaction and not outside)
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                self._call(node.value, script, in_transaction=in_transaction)
            elif not isinstance(node, ast.Pass) and not _is_docstring(node):
                self.is_opaque = True

    def _call(self, node: ast.Call, script: Script, *, in_transaction: bool) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name == "execute" and node.args:
            argument = node.args[0]
            if isinstance(argument, ast.Call) and argument.args:  # text("...")
                argument = argument.args[0]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                parse_into(script, read_literal(self.source, argument), in_transaction=in_transaction)
                return
        if name not in _HARMLESS or name == "execute":
            self.is_opaque = True


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _ordered(modules: list[_Module], chain: Chain) -> list[_Module]:
    """Each after those that it comes after; branches that a later step merges are in the order of their names."""
    by_revision = {module.revision: module for module in modules}
    following: dict[str | None, list[_Module]] = {}
    for module in modules:
        for before in module.down_revisions or (None,):
            following.setdefault(before, []).append(module)
            if before is not None and before not in by_revision:
                message = f"{module.revision} comes after {before}, which is not there"
                chain.faults.append(_chain_fault(module, message, ""))
    for before, branches in following.items():
        # Of one migration, branches may be meant; of nothing, there is but one beginning.
        for other in branches[1:] if before is None or not _merged(branches, following) else ():
            message = f"{other.revision} comes after {before or 'nothing'}, and so does {branches[0].revision}"
            chain.faults.append(_chain_fault(other, message, "give them one after the other, or merge them"))
    known = {name: [b for b in module.down_revisions if b in by_revision] for name, module in by_revision.items()}
    try:
        return [by_revision[name] for name in TopologicalSorter(known).static_order()]
    except CycleError as error:
        circle = error.args[1]
        message = f"{' comes after '.join(reversed(circle))}"
        chain.faults.append(_chain_fault(by_revision[circle[0]], message, "one of them has to come first"))
        return modules


def _merged(branches: list[_Module], following: dict[str | None, list[_Module]]) -> bool:
    """Whether some migration comes after all of these, at whatever distance."""
    reached = [_all_after(branch, following) for branch in branches]
    return bool(set.intersection(*reached))


def _all_after(module: _Module, following: dict[str | None, list[_Module]]) -> set[str]:
    found: set[str] = set()
    waiting = [module.revision]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [after.revision for after in following.get(name, [])]
    return found


def _chain_fault(module: _Module, message: str, advice: str) -> Fault:
    index = max(module.source.text.find("down_revision"), 0)
    return Fault(module.source.whole(), index, "migration.chain", message, advice, "down_revision")
