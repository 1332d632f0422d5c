"""What goes wrong in the tool itself, as opposed to a budget that is broken."""

from __future__ import annotations


class PlansError(RuntimeError):
    """The plans cannot be judged.

    Attributes:
        token: Stable and machine-readable, such as ``unknown_budget``.
        advice: What to do next; may be empty.
    """

    token = "plans_error"

    def __init__(self, problem: str, advice: str = "", *, token: str | None = None) -> None:
        super().__init__(f"{problem}. {advice}" if advice else problem)
        self.advice = advice
        if token:
            self.token = token


class CaptureUnavailableError(PlansError):
    """auto_explain is not installed, or this role may not load it."""

    token = "capture_unavailable"


class SuiteError(PlansError):
    """A suite file, a budget or a case is not what it has to be."""

    token = "invalid_suite"


class CallFailedError(PlansError):
    """The call that was to be measured, or what prepares it, failed."""

    token = "call_failed"
