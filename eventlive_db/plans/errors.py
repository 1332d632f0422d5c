"""What goes wrong in the tool itself, as opposed to a budget that is broken."""

from __future__ import annotations

from eventlive_db.errors import AdvisedError


class PlansError(AdvisedError):
    """The plans cannot be judged."""

    token = "plans_error"


class CaptureUnavailableError(PlansError):
    """auto_explain is not installed, or this role may not load it."""

    token = "capture_unavailable"


class SuiteError(PlansError):
    """A suite file, a budget or a case is not what it has to be."""

    token = "invalid_suite"


class CallFailedError(PlansError):
    """The call that was to be measured, or what prepares it, failed."""

    token = "call_failed"
