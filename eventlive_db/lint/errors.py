"""What goes wrong in the linters themselves, as opposed to a fault that they find."""

from __future__ import annotations


class LintError(RuntimeError):
    """The files or the database cannot be judged.

    Attributes:
        token: Stable and machine-readable, such as ``parser_missing`` or ``unknown_schema``.
        advice: What to do next; may be empty.
    """

    token = "lint_error"

    def __init__(self, problem: str, advice: str = "", *, token: str | None = None) -> None:
        super().__init__(f"{problem}. {advice}" if advice else problem)
        self.advice = advice
        if token:
            self.token = token
