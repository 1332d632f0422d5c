"""What goes wrong in the lint itself, as opposed to what it finds."""

from __future__ import annotations


class LintError(RuntimeError):
    """The database cannot be looked at.

    Attributes:
        token: Stable and machine-readable, such as ``unknown_schema``.
        advice: What to do next; may be empty.
    """

    token = "lint_error"

    def __init__(self, problem: str, advice: str = "", *, token: str | None = None) -> None:
        super().__init__(f"{problem}. {advice}" if advice else problem)
        self.advice = advice
        if token:
            self.token = token
