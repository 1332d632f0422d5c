"""What may be as it is, and why."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path

from eventlive_db.lint.db.model import Finding
from eventlive_db.lint.db.rules import rules
from eventlive_db.lint.errors import LintError

_KEYS = {"rule", "object", "reason"}


@dataclass(frozen=True, slots=True)
class Allowance:
    """A finding that is as it should be.

    Attributes:
        rule: Token of the rule.
        object: The object, as the finding names it; ``*`` stands for any characters.
        reason: Why.
    """

    rule: str
    object: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Whether it is about that finding."""
        return self.rule == finding.rule and fnmatchcase(finding.object, self.object)


def read_allowances(path: Path | None = None) -> tuple[Allowance, ...]:
    """Read a list of allowances: TOML with tables ``[[allow]]`` of ``rule``, ``object`` and ``reason``.

    Args:
        path: The file; None for the list that comes with this package.

    Raises:
        LintError: It cannot be read, names an unknown rule, or gives no reason.
    """
    source = path or files(__package__).joinpath("allowed.toml")
    try:
        entries = tomllib.loads(source.read_text(encoding="utf-8")).get("allow", [])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        msg = f"{source} cannot be read: {error}"
        raise LintError(msg, token="invalid_allowances") from error
    if not isinstance(entries, list):
        msg = f"{source} must have tables [[allow]]"
        raise LintError(msg, token="invalid_allowances")
    tokens = {rule.token for rule in rules()}
    return tuple(_allowance(entry, tokens, f"{source}, entry {number}") for number, entry in enumerate(entries, 1))


def _allowance(entry: object, tokens: set[str], where: str) -> Allowance:
    if not isinstance(entry, dict) or set(entry) != _KEYS or not all(isinstance(v, str) for v in entry.values()):
        msg = f"{where}: it must have rule, object and reason, which are strings, and nothing else"
        raise LintError(msg, token="invalid_allowances")
    if entry["rule"] not in tokens:
        msg = f"{where}: there is no rule {entry['rule']!r}"
        raise LintError(msg, f"There are {', '.join(sorted(tokens))}", token="invalid_allowances")
    if not entry["reason"].strip():
        msg = f"{where}: it gives no reason"
        raise LintError(msg, "Say why it may be so", token="invalid_allowances")
    return Allowance(entry["rule"], entry["object"], entry["reason"])
