"""Why files cannot be judged."""

from __future__ import annotations

from eventlive_db.lint.errors import LintError


class ParserMissingError(LintError):
    """The extra ``lint`` is not installed."""

    token = "parser_missing"


class ConfigError(LintError):
    """``lint.toml`` is not what it has to be."""

    token = "invalid_config"


class UnreadableError(LintError):
    """A path does not exist, or a file cannot be read as text."""

    token = "unreadable"


class SyntaxFaultError(LintError):
    """A text is not SQL. The linter makes a finding of it.

    Attributes:
        reason: What the parser says.
        index: Character of the text where it stopped; None where it does not say.
    """

    token = "syntax"

    def __init__(self, reason: str, index: int | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.index = index
