"""What goes wrong in the tool itself, as opposed to a fault that it finds."""

from __future__ import annotations


class LintError(RuntimeError):
    """The files cannot be judged.

    Attributes:
        token: Stable and machine-readable, such as ``parser_missing``.
        advice: What to do next; may be empty.
    """

    token = "lint_error"

    def __init__(self, problem: str, advice: str = "", *, token: str | None = None) -> None:
        super().__init__(f"{problem}. {advice}" if advice else problem)
        self.advice = advice
        if token:
            self.token = token


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
