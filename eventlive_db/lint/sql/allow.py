"""Exceptions from rules: a comment in the file, or an entry in ``lint.toml`` where the file cannot carry one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from eventlive_db.lint.finding import Finding
from eventlive_db.lint.sql.config import Config
from eventlive_db.lint.sql.rules import RULES
from eventlive_db.lint.sql.text import SourceFile

_COMMENT = re.compile(r"(?:--|#)\s*lint:\s*allow\s+([a-z_.0-9]+)(?:[ \t]+because[ \t]+(\S[^\n]*))?", re.IGNORECASE)


@dataclass(slots=True)
class _Comment:
    source: SourceFile
    line: int
    column: int
    rule: str
    reason: str
    is_used: bool = False


@dataclass(slots=True)
class Exceptions:
    """All exceptions of a project.

    Attributes:
        config: Those of ``lint.toml``.
    """

    config: Config
    _comments: dict[tuple[str, int, str], _Comment] = field(default_factory=dict)
    _used: set[int] = field(default_factory=set)

    def read(self, sources: Iterable[SourceFile]) -> None:
        """Find the comments in files."""
        for source in sources:
            for found in _COMMENT.finditer(source.text):
                line, column = source.position(found.start())
                rule = found[1].lower().rstrip(".")
                comment = _Comment(source, line, column, rule, (found[2] or "").strip())
                self._comments[source.name, line, rule] = comment

    def allows(self, finding: Finding) -> bool:
        """Whether a finding is allowed; the exception counts as used."""
        for line in (finding.line, finding.line - 1):
            comment = self._comments.get((finding.file, line, finding.rule))
            if comment:
                comment.is_used = True
                return True
        allowed = False
        for number, entry in enumerate(self.config.allow):
            fits = entry.rule == finding.rule and (not entry.where or fnmatchcase(finding.object, entry.where))
            if fits and (not entry.file or fnmatchcase(finding.file, entry.file)):
                self._used.add(number)
                allowed = True
        return allowed

    def findings(self, *, is_complete: bool) -> Iterator[Finding]:
        """What is wrong with the exceptions themselves.

        Args:
            is_complete: Whether everything was linted, so that an entry that was not needed never is.
        """
        for comment in self._comments.values():
            place = (comment.source.name, comment.line, comment.column)
            if not comment.reason:
                message = f"the exception from {comment.rule} does not say why"
                yield Finding(*place, "allow.reason", message, "write: because, and the reason")
            if comment.rule not in RULES:
                yield Finding(
                    *place, "allow.unused", f"there is no rule {comment.rule}", "see docs/lint.md for the rules"
                )
            elif not comment.is_used:
                message = f"nothing here breaks {comment.rule}"
                yield Finding(*place, "allow.unused", message, "take the comment out")
        for number, entry in enumerate(self.config.allow):
            place = (self.config.name, entry.line, 1)
            if not entry.because:
                message = f"the exception from {entry.rule} does not say why"
                yield Finding(*place, "allow.reason", message, "write: because = and the reason")
            if is_complete and number not in self._used:
                message = f"nothing breaks {entry.rule} at {entry.where or entry.file}"
                yield Finding(*place, "allow.unused", message, "take the entry out")
