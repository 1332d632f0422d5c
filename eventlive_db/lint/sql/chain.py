"""Migrations in the order in which they are applied."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field
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
    down_revision: str | None
    is_opaque: bool = False

    @classmethod
    def of(cls, path: Path, source: SourceFile) -> _Module | None:
        """None where a file is no migration."""
        try:
            tree = ast.parse(source.text)
        except SyntaxError:
            return None
        values: dict[str, object] = {}
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
                if isinstance(target, ast.Name) and isinstance(value, ast.Constant):
                    values[target.id] = value.value
        revision, before = values.get("revision"), values.get("down_revision")
        if not isinstance(revision, str):
            return None
        return cls(path, source, tree, revision, before if isinstance(before, str) else None)

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
    """From the one without a predecessor to the one without a successor."""
    by_predecessor: dict[str | None, list[_Module]] = {}
    for module in modules:
        by_predecessor.setdefault(module.down_revision, []).append(module)
    known = {module.revision for module in modules}
    order: list[_Module] = []
    current: str | None = None
    while following := by_predecessor.pop(current, []):
        order.append(following[0])
        current = following[0].revision
        for other in following[1:]:
            message = f"{other.revision} comes after {other.down_revision or 'nothing'}, and so does {current}"
            chain.faults.append(_chain_fault(other, message, "give them one after the other"))
    for module in modules:
        if module.down_revision is not None and module.down_revision not in known:
            message = f"{module.revision} comes after {module.down_revision}, which is not there"
            chain.faults.append(_chain_fault(module, message, ""))
    return order


def _chain_fault(module: _Module, message: str, advice: str) -> Fault:
    index = max(module.source.text.find("down_revision"), 0)
    return Fault(module.source.whole(), index, "migration.chain", message, advice, "down_revision")
