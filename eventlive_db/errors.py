"""What errors of the tools have in common. The client has errors of its own."""

from __future__ import annotations


class AdvisedError(RuntimeError):
    """Something cannot be done; the message ends with what to do next.

    Attributes:
        token: Stable and machine-readable, such as ``unknown_budget``.
        advice: What to do next; may be empty.
    """

    token = "error"

    def __init__(self, problem: str, advice: str = "", *, token: str | None = None) -> None:
        super().__init__(f"{problem}. {advice}" if advice else problem)
        self.advice = advice
        if token:
            self.token = token
